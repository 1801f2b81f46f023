/** What changes a keyslot table: a new account, new passwords, recovery, reset. Each gives a whole new table to be stored. */

import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { makeTransferableKey } from '#formats/openpgp/generate.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { admitOwner, ownerSlots } from './credentials.ts'
import {
  makeSlot,
  masterDigest,
  newMasterKey,
  openFirst,
  type Place,
  signTable,
  slotsOf,
  verifyTable,
} from './keyslots.ts'
import { lockKey } from './locked-key.ts'
import { checkNewPassword } from './password-rules.ts'
import type { AnswerOf, RequestOf } from './protocol/protocol.ts'
import {
  BY_ESCROW,
  decodeTable,
  encodeTable,
  GENERATIONS_MAX,
  type Keyslot,
  type ParkedSlots,
  SLOTS_MAX,
  type SlotTable,
  type UnsignedTable,
} from './protocol/slot-table.ts'
import { MalformedTable } from './protocol/table-fields.ts'
import type { Stretcher } from './stretcher.ts'
import { decodeCode, encodeCode, newCodeSecret, RECOVERY_CODE } from './typed-code.ts'

/** No slot is left for another credential. */
export class SlotsFull extends Error {
  override readonly name = 'SlotsFull'
}

/** The table of this account. Throws MalformedTable, also for the table of another one. */
export function tableOf(account: string, octets: Bytes): SlotTable {
  const table = decodeTable(octets)
  if (table.account !== account) throw new MalformedTable('the table of another account')
  return table
}

const NONE = Buffer.alloc(0)
export const NO_KEY = { certificate: NONE, locked: NONE, fingerprint: '', revocation: NONE }

export async function createKeys(request: RequestOf<'create'>, stretcher: Stretcher): Promise<AnswerOf<'create'>> {
  return foundAccount(request, null, stretcher)
}

export async function resetKeys(request: RequestOf<'reset'>, stretcher: Stretcher): Promise<AnswerOf<'reset'>> {
  return foundAccount(request, tableOf(request.account, request.table), stretcher)
}

/** Everything that is new with an account, or with an account whose credentials are all lost. */
async function foundAccount(
  request: RequestOf<'create'>,
  old: SlotTable | null,
  stretcher: Stretcher,
): Promise<AnswerOf<'create'>> {
  checkNewPassword(request.password)
  const { account, password, created } = request
  const parked: readonly ParkedSlots[] = old ? [...old.parked, old] : []
  checkRoom(
    parked.flatMap(({ slots }) => slots),
    2,
  )
  checkGenerations(parked, 1)
  const place = { account, generation: (old?.generation ?? 0) + 1 }
  const sequence = (old?.sequence ?? 0) + 1
  const amk = newMasterKey()
  const code = newCodeSecret(RECOVERY_CODE)
  try {
    const wish = { ...request, userIds: [request.userId] }
    const key = request.withKey === 'yes' ? await makeLockedKey(place, wish, amk) : NO_KEY
    const credential = { password, passphrase: NONE }
    const slots = [
      ...(await ownerSlots(place, { created, sequence }, { credential, amk }, stretcher)),
      await makeSlot(place, { type: 'recovery', created, sequence }, { credential: code, amk }, stretcher),
    ]
    const table: UnsignedTable = {
      ...place,
      sequence,
      digest: masterDigest(amk),
      current: key.fingerprint,
      // What only a device opens stays so; a held key is parked with its AMK.
      endToEnd: old?.endToEnd?.custody === 'device' ? old.endToEnd : null,
      slots,
      earlier: [],
      parked,
      openings: old?.openings ?? [],
    }
    return { table: encodeTable(signTable(table, amk)), ...key, recoveryCode: encodeCode(RECOVERY_CODE, code) }
  } finally {
    for (const used of [amk, code]) wipe(used)
  }
}

type KeyWish = Pick<RequestOf<'rotate'>, 'algorithm' | 'created' | 'userIds'>

/** A new key pair, locked under this AMK. */
export async function makeLockedKey(place: Place, { userIds, algorithm, created }: KeyWish, amk: Bytes) {
  const wish = { userIds, algorithm, created: new Date(created), encrypts: true }
  const { secret, certificate, revocation } = await makeTransferableKey(wish)
  try {
    const { fingerprint } = parseCertificate(certificate)
    const locked = lockKey(place, secret, certificate, amk)
    return { certificate, locked, fingerprint, revocation: Buffer.from(revocation) }
  } finally {
    wipe(secret)
  }
}

/** Throws SlotsFull. */
export function checkRoom(slots: readonly Keyslot[], wanted: number): void {
  if (slots.length + wanted > SLOTS_MAX) throw new SlotsFull('no keyslot is left')
}

/** Throws SlotsFull. */
export function checkGenerations(groups: readonly { readonly earlier: readonly unknown[] }[], wanted: number): void {
  const known = groups.reduce((sum, { earlier }) => sum + 1 + earlier.length, 0)
  if (known + wanted > GENERATIONS_MAX) throw new SlotsFull('no generation is left')
}

/** Those of parked generations too. */
export const allSlots = ({ slots, parked }: UnsignedTable): readonly Keyslot[] => [
  ...slots,
  ...parked.flatMap((group) => group.slots),
]

export async function changePassword(
  request: RequestOf<'changePassword'>,
  stretcher: Stretcher,
): Promise<AnswerOf<'changePassword'>> {
  checkNewPassword(request.next)
  const table = tableOf(request.account, request.table)
  const owner = await admitOwner(table, request, stretcher)
  if (owner.kind !== 'owner') return owner
  const { amk } = owner
  try {
    checkRoom(allSlots(table), 2)
    const order = { created: request.created, sequence: table.sequence + 1 }
    const credential = { password: request.next, passphrase: hasPassphrase(table) ? request.passphrase : NONE }
    const slots = await ownerSlots(table, order, { credential, amk }, stretcher)
    return { kind: 'changed', table: nextTable(table, { slots: [...table.slots, ...slots] }, amk) }
  } finally {
    wipe(amk)
  }
}

/** An interrupted change leaves slots of the credential before: the newest say what the account wants. */
const hasPassphrase = ({ slots }: UnsignedTable): boolean =>
  newestOwnerSlots(slots).some(({ type }) => type === 'passphrase')

export async function recover(request: RequestOf<'recover'>, stretcher: Stretcher): Promise<AnswerOf<'recover'>> {
  checkNewPassword(request.next)
  const table = tableOf(request.account, request.table)
  const code = decodeCode(RECOVERY_CODE, request.code)
  if (!code) return { kind: 'mistyped' }
  const amk = await openFirst(table, slotsOf(table.slots, 'recovery'), code, stretcher)
  wipe(code)
  if (!amk) return { kind: 'wrong' }
  const fresh = newCodeSecret(RECOVERY_CODE)
  try {
    verifyTable(table, amk)
    checkRoom(allSlots(table), 2)
    const order = { created: request.created, sequence: table.sequence + 1 }
    const credential = { password: request.next, passphrase: NONE }
    const slots = [
      ...(await ownerSlots(table, order, { credential, amk }, stretcher)),
      await makeSlot(table, { type: 'recovery', ...order }, { credential: fresh, amk }, stretcher),
    ]
    const changed = nextTable(table, { slots: [...table.slots, ...slots] }, amk)
    return { kind: 'changed', table: changed, recoveryCode: encodeCode(RECOVERY_CODE, fresh) }
  } finally {
    wipe(amk)
    wipe(fresh)
  }
}

/** Only a credential that opens the newest slots may drop the older ones. */
export async function settle(request: RequestOf<'settle'>, stretcher: Stretcher): Promise<AnswerOf<'settle'>> {
  const table = tableOf(request.account, request.table)
  const slots = newestOwnerSlots(table.slots)
  const owner = await admitOwner(table, request, stretcher, slots)
  if (owner.kind !== 'owner') return owner
  try {
    return { kind: 'changed', table: nextTable(table, { slots }, owner.amk) }
  } finally {
    wipe(owner.amk)
  }
}

/** Without password, passphrase and recovery slots that a newer one has taken over from. */
export function newestOwnerSlots(slots: readonly Keyslot[]): readonly Keyslot[] {
  const password = slotsOf(slots, 'password')[0]
  const recovery = slotsOf(slots, 'recovery').find(({ scope }) => scope !== BY_ESCROW)
  return slots.filter(({ type, scope, sequence }) => {
    if (type === 'password' || type === 'passphrase') return sequence === password?.sequence
    // a code that the master key made ends when the owner has a newer password
    if (type === 'recovery' && scope === BY_ESCROW) return sequence > (password?.sequence ?? 0)
    return type !== 'recovery' || sequence === recovery?.sequence
  })
}

/** The table after a change, signed and encoded. */
export function nextTable(table: SlotTable, change: Partial<UnsignedTable>, amk: Bytes): Buffer {
  return encodeTable(signTable({ ...table, ...change, sequence: table.sequence + 1 }, amk))
}
