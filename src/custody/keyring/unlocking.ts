/** The way into an account, whatever shows that somebody may: the files are read, the vault is asked, and what is found wrong is mended. */
import { asBuffer } from '#lib/bytes.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import { type AnswerOf, AUTH_MESSAGE_MAX, CREDENTIAL_OCTETS_MAX, type RequestOf } from '../vault/protocol/protocol.ts'
import { readAccount } from './account-reading.ts'
import type { ChangeDesk } from './change-desk.ts'
import { finishInterrupted } from './finishing.ts'
import type { HeldHandles } from './held-handles.ts'
import type { ProtocolUse, ScramProof } from './keyring.ts'
import type { LastUses } from './last-uses.ts'
import { asked, unlessDenied } from './refusals.ts'
import type { UnlockedHandle } from './unlocked-handle.ts'
import type { VaultProcess } from './vault-process.ts'

type Place = Pick<RequestOf<'unlock'>, 'account' | 'table' | 'keys'>
type Login = Pick<RequestOf<'unlock'>, 'use' | 'now'>
type Unlocked = Extract<AnswerOf<'unlock'>, { kind: 'unlocked' }>

/** What is shown to the vault. */
interface Way<A extends Unlocked> {
  readonly login: Login
  /** null: wrong. */
  ask(place: Place): Promise<A | null>
}

interface Entered<A> {
  readonly handle: UnlockedHandle
  readonly answer: A
}

export interface UnlockingDuties {
  readonly vault: VaultProcess
  readonly handles: HeldHandles
  readonly lastUses: LastUses
  readonly logger: Logger
  readonly deskOf: (account: AccountId) => ChangeDesk
}

const NOTHING = new Uint8Array(0)
/** An account that is not there: the same work, and always wrong. */
const NOBODY: Place = { account: '', table: NOTHING, keys: [] }

type Secrets = Pick<RequestOf<'unlock'>, 'password' | 'passphrase'>

/** null: wrong. Throws PassphraseNeeded. */
export async function unlockWith(
  duties: UnlockingDuties,
  account: AccountId | null,
  { password, passphrase }: Secrets,
  login: Login,
): Promise<UnlockedHandle | null> {
  const isTooLong = Math.max(password.byteLength, passphrase.byteLength) > CREDENTIAL_OCTETS_MAX
  const credential = { password: password.subarray(0, CREDENTIAL_OCTETS_MAX), passphrase: NOTHING }
  // One that is too long is wrong, and costs the same.
  const shown = isTooLong ? credential : { password, passphrase }
  const ask = async (place: Place) =>
    unlessDenied(await asked(place.account, duties.vault.call('unlock', { ...place, ...shown, ...login })))
  const entered = await enter(duties, isTooLong ? null : account, { login, ask })
  return entered?.handle ?? null
}

/** null: wrong. */
export async function unlockByProof(
  duties: UnlockingDuties,
  account: AccountId | null,
  shown: ScramProof,
  login: { readonly use: ProtocolUse; readonly now: number },
): Promise<{ readonly keys: UnlockedHandle; readonly signature: Buffer } | null> {
  if (shown.authMessage.byteLength > AUTH_MESSAGE_MAX) throw new RangeError('an exchange is too long')
  const ask = async (place: Place) => {
    const answer = await asked(place.account, duties.vault.call('unlockByProof', { ...place, ...shown, ...login }))
    return answer.kind === 'wrong' ? null : answer
  }
  const entered = await enter(duties, account, { login, ask })
  return entered && { keys: entered.handle, signature: asBuffer(entered.answer.signature) }
}

async function enter<A extends Unlocked>(
  duties: UnlockingDuties,
  account: AccountId | null,
  way: Way<A>,
): Promise<Entered<A> | null> {
  if (account === null) return way.ask(NOBODY).then(() => null)
  const { handles, lastUses } = duties
  for (;;) {
    const desk = duties.deskOf(account)
    const reading = await readAccount(account, desk.files, desk.directory)
    const { octets: table, keys } = reading
    const answer = await way.ask({ account, table, keys })
    if (!answer) return null
    const slot = reading.table.slots.find(({ id }) => id === answer.slot)
    const handle = handles.hold(account, {
      handle: answer.handle,
      slot: answer.slot,
      reads: answer.reads === 'yes',
      signs: answer.signs === 'yes',
      openings: reading.table.openings,
      expires: slot?.expires ?? null,
    })
    const isApp = slot?.type === 'app'
    const [isBlocked, isOutdated] = await keptOnlyIfTold(handle, async () => [
      // Looked up once the handle is there to be ended by who blocks it meanwhile.
      isApp && (await desk.files.blocked(reading.table)).includes(answer.slot),
      // A login that was under way while the password changed must not outlive the sessions that were ended for it.
      !(await desk.files.table()).octets.equals(table),
    ])
    if (isBlocked || isOutdated) await handle[Symbol.asyncDispose]()
    // What a wrong one costs.
    if (isBlocked) return way.ask(NOBODY).then(() => null)
    if (isOutdated) continue
    if (isApp) lastUses.note(account, answer.slot, way.login.now)
    // Only somebody who can unlock makes us write: what proves and opens nothing has not verified the table.
    if (handle.reads || handle.signs) await mendAll(duties, desk, reading)
    return { handle, answer }
  }
}

async function mendAll(
  { logger }: UnlockingDuties,
  desk: ChangeDesk,
  { needsRepair, unfinished }: { readonly needsRepair: boolean; readonly unfinished: unknown },
): Promise<void> {
  const { account } = desk
  /** What could not be mended now is mended at the next unlocking. */
  const mend = async (what: string, how: () => Promise<void>): Promise<void> => {
    try {
      await how()
      logger.warn({ account }, what)
    } catch (error) {
      logger.error({ account, error: error as Error }, 'account files not mended')
    }
  }
  if (needsRepair) await mend('keyslot copy repaired', () => desk.files.repairTable())
  if (unfinished) await mend('change of keys finished', () => finishInterrupted(desk))
}

/** A handle that nobody gets is closed when the question about it fails. */
async function keptOnlyIfTold<T>(handle: UnlockedHandle, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    await handle[Symbol.asyncDispose]()
    throw error
  }
}
