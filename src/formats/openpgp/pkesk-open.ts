/** The recipient's side of PKESK packets (RFC 9580 §5.1). */
import { constants, diffieHellman, type KeyObject, privateDecrypt } from 'node:crypto'
import { asBuffer, type Bytes, wipe } from '#lib/bytes.ts'
import { deriveEcdhKey, deriveXKey, kdfParameters, unwrapKey } from './ecdh.ts'
import { elgamalPublicKey, okpPublicKey, publicKeyObject } from './key-object.ts'
import type { PublicMaterial } from './key-packet.ts'
import { leftPadded, OctetReader } from './octet-reader.ts'
import { cipherKeySize, MalformedOpenPgp, PublicKeyAlgorithm, UndecryptableSessionKey } from './openpgp.ts'
import { type PkeskAddress, readPkesk } from './pkesk.ts'
import { magnitude, number, type SecretKey } from './secret-material.ts'
import type { SessionKey } from './session-key.ts'

/** See `sessionKeyOf`. A hidden recipient (RFC 9580 §5.1.8) is tried with every key, and is nobody's when none fits. */
export function decryptSessionKey(keys: readonly SecretKey[], pkesk: Bytes): SessionKey | null {
  const address = readPkesk(pkesk)
  if (!address) return null
  const candidates = keys.filter(({ key }) => isFor(address, key.algorithm, key.fingerprint, key.keyId))
  if (candidates.length === 0) return null
  const from = address.fields.rest()
  for (const candidate of candidates) {
    const found = attempt(candidate, address, from)
    if (found) return found
  }
  if (address.recipient === null) return null
  throw new UndecryptableSessionKey()
}

function isFor({ recipient, algorithm }: PkeskAddress, own: number, fingerprint: string, keyId: Bytes): boolean {
  const encrypts =
    own !== PublicKeyAlgorithm.rsaSignOnly && own !== PublicKeyAlgorithm.ecdsa && own !== PublicKeyAlgorithm.dsa
  if (algorithm !== own || !encrypts) return false
  return recipient === null || recipient === fingerprint || recipient === asBuffer(keyId).toString('hex').toUpperCase()
}

/** null for whatever goes wrong: the caller must not learn, and so cannot tell, what it was. */
function attempt(secret: SecretKey, address: PkeskAddress, fields: Buffer): SessionKey | null {
  try {
    return decrypt(secret, address, new OctetReader(fields))
  } catch {
    return null
  }
}

function decrypt({ key, object }: SecretKey, { version }: PkeskAddress, fields: OctetReader): SessionKey | null {
  const { material } = key
  if (material.kind === 'rsa') {
    // without a padding oracle: OpenSSL answers wrong padding with a random plaintext (implicit rejection)
    const encrypted = leftPadded(fields.mpi(), material.n.length)
    const plain = privateDecrypt({ key: object, padding: constants.RSA_PKCS1_PADDING }, encrypted)
    return readChecksummed(plain, plain.length, version)
  }
  if (material.kind === 'elgamal') {
    const plain = elgamalPlain(material, object, fields)
    return readChecksummed(plain, plain.length, version)
  }
  if (material.kind !== 'okp' && material.kind !== 'ec') return null
  if (material.kdf) {
    const point = fields.mpi()
    const parameters = kdfParameters(material.kdf, Buffer.from(key.fingerprint, 'hex'))
    const shared = diffieHellman({ privateKey: object, publicKey: ephemeralKey(material, point) })
    const plain = unwrapKey(deriveEcdhKey(material.kdf, parameters, shared), fields.take(fields.u8()))
    return plain && readChecksummed(plain, plain.length - paddingOf(plain), version)
  }
  if (material.kind === 'ec') return null
  const point = fields.take(material.point.length)
  const shared = diffieHellman({ privateKey: object, publicKey: okpPublicKey(material.curve, point) })
  const wrapped = new OctetReader(fields.take(fields.u8()))
  const cipher = version === 3 ? wrapped.u8() : 0
  const curve = material.curve === 'X448' ? 'X448' : 'X25519'
  const found = unwrapKey(deriveXKey(curve, point, material.point, shared), wrapped.rest())
  return found && fitting(cipher, found, version)
}

/** RFC 9580 §5.1.4: the message behind its padding. The caller makes all errors one. */
function elgamalPlain(
  material: Extract<PublicMaterial, { kind: 'elgamal' }>,
  object: KeyObject,
  fields: OctetReader,
): Buffer {
  const publicKey = elgamalPublicKey(material, fields.mpi())
  const inverse = diffieHellman({ privateKey: object, publicKey })
  const encoded = leftPadded(
    magnitude((number(fields.mpi()) * number(inverse)) % number(material.p)),
    material.p.length,
  )
  wipe(inverse)
  // RFC 8017 §7.2.2: 00 02, at least eight octets that are not 0, 00
  const end = encoded.indexOf(0, 2)
  if (encoded[0] !== 0 || encoded[1] !== 2 || end < 10) throw new MalformedOpenPgp('padding')
  return encoded.subarray(end + 1)
}

function ephemeralKey(material: Extract<PublicMaterial, { kind: 'okp' | 'ec' }>, point: Buffer): KeyObject {
  if (material.kind === 'ec') return publicKeyObject({ ...material, point })!
  if (point.length !== 33 || point[0] !== 0x40) throw new MalformedOpenPgp('point of a wrong form')
  return okpPublicKey(material.curve, point.subarray(1))
}

/** RFC 9580 §11.5: PKCS #5 padding, of up to the whole 40 octets. */
function paddingOf(plain: Buffer): number {
  const padding = plain.at(-1)!
  if (padding === 0 || padding > plain.length) throw new MalformedOpenPgp('padding')
  for (const octet of plain.subarray(-padding)) if (octet !== padding) throw new MalformedOpenPgp('padding')
  return padding
}

/** RFC 9580 §5.1.3: cipher (version 3), key, sum of the key's octets. */
function readChecksummed(plain: Buffer, end: number, version: 3 | 6): SessionKey | null {
  const head = version === 3 ? 1 : 0
  const key = plain.subarray(head, end - 2)
  let sum = 0
  for (const octet of key) sum += octet
  if (plain.readUInt16BE(end - 2) !== (sum & 0xffff)) return null
  return fitting(head ? plain[0]! : 0, key, version)
}

function fitting(cipher: number, key: Buffer, version: 3 | 6): SessionKey | null {
  const fits = version === 3 ? cipherKeySize(cipher) === key.length : [16, 24, 32].includes(key.length)
  return fits ? { cipher, key } : null
}
