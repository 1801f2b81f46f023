/** Text in the charset of a part that exists already. */
import { decodeCharset } from '#formats/message/encoded-word.ts'

/** Labels that decoders take for more than what they name. */
const ASCII_NAMES = ['us-ascii', 'ascii', 'ansi_x3.4-1968', 'iso646-us', 'us']

/** null: the charset is unknown, or lacks a character, or has more than one octet for those beyond ASCII (UTF-8 aside). */
export function charsetOctets(charset: string, text: string): Buffer | null {
  const octets = encode(charset, text)
  return octets && decodeCharset(charset, octets) === text ? octets : null
}

function encode(charset: string, text: string): Buffer | null {
  if (/^[\x00-\x7f]*$/.test(text)) return Buffer.from(text, 'latin1')
  if (charset === 'utf-8' || charset === 'utf8') return Buffer.from(text)
  if (ASCII_NAMES.includes(charset)) return null
  // ISO 8859 has no characters from 0x80 to 0x9F, though decoders read them as those of windows-1252
  const first = /^(?:iso|latin|l\d)/.test(charset) ? 0xa0 : 0x80
  const upper = decodeCharset(
    charset,
    Uint8Array.from({ length: 256 - first }, (_, index) => first + index),
  )
  if (upper?.length !== 256 - first) return null
  const octets = Array.from(text, (char) => {
    const code = char.codePointAt(0)!
    return code < 0x80 ? code : first + upper.indexOf(char)
  })
  return octets.includes(first - 1) ? null : Buffer.from(octets)
}
