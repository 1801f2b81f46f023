/**
 * Text in header fields beyond ASCII: encoded words (RFC 2047), encoded parameter values (RFC 2231), and raw UTF-8 (RFC 6532).
 * Decoding never fails: what cannot be decoded stays as it is.
 */
import { isUtf8 } from 'node:buffer'
import { TextDecoder } from 'node:util'
import type { Parameters } from './content-fields.ts'

/** Decoders by label, each made once. There are about 220 labels; unknown ones are remembered as null up to a limit. */
const decoders = new Map<string, TextDecoder | null>()
const DECODERS_LIMIT = 500

/** Octets in a named charset as text, invalid ones replaced; null when the charset is unknown. */
export function decodeCharset(charset: string, octets: Uint8Array): string | null {
  const label = charset.toLowerCase()
  let decoder = decoders.get(label)
  if (decoder === undefined) {
    decoder = makeDecoder(label)
    if (decoders.size < DECODERS_LIMIT) decoders.set(label, decoder)
  }
  return decoder?.decode(octets) ?? null
}

function makeDecoder(label: string): TextDecoder | null {
  try {
    return new TextDecoder(label, { ignoreBOM: true })
  } catch {
    return null
  }
}

/** Raw octets (latin1 text, as the index has them) as text: UTF-8 where they are valid UTF-8 (RFC 6532), otherwise latin1. */
export function decodeRaw(raw: string): string {
  if (/^[\x00-\x7f]*$/.test(raw)) return raw
  const octets = Buffer.from(raw, 'latin1')
  return isUtf8(octets) ? octets.toString('utf8') : raw
}

interface EncodedWord {
  readonly charset: string
  readonly octets: Buffer
  readonly end: number
}

/** Characters of one text in which encoded words are looked for, and how many that are none. */
const TEXT_LIMIT = 200_000
const BROKEN_LIMIT = 1_000

/** The text of an unstructured field or phrase, from its raw unfolded value: encoded words decoded, also where they are misplaced. */
export function decodeText(raw: string): string {
  if (!raw.includes('=?')) return decodeRaw(raw)
  if (raw.length > TEXT_LIMIT) return decodeText(raw.slice(0, TEXT_LIMIT)) + decodeRaw(raw.slice(TEXT_LIMIT))
  let text = ''
  let plainStart = 0
  let charset = ''
  let words: Buffer[] = []
  let broken = 0
  const flush = () => {
    if (words.length > 0) text += decodeCharset(charset, Buffer.concat(words)) ?? ''
    words = []
  }
  for (let at = raw.indexOf('=?'); at >= 0 && broken < BROKEN_LIMIT; at = raw.indexOf('=?', at)) {
    const word = readEncodedWord(raw, at)
    if (!word) {
      broken++
      at += 2
      continue
    }
    const between = raw.slice(plainStart, at)
    // RFC 2047 §6.2: blanks between encoded words are not shown. A character may be split over two words of one charset.
    const adjacent = words.length > 0 && /^[ \t\r\n]*$/.test(between)
    if (!adjacent || word.charset !== charset) flush()
    if (!adjacent) text += decodeRaw(between)
    charset = word.charset
    words.push(word.octets)
    plainStart = word.end
    at = word.end
  }
  flush()
  return text + decodeRaw(raw.slice(plainStart))
}

/** RFC 2047 §2 `=?charset?encoding?text?=`, the language of RFC 2231 §5 dropped. Each step ends at the next `?`, so it is linear. */
function readEncodedWord(raw: string, start: number): EncodedWord | null {
  const charsetEnd = raw.indexOf('?', start + 2)
  if (charsetEnd < 0 || charsetEnd - start > 80 || raw[charsetEnd + 2] !== '?') return null
  const encoding = raw[charsetEnd + 1]!.toLowerCase()
  const textStart = charsetEnd + 3
  const textEnd = raw.indexOf('?', textStart)
  if (textEnd < 0 || raw[textEnd + 1] !== '=') return null
  const charset = raw
    .slice(start + 2, charsetEnd)
    .split('*', 1)[0]!
    .toLowerCase()
  if (decodeCharset(charset, new Uint8Array()) === null) return null
  const text = raw.slice(textStart, textEnd)
  if (encoding === 'b') return { charset, octets: Buffer.from(text, 'base64'), end: textEnd + 2 }
  if (encoding === 'q') return { charset, octets: decodeQ(text), end: textEnd + 2 }
  return null
}

// RFC 2047 §4.2
function decodeQ(text: string): Buffer {
  return unescapeOctets(text.replaceAll('_', ' '), '=')
}

/** Octets in which a mark and two hexadecimal digits stand for one; other text is taken as latin1. */
function unescapeOctets(text: string, mark: string): Buffer {
  const octets = Buffer.alloc(text.length)
  let length = 0
  for (let at = 0; at < text.length; at++) {
    const code = text[at] === mark ? hexOctet(text, at + 1) : -1
    if (code >= 0) at += 2
    octets[length++] = code >= 0 ? code : text.charCodeAt(at)
  }
  return octets.subarray(0, length)
}

function hexOctet(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at))
  const low = hexDigit(text.charCodeAt(at + 1))
  return high < 0 || low < 0 ? -1 : high * 16 + low
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  if (code >= 65 && code <= 70) return code - 55
  return code >= 97 && code <= 102 ? code - 87 : -1
}

/** RFC 2047 §2: no encoded word may be longer than 75 characters; 45 octets make 60 of base64. */
const WORD_OCTETS = 45

/** The text for an unstructured field or a display name in ASCII: itself where it can be, otherwise encoded words. decodeText undoes it. */
export function encodeText(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text) && !text.includes('=?')) return text
  const words: string[] = []
  let chunk = ''
  let octets = 0
  for (const char of text.toWellFormed()) {
    const size = Buffer.byteLength(char)
    if (octets + size > WORD_OCTETS) {
      words.push(encodeWord(chunk))
      chunk = ''
      octets = 0
    }
    chunk += char
    octets += size
  }
  if (chunk !== '') words.push(encodeWord(chunk))
  return words.join(' ')
}

const encodeWord = (text: string) => `=?utf-8?B?${Buffer.from(text).toString('base64')}?=`

/** A parameter's decoded value: `name*` (RFC 2231 §4) before `name`, in which encoded words are wrong but usual. Null when absent. */
export function parameterText(parameters: Parameters, name: string): string | null {
  const extended = parameters.find(([known]) => known === `${name}*`)?.[1]
  if (extended !== undefined) return decodeExtended(extended)
  const plain = parameters.find(([known]) => known === name)?.[1]
  return plain === undefined ? null : decodeText(plain)
}

/** `charset'language'percent-encoded` */
function decodeExtended(value: string): string {
  const first = value.indexOf("'")
  const second = value.indexOf("'", first + 1)
  if (first < 0 || second < 0) return decodeRaw(unescapeOctets(value, '%').toString('latin1'))
  const octets = unescapeOctets(value.slice(second + 1), '%')
  return decodeCharset(value.slice(0, first), octets) ?? decodeRaw(octets.toString('latin1'))
}

/** RFC 2231 §4: `name="value"`, or `name*=utf-8''...` when the value is not ASCII. */
export function formatParameter(name: string, value: string): string {
  if (/^[!#$&+\-.0-9A-Z^_`a-z{|}~]+$/.test(value)) return `${name}=${value}`
  if (/^[\x20-\x7e]*$/.test(value)) return `${name}="${value.replace(/["\\]/g, '\\$&')}"`
  const encoded = Buffer.from(value.toWellFormed()).toString('latin1')
  return `${name}*=utf-8''${encoded.replace(/[^!#$&+\-.0-9A-Z^_`a-z{|}~]/g, percent)}`
}

const percent = (octet: string) => `%${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
