/** Packet framing (RFC 9580 §4.2): both header formats are read, the newer one is written. */
import type { Bytes } from '#lib/bytes.ts'
import { MalformedOpenPgp, PacketType } from './openpgp.ts'

export interface Packet {
  readonly type: number
  /** Shares memory with what was read, unless it came in partial lengths. */
  readonly body: Bytes
  /** Header and body as they were read. */
  readonly octets: Bytes
}

/** No certificate or message that we handle comes near it. */
const MOST_PACKETS = 20_000

/** RFC 9580 §4.2.1.4: only data packets may have a partial or an indeterminate length. */
const DATA_PACKETS: ReadonlySet<number> = new Set([
  PacketType.compressed,
  PacketType.sed,
  PacketType.literal,
  PacketType.seipd,
])

/** Reads packet after packet, to the end. Throws MalformedOpenPgp at the first octet that is not framed. */
export function* readPackets(octets: Bytes): Generator<Packet, void> {
  let at = 0
  for (let count = 0; at < octets.length; count++) {
    if (count === MOST_PACKETS) throw new MalformedOpenPgp('too many packets')
    const packet = packetAt(octets, at)
    yield packet
    at += packet.octets.length
  }
}

function packetAt(octets: Bytes, start: number): Packet {
  const header = octets[start]!
  if ((header & 0x80) === 0) throw new MalformedOpenPgp('not a packet')
  return header & 0x40 ? newFormat(octets, start, header & 0x3f) : oldFormat(octets, start, (header >> 2) & 0x0f)
}

function slice(octets: Bytes, type: number, start: number, from: number, size: number): Packet {
  const end = from + size
  if (end > octets.length) throw new MalformedOpenPgp('truncated packet')
  return { type, body: octets.subarray(from, end), octets: octets.subarray(start, end) }
}

function oldFormat(octets: Bytes, start: number, type: number): Packet {
  // RFC 9580 §4.2.2
  const form = octets[start]! & 3
  if (form === 3) {
    if (!DATA_PACKETS.has(type)) throw new MalformedOpenPgp('indeterminate length in a packet that must have one')
    return slice(octets, type, start, start + 1, octets.length - start - 1)
  }
  const width = 1 << form
  let size = 0
  for (let i = 0; i < width; i++) size = size * 256 + (octets[start + 1 + i] ?? Number.NaN)
  if (Number.isNaN(size)) throw new MalformedOpenPgp('truncated packet')
  return slice(octets, type, start, start + 1 + width, size)
}

interface Length {
  readonly size: number
  readonly width: number
  readonly partial: boolean
}

function newFormat(octets: Bytes, start: number, type: number): Packet {
  const first = lengthAt(octets, start + 1)
  if (!first.partial) return slice(octets, type, start, start + 1 + first.width, first.size)
  // RFC 9580 §4.2.1.4: the first part has at least 512 octets
  if (!DATA_PACKETS.has(type) || first.size < 512) throw new MalformedOpenPgp('partial length where none may be')
  const parts: Bytes[] = []
  let at = start + 1
  for (let length = first; ; length = lengthAt(octets, at)) {
    const part = slice(octets, type, at, at + length.width, length.size)
    parts.push(part.body)
    at += part.octets.length
    if (!length.partial) return { type, body: Buffer.concat(parts), octets: octets.subarray(start, at) }
  }
}

function lengthAt(octets: Bytes, at: number): Length {
  // RFC 9580 §4.2.1
  const first = octets[at]
  if (first === undefined) throw new MalformedOpenPgp('truncated packet')
  if (first < 192) return { size: first, width: 1, partial: false }
  if (first < 224) return { size: ((first - 192) << 8) + (octets[at + 1] ?? 0) + 192, width: 2, partial: false }
  if (first < 255) return { size: 1 << (first & 0x1f), width: 1, partial: true }
  let size = 0
  for (let i = 1; i <= 4; i++) size = size * 256 + (octets[at + i] ?? 0)
  return { size, width: 5, partial: false }
}

/** Octets of the header that `writeHeader` makes. */
export function headerSize(size: number): number {
  return size < 192 ? 2 : size < 8384 ? 3 : 6
}

/** Writes a packet header at `at`; answers where the body begins. */
export function writeHeader(target: Buffer, at: number, type: number, size: number): number {
  target[at] = 0xc0 | type
  if (size < 192) {
    target[at + 1] = size
  } else if (size < 8384) {
    target[at + 1] = ((size - 192) >> 8) + 192
    target[at + 2] = (size - 192) & 0xff
  } else {
    target[at + 1] = 255
    target.writeUInt32BE(size, at + 2)
  }
  return at + headerSize(size)
}

/** A whole packet of its own. */
export function packet(type: number, ...body: readonly Bytes[]): Buffer {
  let size = 0
  for (const part of body) size += part.length
  const target = Buffer.allocUnsafe(headerSize(size) + size)
  let at = writeHeader(target, 0, type, size)
  for (const part of body) {
    target.set(part, at)
    at += part.length
  }
  return target
}
