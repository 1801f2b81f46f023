/**
 * Keyslots: locks around an account's master key (AMK). One stretch of the credential gives both the login verifier and the
 * key that unwraps, so a right password proves itself and opens in one Argon2 run.
 */
import { randomBytes } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'
import { openOctets, SealBroken, sealOctets } from './aead.ts'
import { equal, KEY_OCTETS, label, mac, sha256, subkey, withKey } from './key-derivation.ts'
import {
  type Keyslot,
  kdfText,
  type SlotKdf,
  type SlotTable,
  type SlotType,
  tableText,
  type UnsignedTable,
} from './protocol/slot-table.ts'
import type { Stretcher } from './stretcher.ts'

/** Where a slot or a key stands; bound into everything derived for it. */
export interface Place {
  readonly account: string
  readonly generation: number
}

type SlotFacts = Omit<Keyslot, 'verifier' | 'wrapped'>

/** The table says that the credential is right and then does not open, or its MAC is wrong: somebody changed it. */
export class TableTampered extends Error {
  override readonly name = 'TableTampered'
}

export const newMasterKey = (): Buffer => randomBytes(KEY_OCTETS)
export const tskKey = (amk: Bytes): Buffer => subkey(amk, label('tsk'))
export const indexKey = (amk: Bytes): Buffer => subkey(amk, label('index'))
export const masterDigest = (amk: Bytes): Buffer => subkey(amk, label('digest'))

const SALT_OCTETS = 16

/** How a new slot of this type stretches its credential. */
function newKdf(type: SlotType, { cost }: Stretcher): SlotKdf {
  const salt = randomBytes(SALT_OCTETS)
  return type === 'recovery' ? { kind: 'hkdf', salt } : { kind: 'argon2id', ...cost, salt }
}

function keysOf(stretched: Bytes, { account, generation }: Place, id: string): { verifier: Buffer; kek: Buffer } {
  const verifier = withKey(subkey(stretched, label('auth', account, id, generation)), sha256)
  return { verifier, kek: subkey(stretched, label('kek', account, id, generation)) }
}

function wrapContext({ account, generation }: Place, slot: SlotFacts): Buffer {
  const { id, type, scope, kdf, sequence } = slot
  return label('letterlock keyslot 1', account, id, type, scope, kdfText(kdf), generation, sequence)
}

/** What a new slot says of itself. */
export interface SlotOrder {
  readonly type: SlotType
  /** Milliseconds since the epoch. */
  readonly created: number
  /** The table's when the slot is in it. */
  readonly sequence: number
}

/** Wraps the AMK in a new slot. Throws Busy. */
export async function makeSlot(
  place: Place,
  order: SlotOrder,
  { credential, amk }: { credential: Bytes; amk: Bytes },
  stretcher: Stretcher,
): Promise<Keyslot> {
  const facts = { id: randomBytes(8).toString('hex'), scope: '', kdf: newKdf(order.type, stretcher), ...order }
  const stretched = await stretcher.stretch(credential, facts.kdf)
  const { verifier, kek } = withKey(stretched, (key) => keysOf(key, place, facts.id))
  return withKey(kek, (key) => ({ ...facts, verifier, wrapped: sealOctets(key, amk, wrapContext(place, facts)) }))
}

/** The AMK, to be wiped by the caller; null when the credential is not the slot's. Throws TableTampered, Busy. */
export async function openSlot(
  place: Place,
  slot: Keyslot,
  credential: Bytes,
  stretcher: Stretcher,
): Promise<Buffer | null> {
  const stretched = await stretcher.stretch(credential, slot.kdf)
  const { verifier, kek } = withKey(stretched, (key) => keysOf(key, place, slot.id))
  return withKey(kek, (key) => {
    if (!equal(verifier, slot.verifier)) return null
    try {
      return openOctets(key, slot.wrapped, wrapContext(place, slot))
    } catch (error) {
      if (error instanceof SealBroken) throw new TableTampered('a keyslot was changed')
      throw error
    }
  })
}

/** The slots of one type, newest first: after an interrupted change there are two. */
export function slotsOf(slots: readonly Keyslot[], type: SlotType): readonly Keyslot[] {
  return slots.filter((slot) => slot.type === type).sort((a, b) => b.sequence - a.sequence)
}

/** The first of the slots that opens, as openSlot does. */
export async function openFirst(
  place: Place,
  slots: readonly Keyslot[],
  credential: Bytes,
  stretcher: Stretcher,
): Promise<Buffer | null> {
  for (const slot of slots) {
    const amk = await openSlot(place, slot, credential, stretcher)
    if (amk) return amk
  }
  return null
}

const DECOY: Place = { account: '', generation: 0 }
const decoySlot = (stretcher: Stretcher): Keyslot => ({
  id: '',
  type: 'password',
  scope: '',
  created: 0,
  sequence: 0,
  kdf: newKdf('password', stretcher),
  verifier: randomBytes(KEY_OCTETS),
  wrapped: Buffer.alloc(0),
})

/**
 * The AMK that the password opens, with the table's MAC verified. null: wrong password, or no table, after the same work.
 * Throws TableTampered, Busy.
 */
export async function openTable(
  table: SlotTable | null,
  password: Bytes,
  stretcher: Stretcher,
): Promise<Buffer | null> {
  const slots = table ? slotsOf(table.slots, 'password') : []
  if (!table || slots.length === 0) return openFirst(DECOY, [decoySlot(stretcher)], password, stretcher)
  const amk = await openFirst(table, slots, password, stretcher)
  if (amk) verifyTable(table, amk)
  return amk
}

const tableMac = (table: UnsignedTable, amk: Bytes) =>
  withKey(subkey(amk, label('table')), (key) => mac(key, tableText(table)))

export const signTable = (table: UnsignedTable, amk: Bytes): SlotTable => ({ ...table, mac: tableMac(table, amk) })

/** Throws TableTampered unless the table was written by somebody who had this AMK. */
export function verifyTable(table: SlotTable, amk: Bytes): void {
  if (!equal(masterDigest(amk), table.digest) || !equal(tableMac(table, amk), table.mac)) {
    throw new TableTampered('the keyslot table was changed')
  }
}
