/**
 * Who says that an Authentication-Results field is theirs (RFC 8601 §2.2). What mail programs believe is decided by that name alone, so
 * fields that come from outside with our own are taken out, and those whose name cannot be read too (§5).
 */

import { domainToASCII } from 'node:url'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { fieldValue, type HeaderField } from './header.ts'

/** Octets of a field that are looked at. */
const FIELD_LIMIT = 16_384

const NAME = 'authentication-results'

/** Whether a field is an Authentication-Results field that nobody but us may have written, or that cannot be told from one. */
export function claimsResults(octets: Bytes, field: HeaderField, authservId: string): boolean {
  if (field.name === '') return beginsLikeResults(octets, field)
  if (field.name !== NAME) return false
  if (asBuffer(octets).subarray(field.value, field.end).includes(0)) return true
  const claimed = parseAuthservId(fieldValue(octets, field, FIELD_LIMIT))
  return claimed === null || hostOf(Buffer.from(claimed, 'latin1').toString()) === hostOf(authservId)
}

/** Line ends or too many blanks before the colon: some readers make a field of it. */
function beginsLikeResults(octets: Bytes, { start }: HeaderField): boolean {
  return (
    asBuffer(octets)
      .toString('latin1', start, start + NAME.length)
      .toLowerCase() === NAME
  )
}

/** One spelling of a name, of those that are the same host: Unicode or not, absolute or not. */
function hostOf(id: string): string {
  const name = id.endsWith('.') ? id.slice(0, -1) : id
  return domainToASCII(name) || name.toLowerCase()
}

/**
 * The authserv-id in the unfolded value of an Authentication-Results field, in lower case; null when the value does not begin with one
 * that everybody reads in the same way.
 */
export function parseAuthservId(value: string): string | null {
  const start = skipBlanks(value, 0)
  const id = start === null ? null : readWord(value, start)
  if (id === null || id.text === '') return null
  const next = skipBlanks(value, id.end)
  if (next === null) return null
  const isAfterBlank = next > id.end
  const end = isAfterBlank ? skipVersion(value, next) : next
  if (end === null) return null
  return end === value.length || value[end] === ';' ? lowerCase(id.text) : null
}

/** Octets of UTF-8 stay. */
const lowerCase = (text: string) => text.replace(/[A-Z]+/g, (found) => found.toLowerCase())

/** RFC 8601 §2.2: `authres-version = 1*DIGIT [CFWS]`. */
function skipVersion(value: string, start: number): number | null {
  let at = start
  while (value[at] !== undefined && value[at]! >= '0' && value[at]! <= '9') at++
  return skipBlanks(value, at)
}

/** The place after blanks and comments, which nest (RFC 5322 §3.2.2); null for a comment without end. */
function skipBlanks(text: string, start: number): number | null {
  let depth = 0
  let at = start
  for (; at < text.length; at++) {
    const char = text[at]!
    if (char === '(') depth++
    else if (depth > 0) {
      if (char === ')') depth--
      else if (char === '\\') at++
    } else if (!' \t\r\n'.includes(char)) return at
  }
  return depth > 0 ? null : Math.min(at, text.length)
}

/** RFC 2045 §5.1 `value`: a token or a quoted string. */
function readWord(text: string, start: number): { readonly text: string; readonly end: number } | null {
  if (text[start] === '"') return readQuoted(text, start)
  let end = start
  while (end < text.length && isTokenCharacter(text.charCodeAt(end))) end++
  return { text: text.slice(start, end), end }
}

function readQuoted(text: string, start: number): { readonly text: string; readonly end: number } | null {
  const read: string[] = []
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '"') return { text: read.join('').trim(), end: at + 1 }
    if (text[at] === '\\') at++
    read.push(text[at] ?? '')
  }
  return null
}

const TSPECIALS = '()<>@,;:\\"/[]?='

/** Octets above ASCII too, for names in UTF-8 (RFC 8601 §2.2 with RFC 6532). */
function isTokenCharacter(code: number): boolean {
  return code > 32 && code !== 127 && !TSPECIALS.includes(String.fromCharCode(code))
}

/** A `value` that is read as this text: a token as it is, else quoted (RFC 2045 §5.1). Line ends and control characters become blanks. */
export function formatResultValue(text: string): string {
  const clean = text.replace(/[\x00-\x1f\x7f]/g, ' ').toWellFormed()
  if (/^[A-Za-z0-9!#$%&'*+\-.^_`{|}~]+$/.test(clean)) return clean
  return `"${clean.replace(/["\\]/g, '\\$&')}"`
}
