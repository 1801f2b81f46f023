/** Content-Transfer-Encodings (RFC 2045 §6): read tolerantly, because what is broken must still be found and shown; written strictly. */
import { asBuffer, type Bytes } from '#lib/bytes.ts'

const LF = 10
const CR = 13
const SPACE = 32
const TAB = 9
const EQUALS = 61
const LINE_LENGTH = 76

/** The decoded octets; those of 7bit, 8bit, binary and unknown encodings as they are, without copying. */
export function decodeTransfer(octets: Bytes, encoding: string): Buffer {
  const bytes = asBuffer(octets)
  if (encoding === 'base64') return decodeBase64(bytes)
  return encoding === 'quoted-printable' ? decodeQuotedPrintable(bytes) : bytes
}

/** Stops at nothing: characters that are no base64 are left out, padding in the middle starts afresh. */
function decodeBase64(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1')
  const padding = text.indexOf('=')
  if (padding < 0 || /^[=\s]*$/.test(text.slice(padding))) return Buffer.from(text, 'base64')
  return Buffer.concat(text.split(/=+/, 100_000).map((piece) => Buffer.from(piece, 'base64')))
}

/** RFC 2045 §6.7: soft line ends and blanks at the end of lines go; `=` that begins no octet stays. */
function decodeQuotedPrintable(bytes: Buffer): Buffer {
  const decoded = Buffer.allocUnsafe(bytes.length)
  let length = 0
  /** Where the blanks begin that end the line so far. */
  let blanks = 0
  for (let at = 0; at < bytes.length; at++) {
    const octet = bytes[at]!
    if (octet === EQUALS) {
      const end = softLineEnd(bytes, at + 1)
      const value = end < 0 ? hexOctet(bytes, at + 1) : -1
      if (end >= 0) at = end - 1
      else if (value >= 0) {
        decoded[length++] = value
        at += 2
      } else decoded[length++] = octet
      blanks = length
    } else if (octet === LF || (octet === CR && bytes[at + 1] === LF)) {
      length = blanks
      decoded[length++] = octet
      if (octet === CR) decoded[length++] = bytes[++at]!
      blanks = length
    } else {
      decoded[length++] = octet
      if (octet !== SPACE && octet !== TAB) blanks = length
    }
  }
  return decoded.subarray(0, blanks)
}

/** The place after blanks and a line end (or the end of all), or -1. */
function softLineEnd(bytes: Buffer, start: number): number {
  let at = start
  while (bytes[at] === SPACE || bytes[at] === TAB) at++
  if (at >= bytes.length) return at
  if (bytes[at] === CR && bytes[at + 1] === LF) return at + 2
  return bytes[at] === LF ? at + 1 : -1
}

function hexOctet(bytes: Buffer, at: number): number {
  const high = hexDigit(bytes[at] ?? 0)
  const low = hexDigit(bytes[at + 1] ?? 0)
  return high < 0 || low < 0 ? -1 : high * 16 + low
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  if (code >= 65 && code <= 70) return code - 55
  return code >= 97 && code <= 102 ? code - 87 : -1
}

/** Base64 in lines of 76 characters, each with its CRLF. */
export function encodeBase64(octets: Bytes): string {
  const text = asBuffer(octets).toString('base64')
  const lines: string[] = []
  for (let at = 0; at < text.length; at += LINE_LENGTH) lines.push(`${text.slice(at, at + LINE_LENGTH)}\r\n`)
  return lines.join('')
}

/** Quoted-printable of text whose lines end with CRLF. */
export function encodeQuotedPrintable(octets: Bytes): string {
  const lines = asBuffer(octets).toString('latin1').split('\r\n')
  return lines.map(encodeLine).join('\r\n')
}

function encodeLine(line: string): string {
  let encoded = ''
  let room = LINE_LENGTH - 1
  for (let at = 0; at < line.length; at++) {
    const piece = encodeOctet(line, at)
    if (piece.length > room) {
      encoded += '=\r\n'
      room = LINE_LENGTH - 1
    }
    encoded += piece
    room -= piece.length
  }
  return encoded
}

function encodeOctet(line: string, at: number): string {
  const code = line.charCodeAt(at)
  const blank = code === SPACE || code === TAB
  const last = at === line.length - 1
  // "From " and "." at the start of a line are changed by other transports (RFC 2049 §3).
  const risky = at === 0 && (line[0] === '.' || line.startsWith('From '))
  if ((blank && !last) || (code > SPACE && code < 127 && code !== EQUALS && !risky)) return line[at]!
  return `=${code.toString(16).toUpperCase().padStart(2, '0')}`
}
