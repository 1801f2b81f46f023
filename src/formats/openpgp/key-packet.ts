/** Public-key packets (RFC 9580 §5.5.1): versions 4 and 6, fingerprints, and the material of each algorithm. */
import { hash } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'
import { OctetReader } from './octet-reader.ts'
import { MalformedOpenPgp, PublicKeyAlgorithm } from './openpgp.ts'

/** Curves of RFC 9580 §9.2 by the hexadecimal content of their OID, with OpenSSL's and JWK's names. */
export interface Curve {
  /** Hexadecimal content of the DER. */
  readonly oid: string
  readonly name: string
  readonly jwk: string | null
  /** Octets of one coordinate. */
  readonly size: number
}

const CURVES = new Map<string, Curve>(
  [
    { oid: '2a8648ce3d030107', name: 'prime256v1', jwk: 'P-256', size: 32 },
    { oid: '2b81040022', name: 'secp384r1', jwk: 'P-384', size: 48 },
    { oid: '2b81040023', name: 'secp521r1', jwk: 'P-521', size: 66 },
    { oid: '2b2403030208010107', name: 'brainpoolP256r1', jwk: null, size: 32 },
    { oid: '2b240303020801010b', name: 'brainpoolP384r1', jwk: null, size: 48 },
    { oid: '2b240303020801010d', name: 'brainpoolP512r1', jwk: null, size: 64 },
    { oid: '2b06010401da470f01', name: 'ed25519', jwk: 'Ed25519', size: 32 },
    { oid: '2b060104019755010501', name: 'x25519', jwk: 'X25519', size: 32 },
  ].map((curve) => [curve.oid, curve]),
)

/** What the algorithm-specific fields say; `opaque` is an algorithm or curve that we do not know. */
export type PublicMaterial =
  | { readonly kind: 'rsa'; readonly n: Buffer; readonly e: Buffer }
  /** Ed25519, Ed448, X25519, X448: the native point. Both encodings of the 25519 curves end here. */
  | {
      readonly kind: 'okp'
      readonly curve: 'Ed25519' | 'Ed448' | 'X25519' | 'X448'
      readonly point: Buffer
      readonly kdf: Kdf | null
    }
  /** NIST and Brainpool; `point` is uncompressed, with its leading 04. */
  | { readonly kind: 'ec'; readonly curve: Curve; readonly point: Buffer; readonly kdf: Kdf | null }
  /** Only read: nothing new is made with it but the binding of a better subkey. */
  | { readonly kind: 'dsa'; readonly p: Buffer; readonly q: Buffer; readonly g: Buffer; readonly y: Buffer }
  /** Only read: nothing is sealed to it. */
  | { readonly kind: 'elgamal'; readonly p: Buffer; readonly g: Buffer; readonly y: Buffer }
  | { readonly kind: 'opaque' }

/** RFC 9580 §11.4 */
export interface Kdf {
  readonly hash: number
  readonly cipher: number
  /** The OID field with its length octet, as the KDF takes it in. */
  readonly oid: Buffer
}

export interface PublicKeyPacket {
  readonly version: 4 | 6
  /** Milliseconds since the epoch. */
  readonly created: number
  readonly algorithm: number
  /** Upper-case hex. */
  readonly fingerprint: string
  readonly keyId: Buffer
  readonly body: Bytes
  readonly material: PublicMaterial
}

/** Reads the body of a public key or subkey packet. Throws MalformedOpenPgp, also for versions other than 4 and 6. */
export function parsePublicKey(body: Bytes): PublicKeyPacket {
  const { key, rest } = parsePublicPart(body)
  if (rest.left > 0) throw new MalformedOpenPgp('octets after the key material')
  return key
}

/** A secret key packet of which nobody here knows where its public half ends. */
export class UnknownSecretKey extends MalformedOpenPgp {
  override readonly name = 'UnknownSecretKey'
}

/** Like `parsePublicPart`, for secret key packets. Throws UnknownSecretKey as well. */
export function parseSecretPacket(body: Bytes): { readonly key: PublicKeyPacket; readonly rest: OctetReader } {
  // a public half taken too long would publish the secret
  if (body[0] === 4 && !ALGORITHMS.has(body[5]!)) throw new UnknownSecretKey('secret key of an unknown algorithm')
  return parsePublicPart(body)
}

const ALGORITHMS: ReadonlySet<number> = new Set(Object.values(PublicKeyAlgorithm))

/** Reads the public fields that a secret key packet begins with too (RFC 9580 §5.5.3), and stops behind them. */
export function parsePublicPart(body: Bytes): { readonly key: PublicKeyPacket; readonly rest: OctetReader } {
  const reader = new OctetReader(body)
  const version = reader.u8()
  if (version !== 4 && version !== 6) throw new MalformedOpenPgp(`key of unsupported version ${version}`)
  const created = reader.u32() * 1000
  const algorithm = reader.u8()
  const size = version === 6 ? reader.u32() : null
  const from = reader.position
  const material = readMaterial(reader, algorithm, size)
  if (size !== null && reader.position - from !== size) throw new MalformedOpenPgp('key material of a wrong size')
  const octets = body.subarray(0, reader.position)
  const { fingerprint, keyId } = identify(version, octets)
  return { key: { version, created, algorithm, fingerprint, keyId, body: octets, material }, rest: reader }
}

function identify(version: 4 | 6, body: Bytes): { fingerprint: string; keyId: Buffer } {
  const digest = hash(version === 4 ? 'sha1' : 'sha256', hashedKey(version, body), 'buffer')
  // RFC 9580 §5.5.4
  const keyId = version === 4 ? digest.subarray(12, 20) : digest.subarray(0, 8)
  return { fingerprint: digest.toString('hex').toUpperCase(), keyId }
}

/** A key as fingerprints and signatures over keys take it in (RFC 9580 §5.2.4). */
export function hashedKey(version: number, body: Bytes): Buffer {
  const width = version === 6 ? 5 : 3
  const target = Buffer.allocUnsafe(width + body.length)
  target[0] = version === 6 ? 0x9b : 0x99
  if (version === 6) target.writeUInt32BE(body.length, 1)
  else if (body.length > 0xffff) throw new MalformedOpenPgp('key too large')
  else target.writeUInt16BE(body.length, 1)
  target.set(body, width)
  return target
}

const NATIVE_POINTS = new Map<number, { curve: 'Ed25519' | 'Ed448' | 'X25519' | 'X448'; size: number }>([
  [PublicKeyAlgorithm.x25519, { curve: 'X25519', size: 32 }],
  [PublicKeyAlgorithm.x448, { curve: 'X448', size: 56 }],
  [PublicKeyAlgorithm.ed25519, { curve: 'Ed25519', size: 32 }],
  [PublicKeyAlgorithm.ed448, { curve: 'Ed448', size: 57 }],
])

function readMaterial(reader: OctetReader, algorithm: number, size: number | null): PublicMaterial {
  const native = NATIVE_POINTS.get(algorithm)
  if (native) return { kind: 'okp', curve: native.curve, point: reader.take(native.size), kdf: null }
  switch (algorithm) {
    case PublicKeyAlgorithm.rsa:
    case PublicKeyAlgorithm.rsaEncryptOnly:
    case PublicKeyAlgorithm.rsaSignOnly:
      return { kind: 'rsa', n: reader.mpi(), e: reader.mpi() }
    case PublicKeyAlgorithm.ecdh:
    case PublicKeyAlgorithm.ecdsa:
    case PublicKeyAlgorithm.eddsaLegacy:
      return readCurvePoint(reader, algorithm)
    case PublicKeyAlgorithm.elgamal:
      return { kind: 'elgamal', p: reader.mpi(), g: reader.mpi(), y: reader.mpi() }
    case PublicKeyAlgorithm.dsa:
      return { kind: 'dsa', p: reader.mpi(), q: reader.mpi(), g: reader.mpi(), y: reader.mpi() }
    default:
      reader.take(size ?? reader.left)
      return { kind: 'opaque' }
  }
}

function readCurvePoint(reader: OctetReader, algorithm: number): PublicMaterial {
  const from = reader.u8()
  const content = reader.take(from)
  const oid = Buffer.concat([Buffer.of(from), content])
  const point = reader.mpi()
  const kdf = algorithm === PublicKeyAlgorithm.ecdh ? readKdf(reader, oid) : null
  const curve = CURVES.get(content.toString('hex'))
  if (!curve) return { kind: 'opaque' }
  if (curve.name === 'ed25519' || curve.name === 'x25519') {
    // RFC 9580 §11.2: the prefix 40 marks a point in the curve's native form
    const fits = (curve.name === 'ed25519') === (algorithm === PublicKeyAlgorithm.eddsaLegacy)
    if (!fits || algorithm === PublicKeyAlgorithm.ecdsa || point.length !== 33 || point[0] !== 0x40) {
      throw new MalformedOpenPgp('point of a wrong form')
    }
    return { kind: 'okp', curve: curve.name === 'ed25519' ? 'Ed25519' : 'X25519', point: point.subarray(1), kdf }
  }
  if (algorithm === PublicKeyAlgorithm.eddsaLegacy) return { kind: 'opaque' }
  if (point.length !== 1 + 2 * curve.size || point[0] !== 4) throw new MalformedOpenPgp('point of a wrong form')
  return { kind: 'ec', curve, point, kdf }
}

function readKdf(reader: OctetReader, oid: Buffer): Kdf {
  const fields = new OctetReader(reader.take(reader.u8()))
  if (fields.u8() !== 1) throw new MalformedOpenPgp('unknown key derivation')
  return { hash: fields.u8(), cipher: fields.u8(), oid }
}
