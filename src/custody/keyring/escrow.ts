/**
 * Escrow as the account's files see it: the slot for the master key, the request that leaves, the grant that comes back. Nothing here
 * can open anything: the secret half of the master key is elsewhere.
 *
 * The master certificate that an account agreed to is kept in its folder, by its fingerprint, which the slot names under the table's
 * MAC: so a rotation seals to the key that was agreed to, whatever the configuration says by then.
 */
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { AccountId } from '../accounts/directory.ts'
import { BY_ESCROW, decodeTable, type SlotTable, tableText } from '../vault/protocol/slot-table.ts'
import { MalformedTable } from '../vault/protocol/table-fields.ts'
import { AccountFiles } from './account-files.ts'
import { readAccount } from './account-reading.ts'
import { type ChangeDesk, ownerOf } from './change-desk.ts'
import { disk } from './durable-files.ts'
import type { EscrowApplied, EscrowFacts, EscrowLeft, NewKeyWish } from './key-wishes.ts'
import type { OwnerSecrets } from './keyring.ts'
import { asked, unlessDenied } from './refusals.ts'
import { renewMaster, rotateKey } from './rotation.ts'

const slotOf = ({ slots }: SlotTable) => slots.find(({ type }) => type === 'escrow') ?? null

const masterOf = (table: SlotTable): string | null => {
  const kdf = slotOf(table)?.kdf
  return kdf?.kind === 'openpgp' ? kdf.fingerprint : null
}

/** Without a vault: nothing in it is secret. Throws AccountKeysDamaged. */
export const readEscrow = (dataDir: string, account: AccountId): Promise<EscrowFacts> =>
  escrowFacts(new AccountFiles(dataDir, account, disk))

export async function escrowFacts(files: AccountFiles): Promise<EscrowFacts> {
  const { table } = await files.table()
  const slot = slotOf(table)
  const master = masterOf(table)
  return {
    slot: slot && master ? { master, since: slot.created } : null,
    parked: table.parked.some(({ slots }) => slots.some(({ type }) => type === 'escrow')),
    openings: table.openings,
  }
}

/** false: wrong password. Running it again renews the slot, also for another master key. */
export async function agreeToEscrow(desk: ChangeDesk, owner: OwnerSecrets, master: Bytes): Promise<boolean> {
  const { account, files, vault, clock, record } = desk
  const { fingerprint } = parseCertificate(master)
  return files.exclusively(async () => {
    const { octets } = await files.table()
    const request = { account, table: octets, ...ownerOf(owner), master, created: clock.now() }
    const answer = unlessDenied(await asked(account, vault.call('addEscrow', request)))
    if (!answer) return false
    await record('escrow.consented', { master: fingerprint })
    await files.writeMasterCertificate(fingerprint, master)
    await files.writeTable(answer.table)
    return true
  })
}

/**
 * Takes the slot away and its power with it: a new AMK, and new keys in the place of those that the provider made, so that an
 * earlier copy of the files, with the master key, opens nothing that comes from now on. Keys that their owner brought stay. The slot goes
 * with the last step: interrupted, it is still there, and the whole is done again. null: wrong password.
 */
export async function leaveEscrow(desk: ChangeDesk, owner: OwnerSecrets, wish: NewKeyWish): Promise<EscrowLeft | null> {
  const { table, keys } = await readAccount(desk.account, desk.files, desk.directory)
  const isMade = (fingerprint: string) => keys.some((key) => key.fingerprint === fingerprint && key.origin === 'made')
  const other = table.endToEnd?.custody === 'held' ? table.endToEnd.fingerprint : ''
  const master = masterOf(table)
  // A slot that cannot be sealed again goes with the first step: it must not keep its owner from leaving.
  const escrow = master === null || (await desk.files.masterCertificate(master)) ? 'keep' : 'drop'
  if (isMade(other) && !(await rotateKey(desk, owner, { ...wish, renews: 'end-to-end', escrow }))) return null
  const hasOwnKeys = [table.current, other].some((fingerprint) => fingerprint !== '' && !isMade(fingerprint))
  if (!isMade(table.current)) {
    const renewal = await renewMaster(desk, owner, { escrow: 'drop' })
    return renewal && { ...renewal, fingerprint: null, hasOwnKeys }
  }
  const rotated = await rotateKey(desk, owner, { ...wish, escrow: 'drop' })
  if (!rotated) return null
  const { fingerprint, ended, recoveryCode } = rotated
  return { fingerprint, ended, recoveryCode, hasOwnKeys }
}

/** The table as it stands, which the master key can open. It is in the audit log before it is given out. */
export async function requestEscrow({ files, record }: ChangeDesk, ticket: string): Promise<Buffer> {
  const { table, octets } = await files.table()
  await record('escrow.requested', { ticket, master: masterOf(table) ?? '' }, 'operator')
  return octets
}

/**
 * Puts the table of a grant in the place of the one that it was made from. Done twice, or stopped between its two copies, it comes to
 * the same. Nobody here can check its MAC; what is checked is that it differs by one opening and nothing else.
 */
export async function applyEscrow(
  { files, record, clock }: ChangeDesk,
  { ticket, octets }: { readonly ticket: string; readonly octets: Bytes },
): Promise<EscrowApplied> {
  return files.exclusively(async () => {
    const present = await files.table()
    const granted = readable(octets)
    const opening = granted?.openings.at(-1)
    if (granted?.account !== present.table.account || opening?.ticket !== ticket) return 'foreign'
    if (!present.octets.equals(octets)) {
      if (granted.sequence !== present.table.sequence + 1) return 'outdated'
      if (!addsOneOpening(present.table, granted)) return 'foreign'
      if (!isTimely(opening.at, clock.now())) return 'untimely'
    }
    await record('escrow.opened', { ticket, master: opening.master }, 'operator')
    await files.writeTable(octets)
    return 'applied'
  })
}

const DAY_MS = 86_400_000

/** Owners are told of openings for so many days after the one that stands there: who makes one must not choose it long ago. */
const isTimely = (at: number, now: number): boolean => at > now - 7 * DAY_MS && at < now + DAY_MS

function readable(octets: Bytes): SlotTable | null {
  try {
    return decodeTable(octets)
  } catch (error) {
    if (error instanceof MalformedTable) return null
    throw error
  }
}

function addsOneOpening(before: SlotTable, after: SlotTable): boolean {
  const slot = after.slots.at(-1)
  if (slot?.type !== 'recovery' || slot.scope !== BY_ESCROW) return false
  const undone = { sequence: before.sequence, slots: after.slots.slice(0, -1), openings: after.openings.slice(0, -1) }
  return tableText({ ...after, ...undone }) === tableText(before)
}
