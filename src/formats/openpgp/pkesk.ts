/** Public-key encrypted session keys (RFC 9580 §5.1), versions 3 and 6: the part of a message that says for whom it is. */
import { constants, diffieHellman, type KeyObject, publicEncrypt } from 'node:crypto'
import { type Bytes, secretBuffer } from '#lib/bytes.ts'
import type { EncryptionKey } from './certificate.ts'
import { deriveEcdhKey, deriveXKey, kdfParameters, wrapKey } from './ecdh.ts'
import { ephemeralFor } from './ephemeral-keys.ts'
import { ecPoint, okpPoint, publicKeyObject } from './key-object.ts'
import { type Kdf, type PublicKeyPacket, parsePublicKey } from './key-packet.ts'
import { OctetReader, writeMpi } from './octet-reader.ts'
import { MalformedOpenPgp, PacketType } from './openpgp.ts'
import { packet } from './packets.ts'
import type { SessionKey } from './session-key.ts'

/** What a recipient's key needs again for each message. */
interface Prepared {
  readonly key: PublicKeyPacket
  readonly object: KeyObject
  /** Of ECDH keys. */
  readonly parameters: Buffer | null
}

const prepared = new WeakMap<EncryptionKey, Prepared>()

function prepare(recipient: EncryptionKey): Prepared {
  const found = prepared.get(recipient)
  if (found) return found
  const key = parsePublicKey(recipient.material)
  const object = publicKeyObject(key.material)
  if (!object || key.material.kind === 'dsa' || key.material.kind === 'elgamal')
    throw new MalformedOpenPgp('a key of this kind cannot be encrypted to')
  const kdf = key.material.kind === 'okp' || key.material.kind === 'ec' ? key.material.kdf : null
  const parameters = kdf && kdfParameters(kdf, Buffer.from(key.fingerprint, 'hex'))
  const made = { key, object, parameters }
  prepared.set(recipient, made)
  return made
}

/** Writes the packet that gives `sessionKey` to `recipient`: version 6 goes with SEIPDv2, version 3 with SEIPDv1. */
export function writePkesk(recipient: EncryptionKey, sessionKey: SessionKey, version: 3 | 6): Buffer {
  const { key, object, parameters } = prepare(recipient)
  const algorithm = Buffer.of(recipient.algorithm)
  const fields = encryptFor(key, object, parameters, { ...sessionKey, version })
  if (version === 3) return packet(PacketType.pkesk, Buffer.of(3), recipient.keyId, algorithm, ...fields)
  const fingerprint = Buffer.from(recipient.fingerprint, 'hex')
  const about = Buffer.of(6, fingerprint.length + 1, recipient.version)
  return packet(PacketType.pkesk, about, fingerprint, algorithm, ...fields)
}

const TRIAL: SessionKey = { cipher: 7, key: Buffer.alloc(16) }

/** Whether anything can be encrypted to the key at all. Nobody looks at points and moduli before they are used. */
export function isEncryptable(recipient: EncryptionKey): boolean {
  try {
    return writePkesk(recipient, TRIAL, 3).length > 0
  } catch {
    return false
  }
}

/** RFC 9580 §11.2: marks a point in its curve's native form. */
const NATIVE_FORM = Buffer.of(0x40)

interface Wanted extends SessionKey {
  readonly version: 3 | 6
}

function encryptFor(
  { material }: PublicKeyPacket,
  object: KeyObject,
  parameters: Buffer | null,
  wanted: Wanted,
): readonly Bytes[] {
  if (material.kind === 'rsa') {
    // RFC 9580 §5.1.3
    const plain = checksummed(wanted, 0)
    const cipher = publicEncrypt({ key: object, padding: constants.RSA_PKCS1_PADDING }, plain)
    plain.fill(0)
    return [writeMpi(cipher)]
  }
  if (material.kind !== 'okp' && material.kind !== 'ec') {
    throw new MalformedOpenPgp('a key of this kind cannot be encrypted to')
  }
  const ephemeral = ephemeralFor(object)
  const shared = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: object })
  if (material.kind === 'ec') {
    return ecdhFields(material.kdf!, parameters!, ecPoint(ephemeral.publicKey, material.curve.size), shared, wanted)
  }
  const point = okpPoint(ephemeral.publicKey)
  if (material.kdf) return ecdhFields(material.kdf, parameters!, Buffer.concat([NATIVE_FORM, point]), shared, wanted)
  const curve = material.curve === 'X448' ? 'X448' : 'X25519'
  const wrapped = wrapKey(deriveXKey(curve, point, material.point, shared), wanted.key)
  // RFC 9580 §5.1.6: version 3 names the cipher in clear
  if (wanted.version === 6) return [point, Buffer.of(wrapped.length), wrapped]
  return [point, Buffer.of(wrapped.length + 1, wanted.cipher), wrapped]
}

function ecdhFields(kdf: Kdf, parameters: Buffer, point: Buffer, shared: Buffer, wanted: Wanted): readonly Bytes[] {
  // RFC 9580 §11.5: padded to 40 octets whatever the cipher, so that the size says nothing
  const plain = checksummed(wanted, 40)
  const wrapped = wrapKey(deriveEcdhKey(kdf, parameters, shared), plain)
  plain.fill(0)
  return [writeMpi(point), Buffer.of(wrapped.length), wrapped]
}

/** RFC 9580 §5.1.3: cipher (version 3), key, sum of the key's octets; then PKCS #5 padding up to `size`. */
function checksummed({ version, cipher, key }: Wanted, size: number): Buffer {
  const head = version === 3 ? 1 : 0
  const plain = secretBuffer(Math.max(size, head + key.length + 2))
  if (head) plain[0] = cipher
  plain.set(key, head)
  let sum = 0
  for (const octet of key) sum += octet
  plain.writeUInt16BE(sum & 0xffff, head + key.length)
  const end = head + key.length + 2
  return plain.fill(plain.length - end, end)
}

/** For whom a PKESK is, before anything is decrypted. */
export interface PkeskAddress {
  readonly version: 3 | 6
  readonly algorithm: number
  /** Upper-case hex: key id (version 3) or fingerprint (version 6); null: hidden, to be tried with each key. */
  readonly recipient: string | null
  /** Behind the algorithm octet. */
  readonly fields: OctetReader
}

/** Reads a PKESK's body. null: a version that we do not read. Throws MalformedOpenPgp. */
export function readPkesk(body: Bytes): PkeskAddress | null {
  const reader = new OctetReader(body)
  const version = reader.u8()
  if (version === 3) {
    const keyId = reader.take(8).toString('hex').toUpperCase()
    return { version, recipient: /^0+$/.test(keyId) ? null : keyId, algorithm: reader.u8(), fields: reader }
  }
  if (version !== 6) return null
  const about = reader.take(reader.u8())
  const recipient = about.length === 0 ? null : about.subarray(1).toString('hex').toUpperCase()
  return { version, recipient, algorithm: reader.u8(), fields: reader }
}
