/**
 * The keyslot table of an account as it stands in its two files: one line of JSON and one line with its SHA-256, so that
 * damage by accident is noticed before anything is tried with it. Against tampering it has `mac`, made with the account's
 * master key over the line without it. Nothing in it is a secret; everything that could be one is wrapped.
 *
 *   account     whose it is
 *   sequence    grows by one with every change
 *   generation  of the master key (AMK); a reset begins a new one
 *   digest      tells a right AMK from a wrong one
 *   current     fingerprint of the certificate that mail is sealed to
 *   slots       locks around the AMK; `sequence` is the table's when the slot was made
 *   parked      slots of older generations, which open what was sealed before a reset
 */
import { hash } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'

export const SLOTS_MAX = 32
export const TABLE_OCTETS_MAX = 64 * 1024
const FORMAT = 'letterlock keyslots 1'

export type SlotType = 'password' | 'recovery' | 'app' | 'passkey' | 'escrow'
const SLOT_TYPES: readonly string[] = ['password', 'recovery', 'app', 'passkey', 'escrow'] satisfies SlotType[]

/** How a credential becomes a key: `hkdf` is for those with 128 random bits or more. */
export type SlotKdf =
  | { readonly kind: 'argon2id'; readonly memory: number; readonly passes: number; readonly salt: Bytes }
  | { readonly kind: 'hkdf'; readonly salt: Bytes }

export interface Keyslot {
  readonly id: string
  readonly type: SlotType
  /** What the credential may be used for; empty for everything. */
  readonly scope: string
  /** Milliseconds since the epoch. */
  readonly created: number
  readonly sequence: number
  readonly kdf: SlotKdf
  readonly verifier: Bytes
  /** The AMK under the slot's key. */
  readonly wrapped: Bytes
}

export interface ParkedSlots {
  readonly generation: number
  readonly digest: Bytes
  readonly slots: readonly Keyslot[]
}

export interface UnsignedTable {
  readonly account: string
  readonly sequence: number
  readonly generation: number
  readonly digest: Bytes
  readonly current: string
  readonly slots: readonly Keyslot[]
  readonly parked: readonly ParkedSlots[]
}

export interface SlotTable extends UnsignedTable {
  readonly mac: Bytes
}

/** The octets are not a keyslot table. */
export class MalformedTable extends Error {
  override readonly name = 'MalformedTable'
}

const base64 = (octets: Bytes) => Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('base64')

function slotLine({ id, type, scope, created, sequence, kdf, verifier, wrapped }: Keyslot): object {
  return {
    id,
    type,
    scope,
    created,
    sequence,
    kdf: kdfLine(kdf),
    verifier: base64(verifier),
    wrapped: base64(wrapped),
  }
}

function kdfLine(kdf: SlotKdf): object {
  const salt = base64(kdf.salt)
  if (kdf.kind === 'hkdf') return { kind: 'hkdf', salt }
  return { kind: 'argon2id', memory: kdf.memory, passes: kdf.passes, parallelism: 1, salt }
}

/** The canonical text of the derivation parameters, bound to what they protect. */
export const kdfText = (kdf: SlotKdf): string => JSON.stringify(kdfLine(kdf))

/** What the MAC is made over: the same table always gives the same octets. */
export function tableText(table: UnsignedTable): string {
  return JSON.stringify({
    format: FORMAT,
    account: table.account,
    sequence: table.sequence,
    generation: table.generation,
    digest: base64(table.digest),
    current: table.current,
    slots: table.slots.map(slotLine),
    parked: table.parked.map(({ generation, digest, slots }) => ({
      generation,
      digest: base64(digest),
      slots: slots.map(slotLine),
    })),
  })
}

export function encodeTable(table: SlotTable): Buffer {
  const line = JSON.stringify({ ...JSON.parse(tableText(table)), mac: base64(table.mac) })
  return Buffer.from(`${line}\n${hash('sha256', line)}\n`)
}

/** Throws MalformedTable for damage and for shapes beyond what we write; the MAC is the vault's to check. */
export function decodeTable(octets: Bytes): SlotTable {
  if (octets.byteLength > TABLE_OCTETS_MAX) throw new MalformedTable('too long')
  const [line = '', checksum, rest] = Buffer.from(octets).toString('latin1').split('\n')
  if (rest !== '' || checksum !== hash('sha256', Buffer.from(line, 'latin1'))) throw new MalformedTable('damaged')
  const table = tableIn(objectOf(parsed(line)))
  if (table.slots.length + table.parked.reduce((sum, { slots }) => sum + slots.length, 0) > SLOTS_MAX) {
    throw new MalformedTable('too many slots')
  }
  return table
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw new MalformedTable('not JSON')
  }
}

type Fields = Readonly<Record<string, unknown>>

function tableIn(fields: Fields): SlotTable {
  if (fields['format'] !== FORMAT) throw new MalformedTable(`not ${FORMAT}; a newer Letterlock may have written it`)
  return {
    account: word(fields['account'], 64),
    sequence: count(fields['sequence']),
    generation: count(fields['generation']),
    digest: octetsIn(fields['digest'], 32),
    current: word(fields['current'], 64),
    slots: listIn(fields['slots']).map(slotIn),
    parked: listIn(fields['parked']).map((one) => {
      const group = objectOf(one)
      return {
        generation: count(group['generation']),
        digest: octetsIn(group['digest'], 32),
        slots: listIn(group['slots']).map(slotIn),
      }
    }),
    mac: octetsIn(fields['mac'], 32),
  }
}

function slotIn(value: unknown): Keyslot {
  const fields = objectOf(value)
  const type = word(fields['type'], 16)
  if (!SLOT_TYPES.includes(type)) throw new MalformedTable('an unknown type of slot')
  return {
    id: word(fields['id'], 64),
    type: type as SlotType,
    scope: word(fields['scope'], 64, 0),
    created: count(fields['created']),
    sequence: count(fields['sequence']),
    kdf: kdfIn(objectOf(fields['kdf'])),
    verifier: octetsIn(fields['verifier'], 32),
    wrapped: octetsIn(fields['wrapped'], 60),
  }
}

/** Caps what a changed file could make the vault spend: 256 MiB and 16 passes. */
function kdfIn(fields: Fields): SlotKdf {
  const salt = octetsIn(fields['salt'], 16)
  if (fields['kind'] === 'hkdf') return { kind: 'hkdf', salt }
  const memory = count(fields['memory'])
  const passes = count(fields['passes'])
  const known = fields['kind'] === 'argon2id' && fields['parallelism'] === 1
  if (!known || memory < 8 || memory > 1 << 18 || passes < 1 || passes > 16) throw new MalformedTable('bad derivation')
  return { kind: 'argon2id', memory, passes, salt }
}

function objectOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new MalformedTable('not an object')
  return value as Fields
}

function listIn(value: unknown): readonly unknown[] {
  if (!Array.isArray(value) || value.length > SLOTS_MAX) throw new MalformedTable('not a short list')
  return value
}

function word(value: unknown, max: number, min = 1): string {
  if (typeof value !== 'string' || value.length < min || value.length > max || !/^[\w.:-]*$/.test(value)) {
    throw new MalformedTable('not a word')
  }
  return value
}

function count(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new MalformedTable('not a count')
  return value
}

function octetsIn(value: unknown, length: number): Buffer {
  const octets = typeof value === 'string' ? Buffer.from(value, 'base64') : Buffer.alloc(0)
  if (octets.length !== length || octets.toString('base64') !== value) throw new MalformedTable('not base64')
  return octets
}
