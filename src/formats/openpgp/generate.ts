/**
 * Makes an account's keys: a version 4 certificate that every OpenPGP program reads, GnuPG 2.2 included, or version 6 on wish. The
 * primary key certifies and signs, one subkey is sealed to, nothing expires by itself.
 */
import { wipe } from '#lib/bytes.ts'
import { hashedKey } from './key-packet.ts'
import { type KeyAlgorithm, makeKey } from './new-key.ts'
import { PacketType } from './openpgp.ts'
import { packet } from './packets.ts'
import { revocationBy } from './revocation.ts'
import type { SecretKey } from './secret-material.ts'
import { SignatureType } from './signature.ts'
import { subpacket, writeSignature } from './signature-write.ts'

export interface GenerateOptions {
  /** As it shall stand in the certificate, such as `Ada <ada@alpha.test>`; up to 4096 octets of UTF-8. */
  readonly userId: string
  /** More of them, behind the first, which stays the primary one. */
  readonly otherUserIds?: readonly string[]
  readonly algorithm: KeyAlgorithm
  readonly created: Date
}

export interface GeneratedKeys {
  /** Unlocked transferable secret key, binary: the caller locks and wipes it. */
  readonly secret: Buffer
  readonly certificate: Buffer
  /** Armored generic revocation, reason 0 (RFC 9580 §5.2.3.31), as GnuPG imports it. */
  readonly revocation: string
}

/** RFC 9580 §5.2.3.29 */
const CERTIFIES_AND_SIGNS = 0x03
const ENCRYPTS = 0x0c

/** Every call makes new keys. Each signature in it was verified. */
export function generateKeys(options: GenerateOptions): Promise<GeneratedKeys> {
  const { userId, otherUserIds = [], algorithm, created } = options
  return makeTransferableKey({ userIds: [userId, ...otherUserIds], algorithm, created, encrypts: true })
}

export interface TransferableKeyOptions {
  /** The first is the primary one; none at all is possible. */
  readonly userIds: readonly string[]
  readonly algorithm: KeyAlgorithm
  readonly created: Date
  /** With a subkey to seal to. */
  readonly encrypts: boolean
}

/** Like `generateKeys`, for keys that are not an account's. */
export async function makeTransferableKey(options: TransferableKeyOptions): Promise<GeneratedKeys> {
  const time = options.created.getTime()
  const primary = await makeKey(options.algorithm, 'signing', time)
  const subkey = options.encrypts ? await makeKey(options.algorithm, 'encryption', time) : null
  const { version } = primary.key
  const whole = hashedKey(version, primary.key.body)
  const identity = identityPackets(primary, whole, options.userIds, time)
  const secret = [packet(PacketType.secretKey, primary.body), identity]
  const certificate = [packet(PacketType.publicKey, primary.key.body), identity]
  if (subkey) {
    const wish = { type: SignatureType.subkeyBinding, created: time, subpackets: [subpacket(27, Buffer.of(ENCRYPTS))] }
    const binding = writeSignature(primary, wish, [whole, hashedKey(version, subkey.key.body)])
    secret.push(packet(PacketType.secretSubkey, subkey.body), binding)
    certificate.push(packet(PacketType.publicSubkey, subkey.key.body), binding)
    wipe(subkey.body)
  }
  const made = { secret: Buffer.concat(secret), certificate: Buffer.concat(certificate) }
  const revocation = revocationBy(primary, { created: time, reason: 0, text: '' })
  for (const part of [primary.body, ...secret]) wipe(part)
  return { ...made, revocation }
}

/**
 * User ids with their certifications. The preferences stand in these, or in a direct-key signature where there are none and in
 * version 6 (RFC 9580 §10.1.1).
 */
function identityPackets(primary: SecretKey, whole: Buffer, userIds: readonly string[], created: number): Buffer {
  const { version } = primary.key
  const preferences = preferencesOf(version)
  const isDirect = version === 6 || userIds.length === 0
  const wish = { type: SignatureType.directKey, created, subpackets: preferences }
  const direct = isDirect ? [writeSignature(primary, wish, [whole])] : []
  const packets = userIds.flatMap((userId, index) => {
    const name = Buffer.from(userId, 'utf8')
    const main = index === 0 ? [subpacket(25, Buffer.of(1))] : []
    const wish = {
      type: SignatureType.positiveCertification,
      created,
      subpackets: [...(isDirect ? [] : preferences), ...main],
    }
    const certification = writeSignature(primary, wish, [whole, userIdPrefix(name.length), name])
    return [packet(PacketType.userId, name), certification]
  })
  return Buffer.concat([...direct, ...packets])
}

function userIdPrefix(size: number): Buffer {
  const prefix = Buffer.of(0xb4, 0, 0, 0, 0)
  prefix.writeUInt32BE(size, 1)
  return prefix
}

/** AES, SHA-2, no compression (it leaks through sizes), SEIPDv1, in version 6 SEIPDv2 too; changes only by the owner. */
function preferencesOf(version: 4 | 6): Buffer[] {
  const suites = version === 6 ? [subpacket(39, Buffer.of(9, 3, 9, 2, 7, 2))] : []
  return [
    subpacket(27, Buffer.of(CERTIFIES_AND_SIGNS)),
    subpacket(11, Buffer.of(9, 8, 7)),
    subpacket(21, Buffer.of(10, 9, 8)),
    subpacket(22, Buffer.of(0)),
    subpacket(23, Buffer.of(0x80)),
    subpacket(30, Buffer.of(version === 6 ? 0x09 : 0x01)),
    ...suites,
  ]
}
