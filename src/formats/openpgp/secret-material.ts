/** The secret fields of key packets (RFC 9580 §5.5.3), unlocked, turned into key objects and checked against the public ones. */
import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { der, integer } from './der.ts'
import {
  dsaPrivateKey,
  ecPoint,
  ecPrivateKey,
  elgamalPrivateKey,
  elgamalPublicKey,
  okpPoint,
  okpPrivateKey,
  publicKeyObject,
} from './key-object.ts'
import type { PublicKeyPacket, PublicMaterial } from './key-packet.ts'
import { leftPadded, OctetReader } from './octet-reader.ts'
import { MalformedOpenPgp, PublicKeyAlgorithm } from './openpgp.ts'

export interface SecretKey {
  readonly key: PublicKeyPacket
  readonly object: KeyObject
}

/** The secret key is locked by a passphrase (S2K); the engine unlocks those. */
export class LockedSecretKey extends MalformedOpenPgp {
  override readonly name = 'LockedSecretKey'
  constructor() {
    super('the secret key is locked')
  }
}

/**
 * Reads what follows the public fields. null: an algorithm that node:crypto does not do. Throws LockedSecretKey, and
 * MalformedOpenPgp when secret and public half are not one key.
 */
export function readSecret(key: PublicKeyPacket, reader: OctetReader): KeyObject | null {
  // RFC 9580 §3.7.2.1: usage 0 is not locked
  if (reader.u8() !== 0) throw new LockedSecretKey()
  if (key.material.kind === 'opaque') return null
  const fields = key.version === 4 ? checkedFields(reader.rest()) : reader.rest()
  try {
    return keyObject(key, new OctetReader(fields))
  } catch (error) {
    if (error instanceof MalformedOpenPgp) throw error
    throw new MalformedOpenPgp('not a valid secret key')
  }
}

/** RFC 9580 §5.5.3: version 4 ends with the sum of the octets. */
function checkedFields(octets: Buffer): Buffer {
  if (octets.length < 2) throw new MalformedOpenPgp('truncated secret key')
  const fields = octets.subarray(0, -2)
  if (!sumOf(fields).equals(octets.subarray(fields.length))) throw new MalformedOpenPgp('damaged secret key')
  return fields
}

/** The octets' sum, as version 4 puts it behind them. */
export function sumOf(octets: Bytes): Buffer {
  let sum = 0
  for (const octet of octets) sum += octet
  return Buffer.of((sum >> 8) & 0xff, sum & 0xff)
}

function keyObject({ algorithm, material }: PublicKeyPacket, reader: OctetReader): KeyObject | null {
  switch (material.kind) {
    case 'rsa':
      return rsaKey(material.n, material.e, reader)
    case 'okp': {
      const secret = okpSecret(algorithm, material.point.length, reader)
      const object = okpPrivateKey(material.curve, secret)
      wipe(secret)
      return belonging(object, okpPoint(createPublicKey(object)), material.point)
    }
    case 'ec': {
      const secret = leftPadded(reader.mpi(), material.curve.size)
      const object = ecPrivateKey(material.curve, secret)
      wipe(secret)
      return belonging(object, ecPoint(createPublicKey(object), material.curve.size), material.point)
    }
    case 'dsa': {
      const object = dsaPrivateKey(material, reader.mpi())
      const published = publicKeyObject(material)!
      return belonging(object, spki(createPublicKey(object)), spki(published))
    }
    case 'elgamal':
      return elgamalKey(material, reader.mpi())
    case 'opaque':
      return null
  }
}

const spki = (key: KeyObject) => key.export({ format: 'der', type: 'spki' })

/**
 * Holds p - 1 - x where the packet has x: raised to that power, the first number of a session key is the inverse of what the
 * second one is divided by, in one operation of node:crypto whose time does not depend on the secret.
 */
function elgamalKey(material: Extract<PublicMaterial, { kind: 'elgamal' }>, secret: Buffer): KeyObject {
  const [p, x] = [number(material.p), number(secret)]
  if (x < 1n || x >= p - 1n) throw new MalformedOpenPgp('not a valid secret key')
  const complement = magnitude(p - 1n - x)
  const object = elgamalPrivateKey(material, complement)
  wipe(complement)
  const generator = elgamalPublicKey(material, material.g)
  const inverse = number(diffieHellman({ privateKey: object, publicKey: generator }))
  const product = magnitude((inverse * number(material.y)) % p)
  return belonging(object, product, Buffer.of(1))
}

function okpSecret(algorithm: number, size: number, reader: OctetReader): Buffer {
  if (algorithm === PublicKeyAlgorithm.eddsaLegacy) return leftPadded(reader.mpi(), size)
  // RFC 9580 §5.5.5.6.1.1: Curve25519Legacy stores its scalar in the other octet order
  if (algorithm === PublicKeyAlgorithm.ecdh) return leftPadded(reader.mpi(), size).reverse()
  return Buffer.from(reader.take(size))
}

function belonging(object: KeyObject, computed: Buffer, published: Buffer): KeyObject {
  if (!computed.equals(published)) throw new MalformedOpenPgp('the public key does not belong to the secret key')
  return object
}

export const number = (magnitude: Buffer) => BigInt(`0x0${magnitude.toString('hex')}`)

export function magnitude(value: bigint): Buffer {
  const hex = value.toString(16)
  return Buffer.from(hex.padStart(hex.length + (hex.length & 1), '0'), 'hex')
}

function rsaKey(n: Buffer, e: Buffer, reader: OctetReader): KeyObject {
  // RFC 9580 §5.5.5.1: u is p's inverse mod q; RFC 8017 §3.2 wants q's inverse mod p: the primes change places
  const [d, q, p, u] = [reader.mpi(), reader.mpi(), reader.mpi(), reader.mpi()]
  const [exponent, one, two] = [number(d), number(p), number(q)]
  const open = number(e)
  const isInverse = (prime: bigint) => (exponent * open) % (prime - 1n) === 1n
  if (one < 3n || two < 3n || one * two !== number(n) || !isInverse(one) || !isInverse(two)) {
    throw new MalformedOpenPgp('the public key does not belong to the secret key')
  }
  const [dp, dq] = [magnitude(exponent % (one - 1n)), magnitude(exponent % (two - 1n))]
  const fields = [Buffer.of(0), n, e, d, p, q, dp, dq, u].map(integer)
  const key = der(0x30, ...fields)
  try {
    return createPrivateKey({ key, format: 'der', type: 'pkcs1' })
  } finally {
    for (const secret of [key, dp, dq, ...fields]) wipe(secret)
  }
}
