/**
 * Keyslots: locks around an account's master key (AMK). One stretch of the credential gives both the login verifier and the
 * key that unwraps, so a right password proves itself and opens in one Argon2 run.
 */
import { randomBytes } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'
import { openOctets, SealBroken } from './aead.ts'
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
import { carryScramLock, makeScramLock, type ScramOrder } from './scram-lock.ts'
import { slotPublicKey, unwrapWith, wrapFor } from './slot-lock.ts'
import type { Stretcher } from './stretcher.ts'

/** Where a slot or a key stands; bound into everything derived for it. */
export interface Place {
  readonly account: string
  readonly generation: number
}

type SlotFacts = Omit<Keyslot, 'verifier' | 'wrapped' | 'scram'>

/** The table says that the credential is right and then does not open, or its MAC is wrong: somebody changed it. */
export class TableTampered extends Error {
  override readonly name = 'TableTampered'
}

export const newMasterKey = (): Buffer => randomBytes(KEY_OCTETS)
export const tskKey = (amk: Bytes): Buffer => subkey(amk, label('tsk'))
export const indexKeyOf = (amk: Bytes): Buffer => subkey(amk, label('index'))
export const masterDigest = (amk: Bytes): Buffer => subkey(amk, label('digest'))

const SALT_OCTETS = 16
const NONE = Buffer.alloc(0)

/** Codes of ours have 128 random bits or more; what people think up is stretched. */
function newKdf(type: SlotType, { cost }: Stretcher): SlotKdf {
  const salt = randomBytes(SALT_OCTETS)
  return type === 'recovery' || type === 'app' ? { kind: 'hkdf', salt } : { kind: 'argon2id', ...cost, salt }
}

const verifierOf = (stretched: Bytes, { account, born, id }: SlotPlace): Buffer =>
  withKey(subkey(stretched, label('auth', account, id, born)), sha256)

interface SlotPlace {
  readonly account: string
  readonly born: number
  readonly id: string
}

function wrapContext({ account, generation }: Place, slot: SlotFacts): Buffer {
  const { id, type, scope, label: name, kdf, sequence, born, expires, publicKey } = slot
  // As tables were written before slots had a public half
  if (publicKey.byteLength === 0)
    return label('letterlock keyslot 1', account, id, type, scope, kdfText(kdf), generation, sequence)
  const limits = [scope, name, expires ?? '', born]
  return label('letterlock keyslot 2', account, id, type, ...limits, kdfText(kdf), publicKey, generation, sequence)
}

/** What a new slot says of itself. */
export interface SlotOrder {
  readonly type: SlotType
  /** Milliseconds since the epoch. */
  readonly created: number
  /** The table's when the slot is in it. */
  readonly sequence: number
  readonly scope?: string
  readonly label?: string
  readonly expires?: number | null
}

export interface NewLock {
  readonly credential: Bytes
  /** null: the slot proves who somebody is and opens nothing. */
  readonly amk: Bytes | null
  /** For a second lock. */
  readonly scram?: ScramOrder
}

/** A new slot for the credential. Throws Busy. */
export async function makeSlot(
  place: Place,
  order: SlotOrder,
  { credential, amk, scram }: NewLock,
  stretcher: Stretcher,
): Promise<Keyslot> {
  const { type, created, sequence, scope = '', label: name = '', expires = null } = order
  const id = randomBytes(8).toString('hex')
  const at = { account: place.account, born: place.generation, id }
  const kdf = newKdf(type, stretcher)
  const stretched = await stretcher.stretch(credential, kdf)
  return withKey(stretched, (key) => {
    const verifier = verifierOf(key, at)
    const publicKey = amk ? withKey(seedOf(key, at), slotPublicKey) : NONE
    const facts = { id, type, scope, label: name, created, expires, sequence, born: at.born, kdf, publicKey }
    const wrapped = amk ? wrapFor(publicKey, amk, wrapContext(place, facts)) : NONE
    return { ...facts, verifier, wrapped, scram: scram ? makeScramLock(place, facts, scram, amk) : null }
  })
}

const seedOf = (stretched: Bytes, { account, born, id }: SlotPlace): Buffer =>
  subkey(stretched, label('slot', account, id, born))

/** What a credential does at a slot: nothing, proves itself, or opens. */
export type SlotOpened = { readonly kind: 'wrong' } | { readonly kind: 'proved' } | OpenedWith

export interface OpenedWith {
  readonly kind: 'opened'
  /** To be wiped by the caller. */
  readonly amk: Buffer
}

const WRONG = { kind: 'wrong' } as const

/** Throws TableTampered, Busy. */
export async function trySlot(
  place: Place,
  slot: Keyslot,
  credential: Bytes,
  stretcher: Stretcher,
): Promise<SlotOpened> {
  if (slot.kdf.kind === 'openpgp') return WRONG
  const at = { account: place.account, born: slot.born, id: slot.id }
  const stretched = await stretcher.stretch(credential, slot.kdf)
  return withKey(stretched, (key) => {
    if (!withKey(verifierOf(key, at), (verifier) => equal(verifier, slot.verifier))) return WRONG
    if (slot.wrapped.byteLength === 0) return { kind: 'proved' }
    try {
      return { kind: 'opened', amk: unwrapSlot(key, place, slot) }
    } catch (error) {
      if (error instanceof SealBroken) throw new TableTampered('a keyslot was changed')
      throw error
    }
  })
}

function unwrapSlot(stretched: Bytes, place: Place, slot: Keyslot): Buffer {
  const at = { account: place.account, born: slot.born, id: slot.id }
  const context = wrapContext(place, slot)
  if (slot.publicKey.byteLength > 0)
    return withKey(seedOf(stretched, at), (seed) => unwrapWith(seed, slot.wrapped, context))
  const kek = subkey(stretched, label('kek', place.account, slot.id, place.generation))
  return withKey(kek, (key) => openOctets(key, slot.wrapped, context))
}

/**
 * The slot around the AMK of another generation, made without its credential. null for one that cannot be carried: of an old
 * table, or sealed to a certificate. The slot's table must have been verified: its public half is believed.
 */
export function carrySlot(into: Place, slot: Keyslot, amk: Bytes): Keyslot | null {
  if (slot.wrapped.byteLength === 0) return slot
  if (slot.publicKey.byteLength === 0) return null
  const wrapped = wrapFor(slot.publicKey, amk, wrapContext(into, slot))
  return { ...slot, wrapped, scram: carryScramLock(into, slot, amk) }
}

/** The slots of one type, newest first: after an interrupted change there are two. */
export function slotsOf(slots: readonly Keyslot[], ...types: readonly SlotType[]): readonly Keyslot[] {
  return slots.filter((slot) => types.includes(slot.type)).sort((a, b) => b.sequence - a.sequence)
}

/** The AMK by the first of the slots that opens; null when none does. Throws TableTampered, Busy. */
export async function openFirst(
  place: Place,
  slots: readonly Keyslot[],
  credential: Bytes,
  stretcher: Stretcher,
): Promise<Buffer | null> {
  for (const slot of slots) {
    const found = await trySlot(place, slot, credential, stretcher)
    if (found.kind === 'opened') return found.amk
  }
  return null
}

/** The work of a wrong password, for an account that is not there. Throws Busy. */
export async function tryDecoy(credential: Bytes, stretcher: Stretcher): Promise<void> {
  const stretched = await stretcher.stretch(credential, newKdf('password', stretcher))
  withKey(stretched, (key) => verifierOf(key, { account: '', born: 0, id: '' }))
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
