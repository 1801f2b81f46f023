/**
 * Seals octets to recipients: encryption only, in the form of RFC 9580 §10.3 that every program reads. A literal packet with
 * the exact octets, no file name, no date; around it as much padding as hides the size; one container; one PKESK per key.
 */
import type { Bytes } from '#lib/bytes.ts'
import { fillRandom, randomOctets } from '#lib/random.ts'
import type { EncryptionKey } from './certificate.ts'
import { alignedBuffer } from './cfb.ts'
import { cipherKeySize, MalformedOpenPgp, PacketType } from './openpgp.ts'
import { headerSize, writeHeader } from './packets.ts'
import { paddedSize } from './padme.ts'
import { writePkesk } from './pkesk.ts'
import { seipd1Size, writeSeipd1 } from './seipd1.ts'
import { Aead, encryptSeipd2, seipd2Size } from './seipd2.ts'
import type { SessionKey } from './session-key.ts'
import { canPad, storedSize, writeStored } from './stored.ts'

export interface Sealed {
  /** Binary. */
  readonly message: Buffer
  /** How many of its first octets are PKESK packets. */
  readonly pkesksEnd: number
  /** Opens this message alone. Its `key` is the caller's to wipe. */
  readonly sessionKey: SessionKey
}

export interface SealOptions {
  /**
   * From the octets that the encrypted packets need to the octets that they shall have, never fewer; the size of the message
   * depends on the result alone. Called again with a larger size when the answer cannot be made. Padmé by default.
   */
  readonly padTo?: (size: number) => number
  /** Used instead of a fresh one; a session key must be used for one message only. */
  readonly sessionKey?: SessionKey
  /**
   * A message to the same keys whose PKESKs and session key this one shares, so that one public-key operation serves both: only
   * for two messages of which whoever opens the one may open the other. Each container has randomness of its own: the CFB
   * prefix of version 1 (RFC 9580 §5.13.1), the salt of version 2 (§5.13.2).
   */
  readonly beside?: Sealed
}

/** A header with a length field of five octets, whatever the length: sizes stay simple sums. */
const WIDE_HEADER = 6
/** Format, empty file name, date (RFC 9580 §5.9). */
const LITERAL_FIELDS = 6
const LITERAL_HEAD = WIDE_HEADER + LITERAL_FIELDS
const NOTHING = Buffer.alloc(0)
const LARGEST = 0x7fff_ffff - (1 << 20)

/** Throws MalformedOpenPgp for a key that cannot be encrypted to. At least one key. */
export function seal(keys: readonly EncryptionKey[], content: Bytes, options: SealOptions = {}): Sealed {
  if (keys.length === 0) throw new MalformedOpenPgp('nobody to seal to')
  return sealPackets(keys, { head: literalHead(content.length), content, tail: NOTHING }, options)
}

/** Packets as they are to stand inside: `content` comes between the two others, and is not copied to be joined to them. */
export interface InnerPackets {
  readonly head: Bytes
  readonly content: Bytes
  readonly tail: Bytes
}

/** Seals packets, such as signed content. Without keys the caller must have other ways to hand on the session key. */
export function sealPackets(keys: readonly EncryptionKey[], inner: InnerPackets, options: SealOptions = {}): Sealed {
  if (inner.content.length > LARGEST) throw new MalformedOpenPgp('too large to seal')
  // RFC 9580 §13.7.2: version 2 only if every recipient reads it
  const aead = keys.length > 0 && keys.every((key) => key.seipdv2)
  const suite = aead ? commonSuite(keys) : commonCipher(keys) << 8
  const { beside, padTo = paddedSize } = options
  const sessionKey = beside?.sessionKey ?? options.sessionKey ?? freshSessionKey(suite >> 8)
  const pkesks = beside
    ? [beside.message.subarray(0, beside.pkesksEnd)]
    : keys.map((key) => writePkesk(key, sessionKey, aead ? 6 : 3))
  const pkesksEnd = pkesks.reduce((size, pkesk) => size + pkesk.length, 0)
  const message = aead
    ? Buffer.concat([...pkesks, ...sealVersion2(inner, padTo, sessionKey, suite & 0xff)])
    : sealVersion1(inner, padTo, sessionKey, pkesks)
  return { message, pkesksEnd, sessionKey }
}

function freshSessionKey(cipher: number): SessionKey {
  return { cipher, key: randomOctets(cipherKeySize(cipher)!) }
}

function sizeOf({ head, content, tail }: InnerPackets): number {
  return head.length + content.length + tail.length
}

function sealVersion1(
  inner: InnerPackets,
  padTo: (size: number) => number,
  sessionKey: SessionKey,
  pkesks: readonly Buffer[],
): Buffer {
  const size = padded(WIDE_HEADER + 1 + storedSize(sizeOf(inner)), padTo, canPad)
  const container = seipd1Size(size)
  const before = pkesks.reduce((sum, pkesk) => sum + pkesk.length, headerSize(container))
  const message = alignedBuffer(before + container, before + 1)
  let at = 0
  for (const pkesk of pkesks) at += pkesk.copy(message, at)
  at = writeHeader(message, at, PacketType.seipd, container)
  writeSeipd1(message.subarray(at), sessionKey, (plain) => {
    wideHeader(plain, PacketType.compressed, size - WIDE_HEADER)
    plain[WIDE_HEADER] = 1 // ZIP, RFC 9580 §9.4
    writeStored(plain.subarray(WIDE_HEADER + 1), [inner.head, inner.content, inner.tail])
  })
  return message
}

function sealVersion2(
  inner: InnerPackets,
  padTo: (size: number) => number,
  { cipher, key }: SessionKey,
  aead: number,
): Buffer[] {
  const needed = sizeOf(inner)
  const size = padded(needed, padTo, (gap) => gap === 0 || gap >= WIDE_HEADER)
  const plain = Buffer.allocUnsafe(size)
  plain.set(inner.head)
  plain.set(inner.content, inner.head.length)
  plain.set(inner.tail, needed - inner.tail.length)
  if (size > needed) {
    // RFC 9580 §5.14
    wideHeader(plain.subarray(needed), PacketType.padding, size - needed - WIDE_HEADER)
    fillRandom(plain.subarray(needed + WIDE_HEADER))
  }
  const header = Buffer.allocUnsafe(headerSize(seipd2Size(size)))
  writeHeader(header, 0, PacketType.seipd, seipd2Size(size))
  const pieces = encryptSeipd2(plain, cipher, aead, key)
  plain.fill(0)
  return [header, ...pieces]
}

function padded(needed: number, padTo: (size: number) => number, possible: (gap: number) => boolean): number {
  for (let ask = needed; ; ask++) {
    const size = padTo(ask)
    if (size >= needed && possible(size - needed)) return size
  }
}

function wideHeader(target: Buffer, type: number, size: number): void {
  target[0] = 0xc0 | type
  target[1] = 0xff
  target.writeUInt32BE(size, 2)
}

/** What comes before `size` octets of content to make them a literal packet: format `b` or `u`, no file name, date 0. */
export function literalHead(size: number, format: 'b' | 'u' = 'b'): Buffer {
  const head = Buffer.alloc(LITERAL_HEAD)
  wideHeader(head, PacketType.literal, LITERAL_FIELDS + size)
  head.write(format, WIDE_HEADER, 'latin1')
  return head
}

/** RFC 9580 §12.2: AES-256 if all have it, else what none need announce. */
function commonCipher(keys: readonly EncryptionKey[]): number {
  return keys.every((key) => key.ciphers.includes(9)) ? 9 : 7
}

function commonSuite(keys: readonly EncryptionKey[]): number {
  const wanted = [(9 << 8) | Aead.gcm, (9 << 8) | Aead.ocb, (7 << 8) | Aead.gcm]
  const common = wanted.find((suite) => keys.every((key) => key.ciphersuites.includes(suite)))
  return common ?? (7 << 8) | Aead.ocb
}
