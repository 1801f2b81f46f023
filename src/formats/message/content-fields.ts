/**
 * The MIME header fields of one entity (RFC 2045, 2183, 2231, 3282, 2557), read from raw octets: nothing is decoded, broken
 * fields count as absent.
 */
import type { Bytes } from '#lib/bytes.ts'
import { fieldValue, type Header, trimBlanks } from './header.ts'

/** Lower-case name and raw value, in order. RFC 2231: `name*` has a value that is still charset'language'percent-encoded. */
export type Parameters = readonly (readonly [name: string, value: string])[]

export interface Disposition {
  readonly type: string
  readonly parameters: Parameters
}

export interface ContentType {
  /** Lower case. */
  readonly type: string
  readonly subtype: string
  readonly parameters: Parameters
}

export interface ContentFields {
  readonly contentType: ContentType | null
  readonly id: string | null
  readonly description: string | null
  readonly encoding: string
  readonly md5: string | null
  readonly disposition: Disposition | null
  readonly language: readonly string[]
  readonly location: string | null
}

/** Octets of one field and parameters of one field: what is beyond is not looked at. */
export const FIELD_LIMIT = 16_384
const PARAMETERS_LIMIT = 100
const LANGUAGES_LIMIT = 100

/** The first field of each name counts. */
export function readContentFields(octets: Bytes, header: Header): ContentFields {
  const values = new Map<string, string>()
  for (const field of header.fields) {
    if (!field.name.startsWith('content-') || values.has(field.name)) continue
    values.set(field.name, fieldValue(octets, field, FIELD_LIMIT))
  }
  const value = (name: string) => values.get(name) ?? null
  const type = value('content-type')
  const disposition = value('content-disposition')
  const encoding = value('content-transfer-encoding')
  const language = value('content-language')
  return {
    contentType: type === null ? null : parseContentType(type),
    id: value('content-id'),
    description: value('content-description'),
    // RFC 2045 §6.1
    encoding: (encoding === null ? '' : readToken(encoding, skip(encoding, 0)).toLowerCase()) || '7bit',
    md5: value('content-md5'),
    disposition: disposition === null ? null : parseDisposition(disposition),
    language: language === null ? [] : parseLanguages(language),
    location: value('content-location'),
  }
}

/** RFC 2045 §5.1, or null when there is no `type/subtype`. */
export function parseContentType(value: string): ContentType | null {
  let at = skip(value, 0)
  const type = readToken(value, at)
  at = skip(value, at + type.length)
  if (type === '' || value[at] !== '/') return null
  at = skip(value, at + 1)
  const subtype = readToken(value, at)
  if (subtype === '') return null
  return {
    type: type.toLowerCase(),
    subtype: subtype.toLowerCase(),
    parameters: parseParameters(value, at + subtype.length),
  }
}

/** RFC 2183 §2 */
export function parseDisposition(value: string): Disposition | null {
  const at = skip(value, 0)
  const type = readToken(value, at)
  return type === '' ? null : { type: type.toLowerCase(), parameters: parseParameters(value, at + type.length) }
}

// RFC 3282 §2
function parseLanguages(value: string): string[] {
  const tags: string[] = []
  for (const part of value.split(',', LANGUAGES_LIMIT)) {
    const tag = readToken(part, skip(part, 0))
    if (tag !== '') tags.push(tag)
  }
  return tags
}

function parseParameters(value: string, start: number): Parameters {
  const found: [string, string][] = []
  let at = start
  let continued = false
  while (found.length < PARAMETERS_LIMIT) {
    at = value.indexOf(';', at)
    if (at < 0) break
    at = skip(value, at + 1)
    const name = readToken(value, at).toLowerCase()
    at = skip(value, at + name.length)
    if (name === '' || value[at] !== '=') continue
    at = skip(value, at + 1)
    const { text, end } = value[at] === '"' ? readQuoted(value, at) : readValue(value, at)
    at = end
    if (name.includes('*')) continued = true
    found.push([name, text])
  }
  return firstOfEach(continued ? joinContinuations(found) : found)
}

function firstOfEach(parameters: [string, string][]): [string, string][] {
  if (parameters.length < 2) return parameters
  const seen = new Set<string>()
  return parameters.filter(([name]) => !seen.has(name) && seen.add(name))
}

/** RFC 2231 §3: `name*0`, `name*1*` ... become one `name`, or one `name*` when a piece is percent-encoded. */
function joinContinuations(found: readonly [string, string][]): [string, string][] {
  const joined: [string, string][] = []
  const series = new Map<string, { place: number; pieces: ({ text: string; encoded: boolean } | undefined)[] }>()
  for (const [name, text] of found) {
    const match = /^([^*]+)\*([0-9]{1,3})(\*?)$/.exec(name)
    if (!match) {
      joined.push([name, text])
      continue
    }
    const base = match[1]!
    const known = series.get(base) ?? { place: joined.push([base, '']) - 1, pieces: [] }
    series.set(base, known)
    known.pieces[Number(match[2])] ??= { text, encoded: match[3] === '*' }
  }
  for (const [base, { place, pieces }] of series) {
    const gap = Array.from(pieces).indexOf(undefined)
    const whole = gap < 0 ? pieces : pieces.slice(0, gap)
    const encoded = whole.some((piece) => piece?.encoded)
    const text = whole.map((piece) => (encoded && !piece?.encoded ? piece?.text.replaceAll('%', '%25') : piece?.text))
    joined[place] = [encoded ? `${base}*` : base, text.join('')]
    // Without its beginning a value is none.
    if (gap === 0) joined[place] = ['', '']
  }
  return joined.filter(([name]) => name !== '')
}

/** The place after blanks and comments. Comments nest (RFC 5322 §3.2.2). */
function skip(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const char = text[at]!
    if (char === '(') depth++
    else if (depth > 0) {
      if (char === ')') depth--
      else if (char === '\\') at++
    } else if (char !== ' ' && char !== '\t' && char !== '\r' && char !== '\n') return at
  }
  return text.length
}

// RFC 2045 §5.1 token: printable without tspecials.
const TOKEN = new Uint8Array(256).fill(1, 33, 127)
for (const char of '()<>@,;:\\"/[]?=') TOKEN[char.charCodeAt(0)] = 0

function readToken(text: string, start: number): string {
  let at = start
  while (at < text.length && TOKEN[text.charCodeAt(at)] === 1) at++
  return text.slice(start, at)
}

/** A value without quotes: up to the next semicolon or comment. Clients forget quotes, so blanks and tspecials may be in it. */
function readValue(text: string, start: number): { text: string; end: number } {
  const semicolon = text.indexOf(';', start)
  const end = semicolon < 0 ? text.length : semicolon
  for (let at = start; at < end; at++) {
    const blank = text[at] === ' ' || text[at] === '\t'
    if (blank && text[at + 1] === '(') return { text: trimBlanks(text.slice(start, at)), end: skip(text, at) }
  }
  return { text: trimBlanks(text.slice(start, end)), end }
}

function readQuoted(text: string, start: number): { text: string; end: number } {
  let value = ''
  let kept = start + 1
  for (let at = kept; at < text.length; at++) {
    if (text[at] === '"') return { text: value + text.slice(kept, at), end: at + 1 }
    if (text[at] === '\\') {
      value += text.slice(kept, at)
      kept = ++at
    }
  }
  return { text: value + text.slice(kept), end: text.length }
}
