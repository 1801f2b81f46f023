/** Opens sealed messages with their session key: integrity first, then what is inside. Signatures inside are not judged here. */
import { inflateRawSync, inflateSync } from 'node:zlib'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { dearmor, isArmored } from './armor.ts'
import { OctetReader } from './octet-reader.ts'
import { MalformedOpenPgp, PacketType } from './openpgp.ts'
import { type Packet, readPackets } from './packets.ts'
import { decryptSeipd1 } from './seipd1.ts'
import { decryptSeipd2 } from './seipd2.ts'
import type { SessionKey } from './session-key.ts'
import { readStored } from './stored.ts'

export interface SplitMessage {
  /** Bodies of the PKESK packets. */
  readonly pkesks: readonly Bytes[]
  /** The SEIPD packet, header included. */
  readonly container: Bytes
}

/** A message for more people than this is not for one of ours. */
const MOST_RECIPIENTS = 1000

/**
 * Takes an encrypted message apart (RFC 9580 §10.3), binary or armored. Throws MalformedOpenPgp for anything else, and for a
 * container without integrity protection.
 */
export function splitMessage(message: Bytes): SplitMessage {
  const { pkesks, container } = split(message)
  return { pkesks, container: container.octets }
}

function split(message: Bytes): { pkesks: readonly Bytes[]; container: Packet } {
  const pkesks: Bytes[] = []
  let container: Packet | null = null
  for (const packet of readPackets(isArmored(message) ? dearmor(message).octets : message)) {
    if (packet.type === PacketType.marker || packet.type === PacketType.padding) continue
    if (container) throw new MalformedOpenPgp('something follows the encrypted container')
    if (packet.type === PacketType.seipd) container = packet
    else if (packet.type === PacketType.pkesk) pkesks.push(packet.body)
    else if (packet.type === PacketType.sed) throw new MalformedOpenPgp('encrypted without integrity protection')
    else if (packet.type !== PacketType.skesk) throw new MalformedOpenPgp('not an encrypted message')
    if (pkesks.length > MOST_RECIPIENTS) throw new MalformedOpenPgp('too many recipients')
  }
  if (!container) throw new MalformedOpenPgp('not an encrypted message')
  return { pkesks, container }
}

/** Largest content that is taken out of compression: four times the largest message. */
const LARGEST_CONTENT = 200 << 20

/**
 * The exact octets of the literal packet inside. They share memory with the decrypted message.
 *
 * Throws IntegrityError when the container was changed or the session key is another one's, MalformedOpenPgp for everything
 * else; in both cases nothing of the plaintext is handed out.
 */
export function unseal(message: Bytes, sessionKey: SessionKey, largest: number = LARGEST_CONTENT): Bytes {
  return literalContent(decryptContainer(split(message).container.body, sessionKey), largest)
}

/** The packets inside the container, checked for integrity. */
export function decryptContainer(body: Bytes, sessionKey: SessionKey): Buffer {
  if (body[0] === 1) return decryptSeipd1(body, sessionKey)
  if (body[0] === 2) return decryptSeipd2(body, sessionKey)
  throw new MalformedOpenPgp('container of an unknown version')
}

function literalContent(packets: Buffer, largest: number): Bytes {
  const outer = significant(packets)
  if (outer.type !== PacketType.compressed) return contentOf(outer)
  // RFC 9580 §10.3 allows compression in compression; one level is all that anybody writes
  return contentOf(significant(decompress(outer.body, largest)))
}

/** Around the one packet that matters, these are allowed: signatures and what every reader skips (RFC 9580 §4.3). */
function significant(packets: Buffer): Packet {
  let found: Packet | null = null
  for (const packet of readPackets(packets)) {
    if (packet.type === PacketType.literal || packet.type === PacketType.compressed) {
      if (found) throw new MalformedOpenPgp('more than one content')
      found = packet
    } else if (!SKIPPED.has(packet.type) && packet.type < FIRST_NON_CRITICAL) {
      throw new MalformedOpenPgp('unexpected packet in a message')
    }
  }
  if (!found) throw new MalformedOpenPgp('a message without content')
  return found
}

const SKIPPED: ReadonlySet<number> = new Set([
  PacketType.signature,
  PacketType.onePass,
  PacketType.marker,
  PacketType.padding,
])
const FIRST_NON_CRITICAL = 40

function contentOf(literal: Packet): Bytes {
  if (literal.type !== PacketType.literal) throw new MalformedOpenPgp('nested too deep')
  const reader = new OctetReader(literal.body)
  reader.u8()
  reader.take(reader.u8())
  reader.u32()
  return reader.rest()
}

function decompress(body: Bytes, largest: number): Buffer {
  const octets = asBuffer(body).subarray(1)
  // RFC 9580 §9.4
  if (body[0] === 0) return octets
  const options = { maxOutputLength: largest }
  try {
    if (body[0] === 1) return readStored(octets) ?? inflateRawSync(octets, options)
    if (body[0] === 2) return inflateSync(octets, options)
  } catch {
    throw new MalformedOpenPgp('compressed content is broken or too large')
  }
  throw new MalformedOpenPgp('unknown compression')
}
