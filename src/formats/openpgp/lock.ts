/**
 * Locks secret keys with a passphrase (RFC 9580 §3.7.2): iterated and salted SHA-256, AES-256 in CFB mode with SHA-1 check,
 * which every program opens, GnuPG 2.2 included; in version 6 Argon2 and AES-256 in OCB mode.
 */
import { createCipheriv, hash, hkdfSync, randomBytes } from 'node:crypto'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { armor } from './armor.ts'
import { parseSecretPacket } from './key-packet.ts'
import { PacketType } from './openpgp.ts'
import { packet, readPackets } from './packets.ts'
import { decodeCount, deriveKey } from './s2k.ts'
import { LockedSecretKey } from './secret-material.ts'
import { Aead } from './seipd2.ts'

/** The largest count there is (RFC 9580 §3.7.1.3): 65 million octets are hashed. */
const COUNT_OCTET = 0xff
const AES256 = 9
const SHA256 = 8
const ITERATED = 3
/** RFC 9580 §3.7.2.1 */
const USAGE_SHA1_CHECKED = 254
const USAGE_AEAD = 253
/** RFC 9106 §4, second choice: 64 MiB. */
const ARGON2 = { passes: 3, lanes: 4 }
const ARGON2_EXPONENT = 16
const ARGON2_S2K = 4

/**
 * Locks a transferable secret key with a passphrase, for its owner to take away; armored. The caller wipes `tsk` and
 * `passphrase`. Throws MalformedOpenPgp, and LockedSecretKey when it is locked already.
 */
export async function lockForExport(tsk: Bytes, passphrase: Buffer): Promise<string> {
  const locked = await lockSecretKey(tsk, passphrase)
  const [primary] = readPackets(locked)
  return armor('PRIVATE KEY BLOCK', locked, { checksum: primary?.body[0] === 4 })
}

/** The same in binary. */
export async function lockSecretKey(tsk: Bytes, passphrase: Buffer): Promise<Buffer> {
  const locked: Bytes[] = []
  for (const { type, body, octets } of readPackets(tsk)) {
    const isSecret = type === PacketType.secretKey || type === PacketType.secretSubkey
    locked.push(isSecret ? packet(type, await lockSecretPacket(type, body, passphrase)) : octets)
  }
  return Buffer.concat(locked)
}

async function lockSecretPacket(type: number, body: Bytes, passphrase: Buffer): Promise<Buffer> {
  const { key, rest } = parseSecretPacket(body)
  if (rest.u8() !== 0) throw new LockedSecretKey()
  return key.version === 6
    ? lockVersion6(type, key.body, rest.rest(), passphrase)
    : lockVersion4(key.body, rest.rest().subarray(0, -2), passphrase)
}

async function lockVersion4(open: Bytes, fields: Buffer, passphrase: Buffer): Promise<Buffer> {
  const salt = randomBytes(8)
  const iv = randomBytes(16)
  const kek = await deriveKey({ kind: 'iterated', hash: SHA256, salt, count: decodeCount(COUNT_OCTET) }, passphrase, 32)
  const plain = Buffer.concat([fields, hash('sha1', fields, 'buffer')])
  const encrypted = createCipheriv('aes-256-cfb', kek, iv).update(plain)
  wipe(plain)
  wipe(kek)
  const s2k = Buffer.of(USAGE_SHA1_CHECKED, AES256, ITERATED, SHA256, ...salt, COUNT_OCTET)
  return Buffer.concat([open, s2k, iv, encrypted])
}

/** RFC 9580 §5.5.3, §3.7.2.1: whoever reads version 6 reads Argon2 and OCB. */
async function lockVersion6(type: number, open: Bytes, fields: Buffer, passphrase: Buffer): Promise<Buffer> {
  const salt = randomBytes(16)
  const nonce = randomBytes(15)
  const derived = await deriveKey({ kind: 'argon2', salt, ...ARGON2, memory: 1 << ARGON2_EXPONENT }, passphrase, 32)
  const about = Buffer.of(0xc0 | type, 6, AES256, Aead.ocb)
  const kek = Buffer.from(hkdfSync('sha256', derived, '', about, 32))
  const cipher = createCipheriv('aes-256-ocb', kek, nonce, { authTagLength: 16 })
  cipher.setAAD(Buffer.concat([about.subarray(0, 1), open]))
  const encrypted = [cipher.update(fields), cipher.final(), cipher.getAuthTag()]
  wipe(derived)
  wipe(kek)
  const s2k = Buffer.of(ARGON2_S2K, ...salt, ARGON2.passes, ARGON2.lanes, ARGON2_EXPONENT)
  const parameters = Buffer.concat([Buffer.of(AES256, Aead.ocb, s2k.length), s2k, nonce])
  return Buffer.concat([open, Buffer.of(USAGE_AEAD, parameters.length), parameters, ...encrypted])
}
