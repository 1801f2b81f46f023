/**
 * Locks secret keys with a passphrase (RFC 9580 §3.7.2): iterated and salted SHA-256, AES-256 in CFB mode with SHA-1 check,
 * which every program opens, GnuPG 2.2 included.
 */
import { createCipheriv, hash, randomBytes } from 'node:crypto'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { armor } from './armor.ts'
import { parsePublicPart } from './key-packet.ts'
import { MalformedOpenPgp, PacketType } from './openpgp.ts'
import { packet, readPackets } from './packets.ts'
import { decodeCount, deriveKey } from './s2k.ts'
import { LockedSecretKey } from './secret-material.ts'

/** The largest count there is (RFC 9580 §3.7.1.3): 65 million octets are hashed. */
const COUNT_OCTET = 0xff
const AES256 = 9
const SHA256 = 8
const ITERATED = 3
/** RFC 9580 §3.7.2.1 */
const USAGE_SHA1_CHECKED = 254

/**
 * Locks a transferable secret key with a passphrase, for its owner to take away; armored. The caller wipes `tsk` and
 * `passphrase`. Throws MalformedOpenPgp, and LockedSecretKey when it is locked already.
 */
export async function lockForExport(tsk: Bytes, passphrase: Buffer): Promise<string> {
  return armor('PRIVATE KEY BLOCK', await lockSecretKey(tsk, passphrase))
}

/** The same in binary. */
export async function lockSecretKey(tsk: Bytes, passphrase: Buffer): Promise<Buffer> {
  const locked: Bytes[] = []
  for (const { type, body, octets } of readPackets(tsk)) {
    const isSecret = type === PacketType.secretKey || type === PacketType.secretSubkey
    locked.push(isSecret ? packet(type, await lockSecretPacket(body, passphrase)) : octets)
  }
  return Buffer.concat(locked)
}

async function lockSecretPacket(body: Bytes, passphrase: Buffer): Promise<Buffer> {
  const { key, rest } = parsePublicPart(body)
  if (key.version !== 4) throw new MalformedOpenPgp('only version 4 keys are locked this way')
  if (rest.u8() !== 0) throw new LockedSecretKey()
  const fields = rest.rest().subarray(0, -2)
  const salt = randomBytes(8)
  const iv = randomBytes(16)
  const kek = await deriveKey({ kind: 'iterated', hash: SHA256, salt, count: decodeCount(COUNT_OCTET) }, passphrase, 32)
  const plain = Buffer.concat([fields, hash('sha1', fields, 'buffer')])
  const encrypted = createCipheriv('aes-256-cfb', kek, iv).update(plain)
  wipe(plain)
  wipe(kek)
  const s2k = Buffer.of(USAGE_SHA1_CHECKED, AES256, ITERATED, SHA256, ...salt, COUNT_OCTET)
  return Buffer.concat([key.body, s2k, iv, encrypted])
}
