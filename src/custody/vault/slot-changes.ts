/** What changes a keyslot table: a new account, new passwords, recovery, reset. Each gives a whole new table to be stored. */

import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import {
  makeSlot,
  masterDigest,
  newMasterKey,
  openFirst,
  openTable,
  signTable,
  slotsOf,
  verifyTable,
} from './keyslots.ts'
import { lockKey } from './locked-key.ts'
import { checkNewPassword } from './password-rules.ts'
import type { AnswerOf, RequestOf } from './protocol/protocol.ts'
import {
  decodeTable,
  encodeTable,
  type Keyslot,
  MalformedTable,
  type ParkedSlots,
  SLOTS_MAX,
  type SlotTable,
  type UnsignedTable,
} from './protocol/slot-table.ts'
import { decodeRecoveryCode, encodeRecoveryCode, newRecoverySecret } from './recovery-code.ts'
import type { Stretcher } from './stretcher.ts'

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
  const { account, userId, algorithm, created } = request
  const parked: readonly ParkedSlots[] = old ? [...old.parked, old] : []
  checkRoom(
    parked.flatMap(({ slots }) => slots),
    2,
  )
  const place = { account, generation: (old?.generation ?? 0) + 1 }
  const sequence = (old?.sequence ?? 0) + 1
  const amk = newMasterKey()
  const code = newRecoverySecret()
  const { secret, certificate, revocation } = await generateKeys({ userId, algorithm, created: new Date(created) })
  try {
    const { fingerprint } = parseCertificate(certificate)
    const slots = [
      await makeSlot(place, { type: 'password', created, sequence }, { credential: request.password, amk }, stretcher),
      await makeSlot(place, { type: 'recovery', created, sequence }, { credential: code, amk }, stretcher),
    ]
    const table = { ...place, sequence, digest: masterDigest(amk), current: fingerprint, slots, parked }
    return {
      table: encodeTable(signTable(table, amk)),
      certificate,
      locked: lockKey(place, secret, certificate, amk),
      fingerprint,
      revocation: Buffer.from(revocation),
      recoveryCode: encodeRecoveryCode(code),
    }
  } finally {
    for (const used of [amk, code, secret]) wipe(used)
  }
}

function checkRoom(slots: readonly Keyslot[], wanted: number): void {
  if (slots.length + wanted > SLOTS_MAX) throw new SlotsFull('no keyslot is left')
}

const allSlots = ({ slots, parked }: UnsignedTable) => [...slots, ...parked.flatMap((group) => group.slots)]

export async function changePassword(
  request: RequestOf<'changePassword'>,
  stretcher: Stretcher,
): Promise<AnswerOf<'changePassword'>> {
  checkNewPassword(request.next)
  const table = tableOf(request.account, request.table)
  const amk = await openTable(table, request.old, stretcher)
  if (!amk) return { kind: 'wrong' }
  try {
    checkRoom(allSlots(table), 1)
    const order = { type: 'password' as const, created: request.created, sequence: table.sequence + 1 }
    const slot = await makeSlot(table, order, { credential: request.next, amk }, stretcher)
    return { kind: 'changed', table: nextTable(table, [...table.slots, slot], amk) }
  } finally {
    wipe(amk)
  }
}

export async function recover(request: RequestOf<'recover'>, stretcher: Stretcher): Promise<AnswerOf<'recover'>> {
  checkNewPassword(request.next)
  const table = tableOf(request.account, request.table)
  const code = decodeRecoveryCode(request.code)
  if (!code) return { kind: 'mistyped' }
  const amk = await openFirst(table, slotsOf(table.slots, 'recovery'), code, stretcher)
  wipe(code)
  if (!amk) return { kind: 'wrong' }
  const fresh = newRecoverySecret()
  try {
    verifyTable(table, amk)
    checkRoom(allSlots(table), 2)
    const order = { created: request.created, sequence: table.sequence + 1 }
    const slots = [
      await makeSlot(table, { type: 'password', ...order }, { credential: request.next, amk }, stretcher),
      await makeSlot(table, { type: 'recovery', ...order }, { credential: fresh, amk }, stretcher),
    ]
    const changed = nextTable(table, [...table.slots, ...slots], amk)
    return { kind: 'changed', table: changed, recoveryCode: encodeRecoveryCode(fresh) }
  } finally {
    wipe(amk)
    wipe(fresh)
  }
}

/** Only a password that opens the newest slot may drop the older ones. */
export async function settle(request: RequestOf<'settle'>, stretcher: Stretcher): Promise<AnswerOf<'settle'>> {
  const table = tableOf(request.account, request.table)
  const newest = new Set([slotsOf(table.slots, 'password')[0], slotsOf(table.slots, 'recovery')[0]])
  const slots = table.slots.filter((slot) => newest.has(slot) || (slot.type !== 'password' && slot.type !== 'recovery'))
  const amk = await openFirst(table, slotsOf(slots, 'password'), request.password, stretcher)
  if (!amk) return { kind: 'wrong' }
  try {
    verifyTable(table, amk)
    return { kind: 'changed', table: nextTable(table, slots, amk) }
  } finally {
    wipe(amk)
  }
}

/** The table after a change, signed and encoded. */
export function nextTable(table: SlotTable, slots: readonly Keyslot[], amk: Bytes, parked = table.parked): Buffer {
  return encodeTable(signTable({ ...table, sequence: table.sequence + 1, slots, parked }, amk))
}
