/** Fresh keys as secret-key packets (RFC 9580 §5.5.3), made by node:crypto. */
import { generateKeyPair, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { okpPoint } from './key-object.ts'
import { parsePublicPart } from './key-packet.ts'
import { OctetReader, writeMpi } from './octet-reader.ts'
import { PublicKeyAlgorithm } from './openpgp.ts'
import { readSecret, type SecretKey, sumOf } from './secret-material.ts'

/** `v6-curve25519` makes keys of version 6, the others of version 4, which GnuPG 2.2 reads. */
export type KeyAlgorithm = 'curve25519' | 'rsa3072' | 'rsa4096' | 'v6-curve25519'

/** A key and the body of its secret packet, which the caller wipes. */
export interface NewKey extends SecretKey {
  readonly body: Buffer
}

/** `created` in milliseconds since the epoch. */
export async function makeKey(
  algorithm: KeyAlgorithm,
  use: 'signing' | 'encryption',
  created: number,
): Promise<NewKey> {
  const fields = await freshFields(algorithm, use)
  const version = algorithm === 'v6-curve25519' ? 6 : 4
  const head = Buffer.of(version, 0, 0, 0, 0, fields.algorithm)
  head.writeUInt32BE(Math.floor(created / 1000), 1)
  const open = Buffer.concat(fields.open)
  const secret = Buffer.concat(fields.secret)
  // RFC 9580 §5.5.2: version 6 says how long the public material is; §5.5.3: usage 0, material, in version 4 its sum
  const size = version === 6 ? [0, 0, open.length >> 8, open.length & 0xff] : []
  const body = Buffer.concat([
    head,
    Buffer.from(size),
    open,
    Buffer.of(0),
    secret,
    version === 4 ? sumOf(secret) : NOTHING,
  ])
  for (const part of [secret, ...fields.secret]) wipe(part)
  // reading it back checks that both halves belong together
  const { key, rest } = parsePublicPart(body)
  return { key, object: readSecret(key, rest)!, body }
}

interface Fields {
  readonly algorithm: number
  readonly open: readonly Buffer[]
  readonly secret: readonly Buffer[]
}

/** RFC 9580 §9.2, with the length octet. */
const ED25519_LEGACY = Buffer.from('092b06010401da470f01', 'hex')
const CURVE25519_LEGACY = Buffer.from('0a2b060104019755010501', 'hex')
/** SHA-256 and AES-128: what GnuPG has for this curve. */
const KDF = Buffer.of(3, 1, 8, 7)

const NOTHING = Buffer.alloc(0)

function freshFields(algorithm: KeyAlgorithm, use: 'signing' | 'encryption'): Fields | Promise<Fields> {
  switch (algorithm) {
    case 'rsa3072':
      return rsaFields(3072)
    case 'rsa4096':
      return rsaFields(4096)
    case 'curve25519':
      return curveFields(use)
    case 'v6-curve25519':
      return nativeFields(use)
  }
}

function rawPair(use: 'signing' | 'encryption'): { readonly point: Buffer; readonly raw: Buffer } {
  const pair = use === 'signing' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519')
  // PKCS #8 of these curves ends with the raw secret (RFC 8410 §7)
  const der = pair.privateKey.export({ format: 'der', type: 'pkcs8' })
  const raw = Buffer.from(der.subarray(-32))
  wipe(der)
  return { point: okpPoint(pair.publicKey), raw }
}

/** RFC 9580 §5.5.5.7 and §5.5.5.9: the points and secrets as the curves have them. */
function nativeFields(use: 'signing' | 'encryption'): Fields {
  const { point, raw } = rawPair(use)
  const algorithm = use === 'signing' ? PublicKeyAlgorithm.ed25519 : PublicKeyAlgorithm.x25519
  return { algorithm, open: [point], secret: [raw] }
}

function curveFields(use: 'signing' | 'encryption'): Fields {
  const { point: native, raw } = rawPair(use)
  const point = writeMpi(Buffer.concat([Buffer.of(0x40), native]))
  if (use === 'signing') {
    const secret = [writeMpi(raw)]
    wipe(raw)
    return { algorithm: PublicKeyAlgorithm.eddsaLegacy, open: [ED25519_LEGACY, point], secret }
  }
  // RFC 7748 §5: stored as the scalar that is used, since old programs multiply with what they read
  raw[0] = raw[0]! & 0xf8
  raw[31] = (raw[31]! & 0x7f) | 0x40
  const secret = [writeMpi(raw.reverse())]
  wipe(raw)
  return { algorithm: PublicKeyAlgorithm.ecdh, open: [CURVE25519_LEGACY, point, KDF], secret }
}

async function rsaFields(modulusLength: number): Promise<Fields> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength })
  const { n, e, d, p, q, u } = rsaNumbers(pair.privateKey)
  const secret = [d, q, p, u].map(writeMpi)
  for (const part of [d, p, q, u]) wipe(part)
  return { algorithm: PublicKeyAlgorithm.rsa, open: [n, e].map(writeMpi), secret }
}

/** Reads PKCS #1 (RFC 8017 §A.1.2); its inverse is of q mod p, so p and q change places in OpenPGP. */
function rsaNumbers(key: KeyObject): Record<'n' | 'e' | 'd' | 'p' | 'q' | 'u', Bytes> {
  const der = key.export({ format: 'der', type: 'pkcs1' })
  const reader = new OctetReader(der)
  const element = () => {
    reader.u8()
    const first = reader.u8()
    return reader.take(first < 0x80 ? first : first === 0x81 ? reader.u8() : reader.u16())
  }
  // the outer SEQUENCE has a two-octet length at this size
  reader.take(4)
  element()
  const [n, e, d, p, q] = [element(), element(), element(), element(), element()].map((part) => Buffer.from(part)) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ]
  element()
  element()
  const u = Buffer.from(element())
  wipe(der)
  return { n, e, d, p, q, u }
}
