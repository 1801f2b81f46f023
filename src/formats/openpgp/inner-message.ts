/** What stands inside a container, or in the open in a signed message: content and the signatures over it (RFC 9580 §10.3). */
import { inflateRawSync, inflateSync } from 'node:zlib'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { OctetReader } from './octet-reader.ts'
import { MalformedOpenPgp, PacketType } from './openpgp.ts'
import { type Packet, readPackets } from './packets.ts'
import { readStored } from './stored.ts'

export interface InnerMessage {
  /** The literal packet's exact octets; they share memory with the packets. */
  readonly content: Bytes
  /** Bodies of the signature packets; nobody has judged them. */
  readonly signatures: readonly Bytes[]
}

/** Largest content that is taken out of compression: four times the largest message. */
export const LARGEST_CONTENT = 200 << 20
const MOST_SIGNATURES = 100
/** RFC 9580 §4.3: from here on a packet that is not known is skipped. */
const FIRST_NON_CRITICAL = 40

const SKIPPED: ReadonlySet<number> = new Set([PacketType.onePass, PacketType.marker, PacketType.padding])

/**
 * Throws MalformedOpenPgp for anything but one content, at most once compressed, with signatures around it. What was compressed
 * without becoming smaller is put together where it lies: `packets` are none afterwards.
 */
export function readInnerMessage(packets: Bytes, largest: number = LARGEST_CONTENT): InnerMessage {
  const outer = significant(packets)
  if (outer.content.type !== PacketType.compressed) return literal(outer)
  if (outer.signatures.length > 0) throw new MalformedOpenPgp('signatures around compressed content')
  // RFC 9580 §10.3 allows compression in compression; one level is all that anybody writes
  const inner = significant(decompress(outer.content.body, largest))
  if (inner.content.type === PacketType.compressed) throw new MalformedOpenPgp('nested too deep')
  return literal(inner)
}

interface Significant {
  readonly content: Packet
  readonly signatures: readonly Bytes[]
}

function significant(packets: Bytes): Significant {
  let content: Packet | null = null
  const signatures: Bytes[] = []
  for (const packet of readPackets(packets)) {
    if (packet.type === PacketType.literal || packet.type === PacketType.compressed) {
      if (content) throw new MalformedOpenPgp('more than one content')
      content = packet
    } else if (packet.type === PacketType.signature) {
      if (signatures.push(packet.body) > MOST_SIGNATURES) throw new MalformedOpenPgp('too many signatures')
    } else if (!SKIPPED.has(packet.type) && packet.type < FIRST_NON_CRITICAL) {
      throw new MalformedOpenPgp('unexpected packet in a message')
    }
  }
  if (!content) throw new MalformedOpenPgp('a message without content')
  return { content, signatures }
}

function literal({ content, signatures }: Significant): InnerMessage {
  const reader = new OctetReader(content.body)
  reader.u8()
  reader.take(reader.u8())
  reader.u32()
  return { content: reader.rest(), signatures }
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
