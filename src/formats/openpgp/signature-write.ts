/** Makes signature packets (RFC 9580 §5.2) with an unlocked key, and verifies each before it is handed out. */
import { createSign, randomBytes, sign } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'
import { writeMpi } from './octet-reader.ts'
import { PacketType, PublicKeyAlgorithm } from './openpgp.ts'
import { packet } from './packets.ts'
import type { SecretKey } from './secret-material.ts'
import { digestOf, hashedOctets, parseSignature, saltSize, signatureHolds } from './signature.ts'

/** A fault in the signing itself; the signature was thrown away. */
export class SignatureFault extends Error {
  override readonly name = 'SignatureFault'
  constructor() {
    super('a signature did not verify and was not handed out')
  }
}

export interface SignatureWish {
  /** RFC 9580 §5.2.1 */
  readonly type: number
  /** Milliseconds since the epoch. */
  readonly created: number
  /** Further hashed subpackets; creation time and issuer are always there. */
  readonly subpackets?: readonly Buffer[]
}

const SHA256 = 8
const SHA512 = 10

/** `content`: the octets of RFC 9580 §5.2.4 before the signature's own. Throws SignatureFault. */
export function writeSignature(signer: SecretKey, wish: SignatureWish, content: readonly Bytes[]): Buffer {
  const { key } = signer
  const hash = key.algorithm === PublicKeyAlgorithm.ed448 ? SHA512 : SHA256
  const hashName = hash === SHA512 ? 'sha512' : 'sha256'
  const salt = key.version === 6 ? randomBytes(saltSize(hash)) : Buffer.alloc(0)
  const hashedPart = writeHashedPart(signer, hash, wish)
  const parts = hashedOctets({ version: key.version, hashedPart, salt }, content)
  const digest = digestOf(hashName, parts)
  const body = Buffer.concat([
    hashedPart,
    // RFC 9580 §5.2.3.12: the key id only in version 4, for readers that know no fingerprints
    key.version === 4 ? area(4, [subpacket(16, key.keyId)]) : area(6, []),
    digest.subarray(0, 2),
    key.version === 6 ? Buffer.of(salt.length) : salt,
    salt,
    ...signatureFields(signer, hashName, digest, parts),
  ])
  // a faulty signature can give the key away: never hand one out
  const made = parseSignature(body)
  if (!made || !signatureHolds(made, key, content)) throw new SignatureFault()
  return packet(PacketType.signature, body)
}

/** RFC 9580 §5.2.3.7; up to 16319 octets with the type. */
export function subpacket(type: number, ...content: readonly Bytes[]): Buffer {
  const size = content.reduce((sum, part) => sum + part.length, 1)
  if (size > 16_319) throw new RangeError('subpacket too long')
  const length = size < 192 ? [size] : [((size - 192) >> 8) + 192, (size - 192) & 0xff]
  return Buffer.concat([Buffer.of(...length, type), ...content])
}

function area(version: 4 | 6, subpackets: readonly Buffer[]): Buffer {
  const content = Buffer.concat(subpackets)
  const count = Buffer.alloc(version === 6 ? 4 : 2)
  count.writeUIntBE(content.length, 0, count.length)
  return Buffer.concat([count, content])
}

function writeHashedPart({ key }: SecretKey, hash: number, { type, created, subpackets = [] }: SignatureWish): Buffer {
  const time = Buffer.alloc(4)
  time.writeUInt32BE(Math.floor(created / 1000))
  const issuer = subpacket(33, Buffer.of(key.version), Buffer.from(key.fingerprint, 'hex'))
  const head = Buffer.of(key.version, type, key.algorithm, hash)
  return Buffer.concat([head, area(key.version, [subpacket(2, time), issuer, ...subpackets])])
}

function signatureFields(
  { key, object }: SecretKey,
  hashName: string,
  digest: Buffer,
  parts: readonly Bytes[],
): readonly Bytes[] {
  if (key.material.kind === 'okp') {
    const value = sign(null, digest, object)
    if (key.algorithm !== PublicKeyAlgorithm.eddsaLegacy) return [value]
    return [writeMpi(value.subarray(0, 32)), writeMpi(value.subarray(32))]
  }
  const signer = createSign(hashName)
  for (const part of parts) signer.update(part)
  if (key.material.kind === 'rsa') return [writeMpi(signer.sign(object))]
  const value = signer.sign({ key: object, dsaEncoding: 'ieee-p1363' })
  return [writeMpi(value.subarray(0, value.length / 2)), writeMpi(value.subarray(value.length / 2))]
}
