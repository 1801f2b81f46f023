/**
 * The second lock of an app password, for clients that log in by SCRAM-SHA-256 (RFC 5802, RFC 7677) and never show the password. Its
 * key is the ClientKey, which nobody stores: the client's proof is the ClientKey under a mask that StoredKey makes, so an exchange with
 * somebody who knows the password gives it, and nothing else does. Like the first lock it is an X25519 key, so that another AMK can be
 * wrapped for a password that is not at hand.
 *
 * StoredKey and ServerKey would let their thief try passwords; ours have 160 random bits. A password that people choose must never be
 * given such a lock. ClientKey opens the account: it is wiped as a password is.
 */
import { pbkdf2Sync } from 'node:crypto'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { equal, KEY_OCTETS, label, mac, sha256, subkey, withKey } from './key-derivation.ts'
import type { Keyslot, ScramLock, ScramTerms, SlotTable } from './protocol/slot-table.ts'
import { slotPublicKey, unwrapWith, wrapFor } from './slot-lock.ts'

type Place = Pick<SlotTable, 'account' | 'generation'>
type Slot = Pick<Keyslot, 'id' | 'scope' | 'label' | 'expires' | 'sequence' | 'born'>

/** The password as its owner types it: ASCII, which SASLprep (RFC 4013) leaves as it is. */
export interface ScramOrder {
  readonly password: Bytes
  readonly terms: ScramTerms
}

/** What a client says to show that it knows the password. */
export interface ScramProof {
  /** RFC 5802 §3: the messages of the exchange without the proof, with commas between them. */
  readonly authMessage: Bytes
  readonly proof: Bytes
}

export interface ScramKeys {
  /** To be wiped by the caller. */
  readonly clientKey: Buffer
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

const NONE = Buffer.alloc(0)

/** RFC 5802 §3; Hi() is PBKDF2 with one block. */
export function scramKeys(password: Bytes, { salt, iterations }: ScramTerms): ScramKeys {
  return withKey(pbkdf2Sync(password, salt, iterations, KEY_OCTETS, 'sha256'), (salted) => {
    const clientKey = mac(salted, 'Client Key')
    return { clientKey, storedKey: sha256(clientKey), serverKey: mac(salted, 'Server Key') }
  })
}

const masked = (key: Bytes, storedKey: Bytes, authMessage: Bytes): Buffer => {
  const mask = mac(storedKey, authMessage)
  for (const [at, octet] of key.entries()) mask[at]! ^= octet
  return mask
}

/** RFC 5802 §3: what the client sends, to be wiped by the caller. */
export const proofOf = ({ clientKey, storedKey }: ScramKeys, authMessage: Bytes): Buffer =>
  masked(clientKey, storedKey, authMessage)

/** The ClientKey in the proof, to be wiped by the caller; null when the client does not know it. */
export function clientKeyIn({ authMessage, proof }: ScramProof, storedKey: Bytes): Buffer | null {
  if (proof.byteLength !== KEY_OCTETS) return null
  const clientKey = masked(proof, storedKey, authMessage)
  if (equal(sha256(clientKey), storedKey)) return clientKey
  wipe(clientKey)
  return null
}

/** RFC 5802 §3: shows the client that this is the server that it made its password with. */
export const serverSignature = ({ serverKey }: Pick<ScramLock, 'serverKey'>, authMessage: Bytes): Buffer =>
  mac(serverKey, authMessage)

const seedOf = (clientKey: Bytes, { account }: Place, { id, born }: Slot): Buffer =>
  subkey(clientKey, label('scram slot', account, id, born))

function context({ account, generation }: Place, slot: Slot, lock: Omit<ScramLock, 'wrapped'>): Buffer {
  const { id, scope, label: name, expires, sequence, born } = slot
  const { salt, iterations, storedKey, serverKey, publicKey } = lock
  const limits = [scope, name, expires ?? '', born]
  const keys = [salt, iterations, storedKey, serverKey, publicKey]
  return label('letterlock scram 1', account, id, ...limits, ...keys, generation, sequence)
}

/** `amk` null: the lock proves and opens nothing. */
export function makeScramLock(place: Place, slot: Slot, order: ScramOrder, amk: Bytes | null): ScramLock {
  const { salt, iterations } = order.terms
  const { clientKey, storedKey, serverKey } = scramKeys(order.password, order.terms)
  return withKey(clientKey, (key) => {
    const publicKey = amk ? withKey(seedOf(key, place, slot), slotPublicKey) : NONE
    const lock = { salt: Buffer.from(salt), iterations, storedKey, serverKey, publicKey }
    return { ...lock, wrapped: amk ? wrapFor(publicKey, amk, context(place, slot, lock)) : NONE }
  })
}

/** The AMK, to be wiped by the caller; null in a lock that wraps none. Throws SealBroken. */
export function openScramLock(place: Place, slot: Slot, lock: ScramLock, clientKey: Bytes): Buffer | null {
  if (lock.wrapped.byteLength === 0) return null
  return withKey(seedOf(clientKey, place, slot), (seed) => unwrapWith(seed, lock.wrapped, context(place, slot, lock)))
}

/** The slot's lock around the AMK of another generation, made without its password. The slot's table must have been verified. */
export function carryScramLock(into: Place, slot: Keyslot, amk: Bytes): ScramLock | null {
  const { scram } = slot
  if (!scram || scram.wrapped.byteLength === 0) return scram
  return { ...scram, wrapped: wrapFor(scram.publicKey, amk, context(into, slot, scram)) }
}
