/**
 * The keyslot table of an account as it stands in its two files: one line of JSON and one line with its SHA-256, so that
 * damage by accident is noticed before anything is tried with it. Against tampering it has `mac`, made with the account's
 * master key over the line without it. Nothing in it is a secret; everything that could be one is wrapped.
 *
 *   account     whose it is
 *   sequence    grows by one with every change
 *   generation  of the master key (AMK); a reset or a rotation begins a new one
 *   digest      tells a right AMK from a wrong one
 *   current     fingerprint of the certificate that mail is sealed to at rest; empty for an account that has no key yet
 *   endToEnd    the certificate that others write to, when it is another one
 *   slots       locks around the AMK; `sequence` is the table's when the slot was made
 *   earlier     older AMKs under the present one: what they locked stays as it is and opens with the account
 *   parked      slots of older generations that nothing here opens: what was sealed before a reset
 *   openings    every use that was made of an escrow slot
 *
 * Fields that are empty are left out, so that tables written before they were known keep their MAC.
 */
import { hash } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'
import {
  count,
  type Fields,
  listIn,
  MalformedTable,
  objectOf,
  octetsIn,
  octetsUpTo,
  printable,
  word,
} from './table-fields.ts'

/** Of all generations together: a password on each device of many years. */
export const SLOTS_MAX = 256
export const TABLE_OCTETS_MAX = 512 * 1024
/** Parked ones and those that the present AMK opens. */
export const GENERATIONS_MAX = 60
export const OPENINGS_MAX = 64
export const LABEL_MAX = 64
export const TICKET_MAX = 500
export const SCRAM_SALT_OCTETS = 16
/** The least that RFC 7677 §4 allows: what is stretched has 160 random bits. */
export const SCRAM_ITERATIONS = 4096
/** The scope of a recovery slot that the master key made: it does not take the place of the owner's own recovery code. */
export const BY_ESCROW = 'escrow'
const FORMAT = 'letterlock keyslots 1'

export type SlotType = 'password' | 'passphrase' | 'recovery' | 'app' | 'passkey' | 'escrow'
const SLOT_TYPES: readonly string[] = [
  'password',
  'passphrase',
  'recovery',
  'app',
  'passkey',
  'escrow',
] satisfies SlotType[]

/**
 * How a credential becomes a key: `hkdf` is for those with 128 random bits or more; `openpgp` is no derivation, the AMK is
 * sealed to a certificate.
 */
export type SlotKdf =
  | { readonly kind: 'argon2id'; readonly memory: number; readonly passes: number; readonly salt: Bytes }
  | { readonly kind: 'hkdf'; readonly salt: Bytes }
  | { readonly kind: 'openpgp'; readonly fingerprint: string }

/** What a SCRAM-SHA-256 exchange (RFC 5802, RFC 7677) is based on; the same for all slots of an account. */
export interface ScramTerms {
  readonly salt: Bytes
  readonly iterations: number
}

/** A second lock of an app password: it opens to the ClientKey that comes out of an exchange whose client knows the password. */
export interface ScramLock extends ScramTerms {
  readonly storedKey: Bytes
  readonly serverKey: Bytes
  /** X25519, its secret half derived from the ClientKey; empty in a slot that wraps nothing. */
  readonly publicKey: Bytes
  /** The AMK under the lock's key, or empty. */
  readonly wrapped: Bytes
}

export interface Keyslot {
  readonly id: string
  readonly type: SlotType
  /** What the credential may be used for, as words with commas between them; empty for everything. */
  readonly scope: string
  /** Its owner's name for it; empty for none. */
  readonly label: string
  /** Milliseconds since the epoch. */
  readonly created: number
  /** Milliseconds since the epoch; null for never. */
  readonly expires: number | null
  readonly sequence: number
  /** The generation in which it was made: its derivations are bound to it, and it is carried into later ones. */
  readonly born: number
  readonly kdf: SlotKdf
  /** Empty where nothing is derived (escrow). */
  readonly verifier: Bytes
  /** X25519, its secret half derived from the credential: the AMK is wrapped to it. Empty in the slots of old tables, and in those that wrap nothing. */
  readonly publicKey: Bytes
  /** The AMK under the slot's key. Empty: the credential proves who it is and opens nothing. */
  readonly wrapped: Bytes
  /** null for what is no app password, and for app passwords of old tables. */
  readonly scram: ScramLock | null
}

/** An older AMK, under the one of the table or of the group that it stands in. */
export interface EarlierKey {
  readonly generation: number
  readonly digest: Bytes
  readonly wrapped: Bytes
}

export interface ParkedSlots {
  readonly generation: number
  readonly digest: Bytes
  readonly slots: readonly Keyslot[]
  readonly earlier: readonly EarlierKey[]
}

/** The certificate that others write to, when it is not the one that mail rests under. */
export interface EndToEnd {
  readonly fingerprint: string
  /** `device`: the server has the certificate only; it is bound by its SHA-256. */
  readonly custody: 'held' | 'device'
  readonly certificateHash: Bytes
}

/** A use of an escrow slot, told by whoever had the master key when the slot for the recovery was made. */
export interface EscrowOpening {
  /** Milliseconds since the epoch, by the clock of the machine that did it. */
  readonly at: number
  readonly ticket: string
  /** Fingerprint of the master certificate. */
  readonly master: string
}

export interface UnsignedTable {
  readonly account: string
  readonly sequence: number
  readonly generation: number
  readonly digest: Bytes
  readonly current: string
  readonly endToEnd: EndToEnd | null
  readonly slots: readonly Keyslot[]
  readonly earlier: readonly EarlierKey[]
  readonly parked: readonly ParkedSlots[]
  readonly openings: readonly EscrowOpening[]
}

export interface SlotTable extends UnsignedTable {
  readonly mac: Bytes
}

const base64 = (octets: Bytes) => Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('base64')

function slotLine(slot: Keyslot, generation: number): object {
  const { id, type, scope, label, created, expires, sequence, born, kdf, verifier, publicKey, wrapped, scram } = slot
  return {
    id,
    type,
    scope,
    ...(label === '' ? {} : { label }),
    created,
    ...(expires === null ? {} : { expires }),
    sequence,
    ...(born === generation ? {} : { born }),
    kdf: kdfLine(kdf),
    verifier: base64(verifier),
    ...(publicKey.byteLength === 0 ? {} : { publicKey: base64(publicKey) }),
    wrapped: base64(wrapped),
    ...(scram ? { scram: scramLine(scram) } : {}),
  }
}

const scramLine = ({ salt, iterations, storedKey, serverKey, publicKey, wrapped }: ScramLock) => ({
  salt: base64(salt),
  iterations,
  storedKey: base64(storedKey),
  serverKey: base64(serverKey),
  publicKey: base64(publicKey),
  wrapped: base64(wrapped),
})

function kdfLine(kdf: SlotKdf): object {
  if (kdf.kind === 'openpgp') return { kind: 'openpgp', fingerprint: kdf.fingerprint }
  const salt = base64(kdf.salt)
  if (kdf.kind === 'hkdf') return { kind: 'hkdf', salt }
  return { kind: 'argon2id', memory: kdf.memory, passes: kdf.passes, parallelism: 1, salt }
}

const earlierLine = ({ generation, digest, wrapped }: EarlierKey) => ({
  generation,
  digest: base64(digest),
  wrapped: base64(wrapped),
})

const endToEndLine = ({ fingerprint, custody, certificateHash }: EndToEnd) => ({
  fingerprint,
  custody,
  certificateHash: base64(certificateHash),
})

const ifAny = <T>(name: string, list: readonly T[], line: (one: T) => object): object =>
  list.length === 0 ? {} : { [name]: list.map(line) }

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
    ...(table.endToEnd ? { endToEnd: endToEndLine(table.endToEnd) } : {}),
    slots: table.slots.map((slot) => slotLine(slot, table.generation)),
    ...ifAny('earlier', table.earlier, earlierLine),
    parked: table.parked.map(({ generation, digest, slots, earlier }) => ({
      generation,
      digest: base64(digest),
      slots: slots.map((slot) => slotLine(slot, generation)),
      ...ifAny('earlier', earlier, earlierLine),
    })),
    ...ifAny('openings', table.openings, ({ at, ticket, master }) => ({ at, ticket, master })),
  })
}

export function encodeTable(table: SlotTable): Buffer {
  const line = JSON.stringify({ ...JSON.parse(tableText(table)), mac: base64(table.mac) })
  return Buffer.from(`${line}\n${hash('sha256', line)}\n`)
}

/** Throws MalformedTable for damage and for shapes beyond what we write; the MAC is the vault's to check. */
export function decodeTable(octets: Bytes): SlotTable {
  if (octets.byteLength > TABLE_OCTETS_MAX) throw new MalformedTable('too long')
  const [line = '', checksum, rest] = Buffer.from(octets).toString('utf8').split('\n')
  if (rest !== '' || checksum !== hash('sha256', line)) throw new MalformedTable('damaged')
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

function tableIn(fields: Fields): SlotTable {
  if (fields['format'] !== FORMAT) throw new MalformedTable(`not ${FORMAT}; a newer Letterlock may have written it`)
  const generation = count(fields['generation'])
  return {
    account: word(fields['account'], 64),
    sequence: count(fields['sequence']),
    generation,
    digest: octetsIn(fields['digest'], 32),
    current: word(fields['current'], 64, 0),
    endToEnd: fields['endToEnd'] === undefined ? null : endToEndIn(objectOf(fields['endToEnd'])),
    slots: listIn(fields['slots'], SLOTS_MAX).map((slot) => slotIn(slot, generation)),
    earlier: earlierIn(fields['earlier']),
    parked: listIn(fields['parked'], SLOTS_MAX).map(parkedIn),
    openings: listIn(fields['openings'] ?? [], OPENINGS_MAX).map((one) => {
      const opening = objectOf(one)
      return {
        at: count(opening['at']),
        ticket: printable(opening['ticket'], TICKET_MAX),
        master: word(opening['master'], 64),
      }
    }),
    mac: octetsIn(fields['mac'], 32),
  }
}

function parkedIn(value: unknown): ParkedSlots {
  const group = objectOf(value)
  const generation = count(group['generation'])
  return {
    generation,
    digest: octetsIn(group['digest'], 32),
    slots: listIn(group['slots'], SLOTS_MAX).map((slot) => slotIn(slot, generation)),
    earlier: earlierIn(group['earlier']),
  }
}

function earlierIn(value: unknown): readonly EarlierKey[] {
  return listIn(value ?? [], GENERATIONS_MAX).map((one) => {
    const key = objectOf(one)
    return {
      generation: count(key['generation']),
      digest: octetsIn(key['digest'], 32),
      wrapped: octetsIn(key['wrapped'], 60),
    }
  })
}

function endToEndIn(fields: Fields): EndToEnd {
  const custody = fields['custody']
  if (custody !== 'held' && custody !== 'device') throw new MalformedTable('an unknown custody')
  return {
    fingerprint: word(fields['fingerprint'], 64),
    custody,
    certificateHash: octetsIn(fields['certificateHash'], 32),
  }
}

/** The AMK under a derived key (60), under an X25519 key (32 more), sealed to a certificate, or nothing. */
const WRAPPED_MAX = 4096

function slotIn(value: unknown, generation: number): Keyslot {
  const fields = objectOf(value)
  const type = word(fields['type'], 16)
  if (!SLOT_TYPES.includes(type)) throw new MalformedTable('an unknown type of slot')
  return {
    id: word(fields['id'], 64),
    type: type as SlotType,
    scope: word(fields['scope'], 64, 0),
    label: fields['label'] === undefined ? '' : printable(fields['label'], LABEL_MAX),
    created: count(fields['created']),
    expires: fields['expires'] === undefined ? null : count(fields['expires']),
    sequence: count(fields['sequence']),
    born: fields['born'] === undefined ? generation : count(fields['born']),
    kdf: kdfIn(objectOf(fields['kdf'])),
    verifier: octetsIn(fields['verifier'], 32, 0),
    publicKey: fields['publicKey'] === undefined ? Buffer.alloc(0) : octetsIn(fields['publicKey'], 32),
    wrapped: octetsUpTo(fields['wrapped'], WRAPPED_MAX),
    scram: fields['scram'] === undefined ? null : scramIn(objectOf(fields['scram'])),
  }
}

/** Clients do the iterations and the vault when a slot is made: both are kept from being worn out. */
function scramIn(fields: Fields): ScramLock {
  const iterations = count(fields['iterations'])
  // RFC 7677 §4
  if (iterations < SCRAM_ITERATIONS || iterations > 1_000_000) throw new MalformedTable('bad derivation')
  return {
    salt: octetsIn(fields['salt'], SCRAM_SALT_OCTETS),
    iterations,
    storedKey: octetsIn(fields['storedKey'], 32),
    serverKey: octetsIn(fields['serverKey'], 32),
    publicKey: octetsIn(fields['publicKey'], 32, 0),
    wrapped: octetsIn(fields['wrapped'], 92, 0),
  }
}

/** Those of the account's SCRAM locks; null when it has none. */
export function scramTerms({ slots }: Pick<UnsignedTable, 'slots'>): ScramTerms | null {
  return slots.find(({ scram }) => scram !== null)?.scram ?? null
}

/** Caps what a changed file could make the vault spend: 256 MiB and 16 passes. */
function kdfIn(fields: Fields): SlotKdf {
  if (fields['kind'] === 'openpgp') return { kind: 'openpgp', fingerprint: word(fields['fingerprint'], 64) }
  const salt = octetsIn(fields['salt'], 16)
  if (fields['kind'] === 'hkdf') return { kind: 'hkdf', salt }
  const memory = count(fields['memory'])
  const passes = count(fields['passes'])
  const known = fields['kind'] === 'argon2id' && fields['parallelism'] === 1
  if (!known || memory < 8 || memory > 1 << 18 || passes < 1 || passes > 16) throw new MalformedTable('bad derivation')
  return { kind: 'argon2id', memory, passes, salt }
}
