/** Signature packets, versions 4 and 6 (RFC 9580 §5.2): what they say, and whether they hold. Older ones are not read. */
import { createHash, createVerify, type KeyObject, verify } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'
import { publicKeyObject } from './key-object.ts'
import type { PublicKeyPacket, PublicMaterial } from './key-packet.ts'
import { bitLength, leftPadded, OctetReader } from './octet-reader.ts'
import { hashName, MalformedOpenPgp, PublicKeyAlgorithm } from './openpgp.ts'

/** RFC 9580 §5.2.1 */
export const SignatureType = {
  binary: 0x00,
  text: 0x01,
  genericCertification: 0x10,
  positiveCertification: 0x13,
  subkeyBinding: 0x18,
  primaryKeyBinding: 0x19,
  directKey: 0x1f,
  keyRevocation: 0x20,
  subkeyRevocation: 0x28,
  certificationRevocation: 0x30,
} as const

export interface Signature {
  readonly version: 4 | 6
  readonly type: number
  readonly algorithm: number
  readonly hash: number
  /** Milliseconds since the epoch; null is a signature without a time, which is never valid. */
  readonly created: number | null
  /** Milliseconds after `created`; null for never. */
  readonly expiresAfter: number | null
  /** The same for the key that is signed, counted from that key's creation. */
  readonly keyExpiresAfter: number | null
  /** First octet of the key flags, null where there are none (RFC 9580 §5.2.3.29). */
  readonly keyFlags: number | null
  /** First octet of the features (RFC 9580 §5.2.3.32). */
  readonly features: number
  readonly primaryUserId: boolean
  readonly ciphers: readonly number[]
  /** Pairs, cipher << 8 | AEAD (RFC 9580 §5.2.3.15). */
  readonly ciphersuites: readonly number[]
  /** Upper-case hex, from the issuer fingerprint or issuer key id subpacket. */
  readonly issuer: string | null
  /** Upper-case hex, fingerprints of the certificates it was made for; empty when it does not say (RFC 9580 §5.2.3.36). */
  readonly recipients: readonly string[]
  readonly revocationReason: number | null
  /** Body of the primary key binding that a signing subkey carries. */
  readonly embedded: Bytes | null
  /** Holds something critical that is not understood here, so it must not count (RFC 9580 §5.2.3.7). */
  readonly hasUnknownCritical: boolean
  readonly hashedPart: Bytes
  readonly salt: Bytes
  readonly material: Bytes
  /** The packet's body as it was read. */
  readonly body: Bytes
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Reads a signature packet's body. null: a version that we do not read. Throws MalformedOpenPgp. */
export function parseSignature(body: Bytes): Signature | null {
  const reader = new OctetReader(body)
  const version = reader.u8()
  if (version !== 4 && version !== 6) return null
  const type = reader.u8()
  const algorithm = reader.u8()
  const hash = reader.u8()
  const width = version === 6 ? () => reader.u32() : () => reader.u16()
  const hashed = reader.take(width())
  const hashedPart = body.subarray(0, reader.position)
  const unhashed = reader.take(width())
  reader.take(2) // the left 16 bits of the hash: a hint only
  const salt = version === 6 ? reader.take(reader.u8()) : Buffer.alloc(0)
  const signature: Mutable<Signature> = {
    version,
    type,
    algorithm,
    hash,
    created: null,
    expiresAfter: null,
    keyExpiresAfter: null,
    keyFlags: null,
    features: 0,
    primaryUserId: false,
    ciphers: [],
    ciphersuites: [],
    issuer: null,
    recipients: [],
    revocationReason: null,
    embedded: null,
    hasUnknownCritical: false,
    hashedPart,
    salt,
    material: reader.rest(),
    body,
  }
  readSubpackets(hashed, signature, true)
  readSubpackets(unhashed, signature, false)
  return signature
}

function readSubpackets(area: Buffer, into: Mutable<Signature>, hashed: boolean): void {
  for (const { type, critical, content } of subpacketsIn(area)) {
    const known = readSubpacket(type, new OctetReader(content), into, hashed)
    if (!known && hashed && critical) into.hasUnknownCritical = true
  }
}

export interface Subpacket {
  readonly type: number
  readonly critical: boolean
  readonly content: Buffer
  /** All of it, its length included. */
  readonly octets: Bytes
}

/** RFC 9580 §5.2.3.7. Throws MalformedOpenPgp. */
export function* subpacketsIn(area: Bytes): Generator<Subpacket, void> {
  const reader = new OctetReader(area)
  while (reader.left > 0) {
    const start = reader.position
    const first = reader.u8()
    const size = first < 192 ? first : first < 255 ? ((first - 192) << 8) + reader.u8() + 192 : reader.u32()
    if (size === 0) throw new MalformedOpenPgp('empty subpacket')
    const body = reader.take(size)
    const octets = area.subarray(start, reader.position)
    yield { type: body[0]! & 0x7f, critical: (body[0]! & 0x80) !== 0, content: body.subarray(1), octets }
  }
}

/** Types that say nothing this program acts on: exportable, trust, revocable, servers, policy URI, signer, target ... */
const NOTED = new Set([4, 5, 7, 21, 22, 23, 24, 26, 28, 31, 34])

/** Intended recipients that are read. */
const MOST_RECIPIENTS = 1000

/** Answers whether the type is understood. Only issuer and embedded signature may stand in the unhashed area. */
function readSubpacket(type: number, reader: OctetReader, into: Mutable<Signature>, hashed: boolean): boolean {
  if (type === 33) {
    reader.u8()
    into.issuer = reader.rest().toString('hex').toUpperCase()
    return true
  }
  if (type === 16) {
    into.issuer ??= reader.take(8).toString('hex').toUpperCase()
    return true
  }
  if (type === 32) {
    into.embedded ??= reader.rest()
    return true
  }
  if (!hashed) return true
  switch (type) {
    case 2:
      into.created = reader.u32() * 1000
      return true
    case 3:
      into.expiresAfter = reader.u32() * 1000 || null
      return true
    case 9:
      into.keyExpiresAfter = reader.u32() * 1000 || null
      return true
    case 11:
      into.ciphers = [...reader.rest()]
      return true
    case 25:
      into.primaryUserId = reader.u8() !== 0
      return true
    case 27:
      into.keyFlags = reader.left > 0 ? reader.u8() : 0
      return true
    case 29:
      into.revocationReason = reader.u8()
      return true
    case 30:
      into.features = reader.left > 0 ? reader.u8() : 0
      return true
    case 35:
      reader.u8()
      if (into.recipients.length < MOST_RECIPIENTS) {
        into.recipients = [...into.recipients, reader.rest().toString('hex').toUpperCase()]
      }
      return true
    case 39:
      while (reader.left >= 2) into.ciphersuites = [...into.ciphersuites, reader.u16()]
      return true
    default:
      return NOTED.has(type)
  }
}

/** RFC 9580 §5.2.4: everything that is hashed, in order: salt, what is signed, the signature's hashed part, the trailer. */
export function hashedOctets(
  signature: Pick<Signature, 'version' | 'hashedPart' | 'salt'>,
  content: readonly Bytes[],
): readonly Bytes[] {
  const trailer = Buffer.of(signature.version, 0xff, 0, 0, 0, 0)
  trailer.writeUInt32BE(signature.hashedPart.length, 2)
  return [signature.salt, ...content, signature.hashedPart, trailer]
}

export function digestOf(hashAlgorithm: string, parts: readonly Bytes[]): Buffer {
  const digest = createHash(hashAlgorithm)
  for (const part of parts) digest.update(part)
  return digest.digest()
}

/**
 * Whether the signature was made by `key` over `content` (the octets of RFC 9580 §5.2.4 before the signature's own). Says
 * nothing about time, type and purpose. `hashAlgorithm` overrides the list of acceptable ones for a caller that has reasons.
 */
export function signatureHolds(
  signature: Signature,
  key: PublicKeyPacket,
  content: readonly Bytes[],
  hashAlgorithm: string | null = hashName(signature.hash),
): boolean {
  if (!hashAlgorithm || signature.algorithm !== key.algorithm || signature.version !== key.version) return false
  // RFC 9580 §5.2.3: the salt's size is fixed by the hash
  if (signature.version === 6 && signature.salt.length !== saltSize(signature.hash)) return false
  try {
    return holds(signature, key, hashAlgorithm, hashedOctets(signature, content))
  } catch (error) {
    if (error instanceof MalformedOpenPgp) return false
    throw error
  }
}

/** RFC 9580 §9.5, Table 23 */
export function saltSize(hash: number): number {
  return hash === 10 || hash === 14 ? 32 : hash === 9 ? 24 : 16
}

/** As long as the material lives: one key verifies many signatures. */
const objects = new WeakMap<PublicMaterial, KeyObject | null>()

function objectOf(material: PublicMaterial): KeyObject | null {
  let object = objects.get(material)
  if (object === undefined) {
    object = publicKeyObject(material)
    objects.set(material, object)
  }
  return object
}

function holds(signature: Signature, key: PublicKeyPacket, hashAlgorithm: string, parts: readonly Bytes[]): boolean {
  const { material, algorithm } = key
  const object = objectOf(material)
  const reader = new OctetReader(signature.material)
  if (!object) return false
  if (material.kind === 'okp') {
    return verify(null, digestOf(hashAlgorithm, parts), object, eddsaSignature(algorithm, reader))
  }
  const verifier = createVerify(hashAlgorithm)
  for (const part of parts) verifier.update(part)
  if (material.kind === 'rsa') {
    // RFC 9580 §12.4
    if ((object.asymmetricKeyDetails?.modulusLength ?? 0) < 2048) return false
    return verifier.verify(object, leftPadded(reader.mpi(), material.n.length))
  }
  if (material.kind === 'dsa')
    return verifier.verify({ key: object, dsaEncoding: 'ieee-p1363' }, dsaValue(material, reader))
  if (material.kind !== 'ec' || algorithm !== PublicKeyAlgorithm.ecdsa) return false
  const { size } = material.curve
  const value = Buffer.concat([leftPadded(reader.mpi(), size), leftPadded(reader.mpi(), size)])
  return verifier.verify({ key: object, dsaEncoding: 'ieee-p1363' }, value)
}

/** RFC 9580 §9.5: with a hash not shorter than q. DSA below 2048 bits is believed as little as RSA. */
function dsaValue({ p, q }: Extract<PublicMaterial, { kind: 'dsa' }>, reader: OctetReader): Buffer {
  if (bitLength(p) < 2048) throw new MalformedOpenPgp('key too short')
  return Buffer.concat([leftPadded(reader.mpi(), q.length), leftPadded(reader.mpi(), q.length)])
}

function eddsaSignature(algorithm: number, reader: OctetReader): Buffer {
  if (algorithm !== PublicKeyAlgorithm.eddsaLegacy) return reader.rest()
  return Buffer.concat([leftPadded(reader.mpi(), 32), leftPadded(reader.mpi(), 32)])
}
