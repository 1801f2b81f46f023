/**
 * Multi-line responses (RFC 1939 §3): content in pieces, with a dot put before each line that begins with one, without ever
 * making a second copy of the whole.
 */
import { asBuffer, type Bytes } from '#lib/bytes.ts'

const PIECE = 65_536
const LF = 10
const CR = 13
const DOT = 46

/**
 * The first `end` octets of the content, its lines stuffed, and what ends the response: pieces of some 64 KiB, views wherever nothing is
 * to be stuffed. What a lone LF ends counts as a line too: many clients read so, and would take a dot after it for the end.
 */
export function* multiLine(content: Bytes, end = content.length): Generator<Bytes | string> {
  const octets = asBuffer(content).subarray(0, end)
  let dot = dotFrom(octets, 0)
  for (let at = 0; at < octets.length; ) {
    const to = Math.min(at + PIECE, octets.length)
    yield dot < to ? stuffed(octets, at, to) : octets.subarray(at, to)
    if (dot < to) dot = dotFrom(octets, to)
    at = to
  }
  yield octets.length === 0 || endsInCrlf(octets) ? '.\r\n' : '\r\n.\r\n'
}

const endsInCrlf = (octets: Buffer): boolean => octets.at(-1) === LF && octets.at(-2) === CR

/** The first line at `from` or after it that begins with a dot: where. */
function dotFrom(octets: Buffer, from: number): number {
  if (from === 0 && octets[0] === DOT) return 0
  const found = octets.indexOf('\n.', Math.max(0, from - 1), 'latin1')
  return found < 0 ? Number.POSITIVE_INFINITY : found + 1
}

function stuffed(octets: Buffer, from: number, to: number): Buffer {
  const room = Buffer.allocUnsafe(2 * (to - from))
  let written = 0
  let before = from === 0 ? LF : octets[from - 1]!
  for (let at = from; at < to; at++) {
    const octet = octets[at]!
    if (octet === DOT && before === LF) room[written++] = DOT
    room[written++] = octet
    before = octet
  }
  return room.subarray(0, written)
}

/** Where the header, the empty line after it, and so many lines of the body end (RFC 1939 §7, TOP). */
export function topEnd(content: Bytes, lines: number): number {
  const { length } = content
  let isBody = false
  let left = lines
  let start = 0
  for (let at = 0; at < length; at++) {
    if (content[at] !== LF) continue
    const isEmpty = at === start || (at === start + 1 && content[start] === CR)
    start = at + 1
    if (isBody) left--
    else if (isEmpty) isBody = true
    else continue
    if (left <= 0) return start
    if (left >= length - start) return length
  }
  return length
}
