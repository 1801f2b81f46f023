/**
 * A new generation of an account: a new AMK, and usually a new key. Every slot is carried over without its credential, and the AMKs
 * before come along under the new one, so what they locked stays as it is. Whoever has an older AMK, from an old backup or an old
 * credential, opens nothing that is made from now on.
 */
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { makeRevocation, type RevocationWish } from '#formats/openpgp/revocation.ts'
import { CannotSign } from '#formats/openpgp/sign.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { admitOwner, ownerSlots } from './credentials.ts'
import { carryEscrow, parkedWithoutEscrow, withoutEscrow } from './escrow.ts'
import { type MasterKeys, masterKeys } from './generations.ts'
import { carrySlot, makeSlot, masterDigest, newMasterKey, type Place, signTable, TableTampered } from './keyslots.ts'
import { type LockedKey, openLockedKey } from './locked-key.ts'
import type { AnswerOf, RequestOf } from './protocol/protocol.ts'
import { BY_ESCROW, encodeTable, type Keyslot, type SlotTable } from './protocol/slot-table.ts'
import { checkGenerations, makeLockedKey, NO_KEY, tableOf } from './slot-changes.ts'
import type { Stretcher } from './stretcher.ts'
import { encodeCode, newCodeSecret, RECOVERY_CODE } from './typed-code.ts'

type Rotation = RequestOf<'rotate'>
/** RFC 9580 §5.2.3.31 */
const SUPERSEDED = 1
/** Generations that rotations leave free, so that an account can still be reset, and its owner opt out of escrow. */
const ROOM_FOR_NEED = 8

export async function rotate(request: Rotation, stretcher: Stretcher): Promise<AnswerOf<'rotate'>> {
  const table = tableOf(request.account, request.table)
  const owner = await admitOwner(table, request, stretcher)
  if (owner.kind !== 'owner') return owner
  using masters = masterKeys(table, owner.amk)
  checkGenerations([table, ...table.parked], request.escrow === 'drop' ? 1 : 1 + ROOM_FOR_NEED)
  const place = { account: table.account, generation: table.generation + 1 }
  const amk = newMasterKey()
  try {
    const key = request.renews === 'master' ? NO_KEY : await makeLockedKey(place, request, amk)
    const carried = await carryAll({ table, into: place, request, amk }, stretcher)
    const drops = request.escrow === 'drop'
    const next = signTable(
      {
        ...table,
        ...place,
        ...namesAfter(table, request.renews, key.fingerprint),
        sequence: table.sequence + 1,
        digest: masterDigest(amk),
        slots: carried.slots,
        earlier: masters.wrappedFor(place, amk),
        parked: drops ? parkedWithoutEscrow(table) : table.parked,
      },
      amk,
    )
    await checkOpens(next, request, stretcher)
    if (request.renews !== 'master') openLockedKey(place, key, amk).wipe()
    const { ended, recoveryCode } = carried
    const retired = retiredBy(table, request, masters, key.fingerprint)
    return { kind: 'rotated', table: encodeTable(next), ...key, retired, ended, recoveryCode }
  } finally {
    wipe(amk)
  }
}

const NO_HASH = Buffer.alloc(32)

function namesAfter({ current, endToEnd }: SlotTable, renews: Rotation['renews'], fingerprint: string) {
  if (renews === 'key') return { current: fingerprint, endToEnd }
  const other = { fingerprint, custody: 'held', certificateHash: NO_HASH } as const
  return { current, endToEnd: renews === 'end-to-end' ? other : endToEnd }
}

interface Carriage {
  readonly table: SlotTable
  readonly into: Place
  readonly request: Rotation
  readonly amk: Bytes
}

/** Slots of old tables have no public half: those of the owner who is here are made anew, the others end. */
async function carryAll({ table, into, request, amk }: Carriage, stretcher: Stretcher) {
  const order = { created: request.created, sequence: table.sequence + 1 }
  const { slots, ended } = carriedSlots(table.slots, into, request, amk)
  let recoveryCode: Bytes = Buffer.alloc(0)
  if (ended.some(({ type }) => type === 'password')) {
    slots.push(...(await ownerSlots(into, order, { credential: request, amk }, stretcher)))
  }
  if (ended.some(({ type }) => type === 'recovery') && !slots.some(({ type }) => type === 'recovery')) {
    const code = newCodeSecret(RECOVERY_CODE)
    slots.push(await makeSlot(into, { type: 'recovery', ...order }, { credential: code, amk }, stretcher))
    recoveryCode = encodeCode(RECOVERY_CODE, code)
    wipe(code)
  }
  const lost = ended.filter(({ type }) => type !== 'password' && type !== 'recovery')
  return { slots, ended: lost.length, recoveryCode }
}

/** Without escrow, what its holder was given goes too: a code that was made with the master key. */
function carriedSlots(all: readonly Keyslot[], into: Place, request: Rotation, amk: Bytes) {
  const drops = request.escrow === 'drop'
  const wanted = drops ? withoutEscrow(all).filter(({ scope }) => scope !== BY_ESCROW) : all
  const master = { certificate: request.master, now: request.created }
  const slots: Keyslot[] = []
  const ended: Keyslot[] = []
  for (const slot of wanted) {
    const carried = slot.type === 'escrow' ? carryEscrow(into, slot, master, amk) : carrySlot(into, slot, amk)
    if (carried) slots.push(carried)
    else ended.push(slot)
  }
  return { slots, ended }
}

/** What does not open must not take the place of what does. */
async function checkOpens(next: SlotTable, request: Rotation, stretcher: Stretcher): Promise<void> {
  const owner = await admitOwner(next, request, stretcher)
  if (owner.kind !== 'owner') throw new TableTampered('the carried slots do not open')
  wipe(owner.amk)
}

function retiredBy(
  { account, current, endToEnd }: SlotTable,
  { renews, keys, created }: Rotation,
  masters: MasterKeys,
  successor: string,
): Extract<AnswerOf<'rotate'>, { kind: 'rotated' }>['retired'] {
  const fingerprint = renews === 'key' ? current : renews === 'end-to-end' ? (endToEnd?.fingerprint ?? '') : ''
  const wish = { created, reason: SUPERSEDED, text: `superseded by ${successor}` } as const
  const revocation = revocationOf({ account, keys, masters }, fingerprint, wish)
  return revocation ? [{ fingerprint, revocation }] : []
}

interface Keys {
  readonly account: string
  readonly keys: readonly (LockedKey & { readonly generation: number })[]
  readonly masters: MasterKeys
}

/** null: the key is not among them, or the secret of its primary key is not. */
function revocationOf({ account, keys, masters }: Keys, fingerprint: string, wish: RevocationWish): Buffer | null {
  const key = keys.find(({ certificate }) => parseCertificate(certificate).fingerprint === fingerprint)
  const master = key && masters.at(key.generation)
  if (!master) return null
  using secret = openLockedKey({ account, generation: key.generation }, key, master)
  try {
    return Buffer.from(makeRevocation(secret, wish))
  } catch (error) {
    if (error instanceof CannotSign) return null
    throw error
  }
}

export async function revokeKey(request: RequestOf<'revokeKey'>, stretcher: Stretcher): Promise<AnswerOf<'revokeKey'>> {
  const table = tableOf(request.account, request.table)
  const owner = await admitOwner(table, request, stretcher)
  if (owner.kind !== 'owner') return owner
  using masters = masterKeys(table, owner.amk)
  const { account, keys, created, text } = request
  // 0 to 3 are those for keys; another number says nothing
  const reason = request.reason <= 3 ? (request.reason as 0 | 1 | 2 | 3) : 0
  const revocation = revocationOf({ account, keys, masters }, request.fingerprint, { created, reason, text })
  return revocation ? { kind: 'revoked', revocation } : { kind: 'unknown' }
}
