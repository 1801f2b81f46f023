/** The keyring over the account's files and the vault process. */

import type { Address } from '#formats/message/address.ts'
import { formatAddress } from '#formats/message/address.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import type { Secret } from '#lib/secret.ts'
import type { AccountId, Directory } from '../accounts/directory.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import { type AnswerOf, CREDENTIAL_OCTETS_MAX, type RequestOf } from '../vault/protocol/protocol.ts'
import { AccountFiles } from './account-files.ts'
import { readAccount } from './account-reading.ts'
import { type ChangeDesk, ownerOf } from './change-desk.ts'
import { type Disk, disk } from './durable-files.ts'
import { finishInterrupted } from './finishing.ts'
import { HeldHandles } from './held-handles.ts'
import * as changes from './key-changes.ts'
import type {
  AppPasswordWish,
  CustodyFacts,
  EscrowApplied,
  EscrowFacts,
  EscrowLeft,
  ImportedKey,
  ImportWish,
  KeyAlgorithm,
  ManagedKey,
  NewKeyWish,
  RevocationWish,
  RotatedKey,
  RotationWish,
  UploadedRevocation,
} from './key-wishes.ts'
import type { CredentialUse, Keyring, KeyslotFacts, NewKeys, OwnerSecrets, UnlockedKeys } from './keyring.ts'
import { VaultGone } from './keyring.ts'
import { LastUses } from './last-uses.ts'
import type { VaultPlacement } from './launch.ts'
import { asked, unlessDenied } from './refusals.ts'
import { RevocationDesk } from './revocations.ts'
import { largeContentsGate, type UnlockedHandle } from './unlocked-handle.ts'
import { VaultProcess } from './vault-process.ts'

export interface KeyringOptions {
  readonly dataDir: string
  readonly directory: Directory
  readonly audit: Pick<AuditLog, 'record'>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** How long keys stay unlocked after the last handle of an account is closed. */
  readonly graceMs: number
  /** How long a session may hold keys that it does not use; never ending when left out. */
  readonly idleMs?: number
  readonly vault: VaultPlacement
  /** Another cost than the standard one makes sense in tests only. */
  readonly argon2?: Omit<RequestOf<'configure'>, 'graceMs' | 'idleMs'>
  /** Set in tests to stop between two steps. */
  readonly disk?: Disk
}

/** A keyring that tests can look into. */
export interface VaultKeyring extends Keyring {
  /** Live handles, unlocked accounts (those in their grace period too), slow derivations since the vault started. */
  status(): Promise<AnswerOf<'status'>>
  /** Of the vault process, which is started when it does not run. */
  vaultPid(): Promise<number>
}

/** RFC 9106 §4, second recommended option, with one lane since many may log in at once. Some seconds' worth of logins may wait. */
const ARGON2 = { memory: 64 * 1024, passes: 3, waiting: 64 }

/** Starts the vault. Throws VaultGone, with what it said, when it does not run here. */
export async function openKeyring(options: KeyringOptions): Promise<VaultKeyring> {
  const keyring = new FileKeyring(options)
  await keyring.vaultPid()
  return keyring
}

type UnlockWish = NonNullable<Parameters<Keyring['unlock']>[2]>

/** Loaded when it is wanted: a running server seldom does. */
const wishes = () => import('./slot-wishes.ts')
const rotation = () => import('./rotation.ts')
const ownKeys = () => import('./own-keys.ts')
const modes = () => import('./custody-modes.ts')
const keyRevocation = () => import('./key-revocation.ts')
const escrow = () => import('./escrow.ts')

const secretsOf = ({ password, passphrase }: OwnerSecrets) => (passphrase ? [password, passphrase] : [password])

class FileKeyring implements VaultKeyring {
  readonly #options: KeyringOptions
  readonly #vault: VaultProcess
  readonly #revocations: RevocationDesk
  readonly #lastUses: LastUses
  readonly #handles: HeldHandles

  constructor(options: KeyringOptions) {
    this.#options = options
    this.#revocations = new RevocationDesk(options.dataDir)
    this.#lastUses = new LastUses(options.dataDir, options.logger)
    this.#vault = new VaultProcess({
      placement: options.vault,
      configuration: { graceMs: options.graceMs, idleMs: options.idleMs ?? 0, ...(options.argon2 ?? ARGON2) },
      clock: options.clock,
      logger: options.logger,
      onGone: () => this.#handles.endAll(),
    })
    const { clock, logger, metrics, idleMs = 0 } = options
    const largeContents = largeContentsGate()
    this.#handles = new HeldHandles({ vault: this.#vault, clock, logger, metrics, idleMs, largeContents })
  }

  #desk(account: AccountId): ChangeDesk {
    const { dataDir, directory, clock } = this.#options
    const files = new AccountFiles(dataDir, account, this.#options.disk ?? disk)
    const record: ChangeDesk['record'] = async (event, detail = {}, actor = 'owner') => {
      const known = await directory.account(account)
      const address = known ? { address: formatAddress(known.address) } : {}
      await this.#options.audit.record({ event, account, ...address, actor, detail })
    }
    return { account, files, vault: this.#vault, directory, revocations: this.#revocations, clock, record }
  }

  create(account: AccountId, address: Address, password: Buffer, algorithm: KeyAlgorithm): Promise<NewKeys> {
    return wiping([password], () => changes.create(this.#desk(account), address, password, algorithm))
  }

  createWithoutKey(account: AccountId, password: Buffer): Promise<Pick<NewKeys, 'recoveryCode'>> {
    return wiping([password], () => changes.createWithoutKey(this.#desk(account), password))
  }

  unlock(
    account: AccountId | null,
    credential: Buffer,
    { use = 'imap', passphrase = Buffer.alloc(0) }: UnlockWish = {},
  ): Promise<UnlockedKeys | null> {
    return wiping([credential, passphrase], async () => {
      const handle = await this.#unlock(account, { password: credential, passphrase }, use)
      this.#options.metrics.count('unlocks', { outcome: handle ? 'unlocked' : 'wrong' })
      return handle
    })
  }

  async #unlock(
    account: AccountId | null,
    credential: { readonly password: Buffer; readonly passphrase: Buffer },
    use: CredentialUse,
  ): Promise<UnlockedKeys | null> {
    const { password, passphrase } = credential
    const login = { use, now: this.#options.clock.now() }
    // One that is too long is wrong, and costs the same.
    if (account === null || Math.max(password.length, passphrase.length) > CREDENTIAL_OCTETS_MAX)
      return this.#unlockNobody(password, login)
    for (;;) {
      const desk = this.#desk(account)
      const reading = await readAccount(account, desk.files, this.#options.directory)
      const { octets: table, keys } = reading
      const slotOf = (id: string) => reading.table.slots.find((slot) => slot.id === id)
      const answer = unlessDenied(
        await asked(account, this.#vault.call('unlock', { account, table, keys, ...credential, ...login })),
      )
      if (!answer) return null
      const handle = this.#handles.hold(account, {
        handle: answer.handle,
        slot: answer.slot,
        reads: answer.reads === 'yes',
        signs: answer.signs === 'yes',
        openings: reading.table.openings,
        expires: slotOf(answer.slot)?.expires ?? null,
      })
      const isApp = slotOf(answer.slot)?.type === 'app'
      const [isBlocked, isOutdated] = await keptOnlyIfTold(handle, async () => [
        // Looked up once the handle is there to be ended by who blocks it meanwhile.
        isApp && (await desk.files.blocked(reading.table)).includes(answer.slot),
        // A login that was under way while the password changed must not outlive the sessions that were ended for it.
        !(await desk.files.table()).octets.equals(table),
      ])
      if (isBlocked || isOutdated) await handle[Symbol.asyncDispose]()
      if (isBlocked) return this.#unlockNobody(password, login)
      if (isOutdated) continue
      if (isApp) this.#lastUses.note(account, answer.slot, login.now)
      // Only somebody who can unlock makes us write: what proves and opens nothing has not verified the table.
      if (!handle.reads && !handle.signs) return handle
      if (reading.needsRepair) await this.#mend(account, 'keyslot copy repaired', () => desk.files.repairTable())
      if (reading.unfinished) await this.#mend(account, 'change of keys finished', () => finishInterrupted(desk))
      return handle
    }
  }

  /** What a wrong password costs. */
  async #unlockNobody(credential: Buffer, login: { readonly use: CredentialUse; readonly now: number }): Promise<null> {
    const short = { password: credential.subarray(0, CREDENTIAL_OCTETS_MAX), passphrase: NOTHING }
    await asked('', this.#vault.call('unlock', { account: '', table: NOTHING, keys: [], ...short, ...login }))
    return null
  }

  /** What could not be mended now is mended at the next unlocking. */
  async #mend(account: AccountId, what: string, mend: () => Promise<void>): Promise<void> {
    const { logger } = this.#options
    try {
      await mend()
      logger.warn({ account }, what)
    } catch (error) {
      logger.error({ account, error: error as Error }, 'account files not mended')
    }
  }

  async endSessions(account: AccountId, slots?: readonly string[]): Promise<void> {
    if (slots) return this.#handles.endSlots(account, slots)
    this.#handles.end(account)
    try {
      await this.#vault.call('endAll', { account })
    } catch (error) {
      // its sessions went with it, and what was changed is changed
      if (!(error instanceof VaultGone)) throw error
    }
  }

  /** Whoever logged in with what no longer counts has to log in again. */
  async #ending<T>(account: AccountId, change: Promise<T>, slots?: readonly string[]): Promise<T> {
    const changed = await change
    if (changed) await this.endSessions(account, slots)
    return changed
  }

  changePassword(account: AccountId, old: Buffer, next: Buffer, passphrase?: Buffer): Promise<boolean> {
    const owner = passphrase ? { password: old, passphrase } : { password: old }
    const change = () => changes.changePassword(this.#desk(account), owner, next)
    return wiping([...secretsOf(owner), next], () => this.#ending(account, change()))
  }

  recover(account: AccountId, code: Buffer, next: Buffer): Promise<{ recoveryCode: Secret<string> } | null> {
    return wiping([code, next], () => this.#ending(account, changes.recover(this.#desk(account), code, next)))
  }

  resetWithoutKey(account: AccountId, next: Buffer): Promise<Pick<NewKeys, 'recoveryCode'>> {
    return wiping([next], () => this.#ending(account, changes.resetWithoutKey(this.#desk(account), next)))
  }

  reset(account: AccountId, address: Address, next: Buffer, algorithm: KeyAlgorithm): Promise<NewKeys> {
    const change = () => changes.reset(this.#desk(account), address, next, algorithm)
    return wiping([next], () => this.#ending(account, change()))
  }

  relink(
    account: AccountId,
    owner: OwnerSecrets,
    password: Buffer,
    passphrase = Buffer.alloc(0),
  ): Promise<{ relinked: number } | null> {
    const old = { password, passphrase }
    const change = async () => changes.relink(this.#desk(account), owner, ownerOf(old))
    return wiping([...secretsOf(owner), ...secretsOf(old)], () => this.#ending(account, change()))
  }

  exportSecretKey(account: AccountId, owner: OwnerSecrets, lock: Buffer): Promise<string | null> {
    const change = () => changes.exportSecretKey(this.#desk(account), owner, lock)
    return wiping([...secretsOf(owner), lock], change)
  }

  addAppPassword(account: AccountId, owner: OwnerSecrets, wish: AppPasswordWish) {
    return wiping(secretsOf(owner), async () => (await wishes()).addAppPassword(this.#desk(account), owner, wish))
  }

  revokeAppPasswords(account: AccountId, owner: OwnerSecrets, ids: readonly string[]): Promise<boolean> {
    const change = async () => (await wishes()).revokeAppPasswords(this.#desk(account), owner, ids)
    return wiping(secretsOf(owner), () => this.#ending(account, change(), ids))
  }

  async blockSlots(account: AccountId, ids: readonly string[]): Promise<void> {
    await (await wishes()).blockSlots(this.#desk(account), ids)
    await this.endSessions(account, ids)
  }

  reissueRecoveryCode(account: AccountId, owner: OwnerSecrets): Promise<Secret<string> | null> {
    return wiping(secretsOf(owner), async () => (await wishes()).reissueRecoveryCode(this.#desk(account), owner))
  }

  setPassphrase(account: AccountId, owner: OwnerSecrets, next: Buffer | null): Promise<boolean> {
    const change = async () => (await wishes()).setPassphrase(this.#desk(account), owner, next)
    return wiping([...secretsOf(owner), ...(next ? [next] : [])], () => this.#ending(account, change()))
  }

  agreeToEscrow(account: AccountId, owner: OwnerSecrets, master: Bytes): Promise<boolean> {
    return wiping(secretsOf(owner), async () => (await escrow()).agreeToEscrow(this.#desk(account), owner, master))
  }

  leaveEscrow(account: AccountId, owner: OwnerSecrets, wish: NewKeyWish): Promise<EscrowLeft | null> {
    const change = async () => (await escrow()).leaveEscrow(this.#desk(account), owner, wish)
    return wiping(secretsOf(owner), () => this.#ending(account, change()))
  }

  async escrow(account: AccountId): Promise<EscrowFacts> {
    return (await escrow()).escrowFacts(this.#desk(account).files)
  }

  async requestEscrow(account: AccountId, ticket: string): Promise<Buffer> {
    return (await escrow()).requestEscrow(this.#desk(account), ticket)
  }

  async applyEscrow(account: AccountId, grant: { ticket: string; octets: Bytes }): Promise<EscrowApplied> {
    return (await escrow()).applyEscrow(this.#desk(account), grant)
  }

  rotateKey(account: AccountId, owner: OwnerSecrets, wish: RotationWish): Promise<RotatedKey | null> {
    const change = async () => (await rotation()).rotateKey(this.#desk(account), owner, wish)
    return wiping(secretsOf(owner), () => this.#ending(account, change()))
  }

  generateKey(account: AccountId, owner: OwnerSecrets, wish: NewKeyWish): Promise<RotatedKey | null> {
    const change = async () => (await rotation()).generateKey(this.#desk(account), owner, wish)
    return wiping(secretsOf(owner), () => this.#ending(account, change()))
  }

  importKey(account: AccountId, owner: OwnerSecrets, wish: ImportWish): Promise<ImportedKey | null> {
    const change = async () => (await ownKeys()).importKey(this.#desk(account), owner, wish)
    const secrets = [...secretsOf(owner), wish.tsk, ...(wish.keyPassphrase ? [wish.keyPassphrase] : [])]
    return wiping(secrets, () => this.#ending(account, change()))
  }

  useDeviceCertificate(account: AccountId, owner: OwnerSecrets, certificate: Bytes, addresses: readonly string[]) {
    const change = async () => (await modes()).useDeviceCertificate(this.#desk(account), owner, certificate, addresses)
    return wiping(secretsOf(owner), () => this.#ending(account, change()))
  }

  useManaged(account: AccountId, owner: OwnerSecrets, wish: NewKeyWish): Promise<ManagedKey | null> {
    const change = async () => (await modes()).useManaged(this.#desk(account), owner, wish)
    return wiping(secretsOf(owner), () => this.#ending(account, change()))
  }

  revokeKey(account: AccountId, owner: OwnerSecrets, wish: RevocationWish): Promise<{ wasInUse: boolean } | null> {
    return wiping(secretsOf(owner), async () => (await keyRevocation()).revokeKey(this.#desk(account), owner, wish))
  }

  async uploadRevocation(account: AccountId, octets: Bytes): Promise<UploadedRevocation | null> {
    return (await keyRevocation()).uploadRevocation(this.#desk(account), octets)
  }

  async custody(account: AccountId): Promise<CustodyFacts> {
    return (await modes()).custodyFacts(this.#desk(account))
  }

  async keyslots(account: AccountId): Promise<readonly KeyslotFacts[]> {
    return (await wishes()).keyslotFacts(this.#desk(account), await this.#lastUses.of(account))
  }

  status(): Promise<AnswerOf<'status'>> {
    return this.#vault.call('status', {})
  }

  async vaultPid(): Promise<number> {
    return (await this.#vault.start()).child.pid!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#handles.endAll()
    await this.#vault[Symbol.asyncDispose]()
    await this.#lastUses[Symbol.asyncDispose]()
  }
}

const NOTHING = new Uint8Array(0)

/** A handle that nobody gets is closed when the question about it fails. */
async function keptOnlyIfTold<T>(handle: UnlockedHandle, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    await handle[Symbol.asyncDispose]()
    throw error
  }
}

async function wiping<T>(secrets: readonly Buffer[], use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } finally {
    for (const secret of secrets) wipe(secret)
  }
}
