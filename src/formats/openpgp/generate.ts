/**
 * Makes an account's keys: a version 4 certificate that every OpenPGP program reads, GnuPG 2.2 included. The primary key
 * certifies and signs, one subkey is sealed to, nothing expires by itself.
 */
import { wipe } from '#lib/bytes.ts'
import { armor } from './armor.ts'
import { hashedKey } from './key-packet.ts'
import { type KeyAlgorithm, makeKey } from './new-key.ts'
import { PacketType } from './openpgp.ts'
import { packet } from './packets.ts'
import { SignatureType } from './signature.ts'
import { subpacket, writeSignature } from './signature-write.ts'

export interface GenerateOptions {
  /** As it shall stand in the certificate, such as `Ada <ada@alpha.test>`; up to 4096 octets of UTF-8. */
  readonly userId: string
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
export async function generateKeys({ userId, algorithm, created }: GenerateOptions): Promise<GeneratedKeys> {
  const time = created.getTime()
  const primary = await makeKey(algorithm, 'signing', time)
  const subkey = await makeKey(algorithm, 'encryption', time)
  const name = Buffer.from(userId, 'utf8')
  const whole = hashedKey(4, primary.key.body)
  const certification = writeSignature(primary, { type: 0x13, created: time, subpackets: preferences() }, [
    whole,
    userIdPrefix(name.length),
    name,
  ])
  const flags = { type: SignatureType.subkeyBinding, created: time, subpackets: [subpacket(27, Buffer.of(ENCRYPTS))] }
  const binding = writeSignature(primary, flags, [whole, hashedKey(4, subkey.key.body)])
  const reason = { type: SignatureType.keyRevocation, created: time, subpackets: [subpacket(29, Buffer.of(0))] }
  const revocation = writeSignature(primary, reason, [whole])
  const user = packet(PacketType.userId, name)
  const secret = Buffer.concat([
    packet(PacketType.secretKey, primary.body),
    user,
    certification,
    packet(PacketType.secretSubkey, subkey.body),
    binding,
  ])
  const certificate = Buffer.concat([
    packet(PacketType.publicKey, primary.key.body),
    user,
    certification,
    packet(PacketType.publicSubkey, subkey.key.body),
    binding,
  ])
  wipe(primary.body)
  wipe(subkey.body)
  return {
    secret,
    certificate,
    revocation: armor('PUBLIC KEY BLOCK', revocation, { headers: ['Comment: This revokes the key'] }),
  }
}

function userIdPrefix(size: number): Buffer {
  const prefix = Buffer.of(0xb4, 0, 0, 0, 0)
  prefix.writeUInt32BE(size, 1)
  return prefix
}

/** AES, SHA-2, no compression (it leaks through sizes), SEIPDv1; changes only by the owner. */
function preferences(): Buffer[] {
  return [
    subpacket(27, Buffer.of(CERTIFIES_AND_SIGNS)),
    subpacket(25, Buffer.of(1)),
    subpacket(11, Buffer.of(9, 8, 7)),
    subpacket(21, Buffer.of(10, 9, 8)),
    subpacket(22, Buffer.of(0)),
    subpacket(23, Buffer.of(0x80)),
    subpacket(30, Buffer.of(0x01)),
  ]
}
