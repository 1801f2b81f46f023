/** Turns OpenPGP key material into node:crypto key objects. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'
import { der, integer } from './der.ts'
import type { Curve, PublicMaterial } from './key-packet.ts'
import { leftPadded } from './octet-reader.ts'
import { MalformedOpenPgp } from './openpgp.ts'

const base64url = (octets: Buffer) => octets.toString('base64url')

type OkpCurve = Extract<PublicMaterial, { kind: 'okp' }>['curve']

/** null for material that node:crypto cannot use; throws MalformedOpenPgp for material that is no key. */
export function publicKeyObject(material: PublicMaterial): KeyObject | null {
  try {
    switch (material.kind) {
      case 'rsa':
        return createPublicKey({
          key: { kty: 'RSA', n: base64url(material.n), e: base64url(material.e) },
          format: 'jwk',
        })
      case 'okp':
        return createPublicKey({
          key: { kty: 'OKP', crv: material.curve, x: base64url(material.point) },
          format: 'jwk',
        })
      case 'ec':
        return ecPublicKey(material.curve, material.point)
      case 'dsa':
        return publicOf(dsaAlgorithm(material), integer(material.y))
      case 'elgamal':
        return elgamalPublicKey(material, material.y)
      case 'opaque':
        return null
    }
  } catch {
    throw new MalformedOpenPgp('not a valid public key')
  }
}

export function okpPublicKey(curve: OkpCurve, point: Buffer): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: curve, x: base64url(point) }, format: 'jwk' })
}

function ecPublicKey(curve: Curve, point: Buffer): KeyObject | null {
  if (!curve.jwk) return brainpoolPublicKey(curve, point)
  const x = base64url(point.subarray(1, 1 + curve.size))
  const y = base64url(point.subarray(1 + curve.size))
  return createPublicKey({ key: { kty: 'EC', crv: curve.jwk, x, y }, format: 'jwk' })
}

const EC_PUBLIC_KEY = Buffer.from('06072a8648ce3d0201', 'hex')

function ecAlgorithm(curve: Curve): Buffer {
  return der(0x30, EC_PUBLIC_KEY, der(0x06, Buffer.from(curve.oid, 'hex')))
}

/** DER of a SubjectPublicKeyInfo (RFC 5480 §2): JWK has no name for these curves. */
function brainpoolPublicKey(curve: Curve, point: Buffer): KeyObject {
  return publicOf(ecAlgorithm(curve), point)
}

function publicOf(algorithm: Buffer, key: Bytes): KeyObject {
  const octets = der(0x30, algorithm, der(0x03, Buffer.of(0), key))
  return createPublicKey({ key: octets, format: 'der', type: 'spki' })
}

/** PKCS #8 (RFC 5958 §2); wipes `inner`. */
function privateOf(algorithm: Buffer, inner: Buffer): KeyObject {
  const key = der(0x30, integer(Buffer.of(0)), algorithm, der(0x04, inner))
  try {
    return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  } finally {
    inner.fill(0)
    key.fill(0)
  }
}

type DsaMaterial = Extract<PublicMaterial, { kind: 'dsa' }>
type ElgamalMaterial = Extract<PublicMaterial, { kind: 'elgamal' }>

const DSA = Buffer.from('06072a8648ce380401', 'hex')
const DIFFIE_HELLMAN = Buffer.from('06092a864886f70d010301', 'hex')

/** RFC 3279 §2.3.2 */
function dsaAlgorithm({ p, q, g }: DsaMaterial): Buffer {
  return der(0x30, DSA, der(0x30, integer(p), integer(q), integer(g)))
}

/** ElGamal is Diffie-Hellman and one multiplication, so node:crypto takes its keys for those of PKCS #3. */
function elgamalAlgorithm({ p, g }: ElgamalMaterial): Buffer {
  return der(0x30, DIFFIE_HELLMAN, der(0x30, integer(p), integer(g)))
}

/** The public half is computed from the secret, never believed. */
export function dsaPrivateKey(material: DsaMaterial, secret: Bytes): KeyObject {
  return privateOf(dsaAlgorithm(material), integer(secret))
}

export function elgamalPrivateKey(material: ElgamalMaterial, secret: Bytes): KeyObject {
  return privateOf(elgamalAlgorithm(material), integer(secret))
}

/** A power of g in the group of the key, such as the first number of an ElGamal session key. */
export function elgamalPublicKey(material: ElgamalMaterial, power: Bytes): KeyObject {
  return publicOf(elgamalAlgorithm(material), integer(power))
}

/** The public half is computed from the secret, never believed (RFC 5915 §3). */
export function ecPrivateKey(curve: Curve, secret: Bytes): KeyObject {
  const inner = der(0x30, integer(Buffer.of(1)), der(0x04, leftPadded(secret, curve.size)))
  return privateOf(ecAlgorithm(curve), inner)
}

/** PKCS #8 (RFC 8410 §7) of a raw secret up to the secret itself. */
const PKCS8 = {
  X25519: Buffer.from('302e020100300506032b656e04220420', 'hex'),
  X448: Buffer.from('3046020100300506032b656f043a0438', 'hex'),
  Ed25519: Buffer.from('302e020100300506032b657004220420', 'hex'),
  Ed448: Buffer.from('3047020100300506032b6571043b0439', 'hex'),
} as const

/** The public half is computed from the secret, never believed. */
export function okpPrivateKey(curve: OkpCurve, secret: Bytes): KeyObject {
  const key = Buffer.concat([PKCS8[curve], secret])
  try {
    return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  } finally {
    key.fill(0)
  }
}

/** The raw point of an Ed25519, Ed448, X25519 or X448 key. */
export function okpPoint(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).x!, 'base64url')
}

/** The uncompressed point of a NIST or Brainpool key: it stands at the end of a SubjectPublicKeyInfo. */
export function ecPoint(key: KeyObject, coordinate: number): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(-1 - 2 * coordinate)
}
