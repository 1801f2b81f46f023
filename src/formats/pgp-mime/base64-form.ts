/** Base64 text (RFC 2045 §6.8) in a form that it can be written in again, to the octet. */
import type { Bytes } from '#lib/bytes.ts'

export interface Base64Form {
  readonly octets: Buffer
  /** Other octets in the same form. */
  encode(octets: Bytes): Buffer
}

/** Of a text that fits into one line, whose own length says nothing. */
const USUAL_WIDTH = 76

/** null for text that is not base64 in lines of one length, each ended by CRLF. */
export function base64Form(encoded: Buffer): Base64Form | null {
  const text = encoded.toString('latin1')
  const lines = text.replace(/[\r\n]+$/, '')
  const first = lines.indexOf('\r\n')
  const width = first > 0 ? first : USUAL_WIDTH
  const end = text.slice(lines.length)
  const octets = Buffer.from(lines, 'base64')
  return written(octets, width) === lines
    ? { octets, encode: (other) => Buffer.from(written(other, width) + end, 'latin1') }
    : null
}

function written(octets: Bytes, width: number): string {
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('base64')
  const lines: string[] = []
  for (let at = 0; at < text.length; at += width) lines.push(text.slice(at, at + width))
  return lines.join('\r\n')
}
