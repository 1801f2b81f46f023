/**
 * What is encrypted of a wrapped message: the message itself as a MIME entity, its header being the protected one (RFC 9788).
 *
 * Mail programs show the protected subject only when Content-Type says so, and RFC 9788 §2.2 wants a list of what stands outside.
 * So the payload is the message, every octet in its place, with two insertions that are taken out again to the octet:
 *
 *     HP-Outer: From: ...            one for each field outside, in front of the header (RFC 9788 §2.2)
 *     HP-Outer: Subject: [...]
 *     Received: ...                  the message as it came
 *     Content-Type: text/plain; charset=utf-8;
 *      protected-headers="v1"; hp="cipher"
 *
 * `protected-headers` is what Thunderbird and Mutt look for, `hp` is RFC 9788's. A message whose header cannot carry that (lines
 * that are no fields, two Content-Types, insertions like ours) is inside as message/rfc822, which is exact as well.
 */

import { parseContentType } from '#formats/message/content-fields.ts'
import { fieldValue, type Header, type HeaderField, scanHeader } from '#formats/message/header.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { isWholeField, outerFields } from './outer-fields.ts'

const HP_OUTER = Buffer.from('HP-Outer: ')
/** A line of its own: behind a parameter, behind a semicolon that was there already, and where there was no Content-Type. */
const BEHIND_PARAMETER = Buffer.from(';\r\n protected-headers="v1"; hp="cipher"\r\n')
const BEHIND_SEMICOLON = Buffer.from('\r\n\tprotected-headers="v1"; hp="cipher"\r\n')
const WHOLE_FIELD = Buffer.from('Content-Type: text/plain; charset=us-ascii; protected-headers="v1"; hp="cipher"\r\n')
const AS_ATTACHMENT = Buffer.from('Content-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\n')

/** The message with its header announced as the protected one. */
export function protectHeader(message: Bytes): Buffer {
  const octets = asBuffer(message)
  const header = scanHeader(octets)
  const insertion = insertionFor(octets, header)
  if (!insertion) return Buffer.concat([AS_ATTACHMENT, octets])
  const outer = outerFields(octets, header).flatMap((field) => [HP_OUTER, field])
  const { at, text } = insertion
  return Buffer.concat([...outer, octets.subarray(0, at.start), text, octets.subarray(at.end)])
}

interface Insertion {
  readonly text: Buffer
  /** What it stands in place of: nothing, or the field's last line end. */
  readonly at: { readonly start: number; readonly end: number }
}

/** What is beyond is not looked at as a header everywhere. */
const LONGEST_HEADER = 256 << 10
const MOST_FIELDS = 1000
const LF = 10
const SEMICOLON = 59

/** null: the header cannot carry it. */
function insertionFor(octets: Buffer, header: Header): Insertion | null {
  const { fields, range } = header
  const isHeader = range.end > (fields.at(-1)?.end ?? 0) && octets.at(range.end - 1) === LF
  if (!isHeader || range.end > LONGEST_HEADER || fields.length > MOST_FIELDS) return null
  if (fields.some((field) => !isPlain(octets, field))) return null
  const types = fields.filter(({ name }) => name === 'content-type')
  if (types.length > 1) return null
  const [type] = types
  if (!type) return { text: WHOLE_FIELD, at: { start: 0, end: 0 } }
  if (!carriesParameters(octets, type)) return null
  const at = { start: type.end - 2, end: type.end }
  let last = at.start - 1
  while (octets[last] === 32 || octets[last] === 9) last--
  return { text: octets[last] === SEMICOLON ? BEHIND_SEMICOLON : BEHIND_PARAMETER, at }
}

function isPlain(octets: Buffer, { name, start, end }: HeaderField): boolean {
  if (name === '' || name === 'hp-outer') return false
  const field = octets.subarray(start, end)
  return isWholeField(field) && !field.equals(WHOLE_FIELD)
}

function carriesParameters(octets: Buffer, field: HeaderField): boolean {
  const value = fieldValue(octets, field)
  const type = parseContentType(value)
  // a parameter behind an open comment or quotation would be part of it
  if (!type || /[()"\\]/.test(value.replace(/"[^"\\]*"|\([^()\\]*\)/g, ''))) return false
  return !type.parameters.some(([name]) => name === 'hp' || name === 'protected-headers')
}

/** The inverse, to the octet; what was not made by `protectHeader` is answered as it is. */
export function unprotectHeader(payload: Bytes): Buffer {
  const octets = asBuffer(payload)
  if (octets.subarray(0, AS_ATTACHMENT.length).equals(AS_ATTACHMENT)) return octets.subarray(AS_ATTACHMENT.length)
  const { fields } = scanHeader(octets)
  const outer = fields.findIndex(({ name }) => name !== 'hp-outer')
  const start = fields[outer]?.start ?? 0
  const type = fields.find(({ name }) => name === 'content-type')
  if (start === 0 || !type) return octets
  const field = octets.subarray(type.start, type.end)
  if (type.start === start && field.equals(WHOLE_FIELD)) return octets.subarray(type.end)
  const text = [BEHIND_PARAMETER, BEHIND_SEMICOLON].find((one) => field.subarray(-one.length).equals(one))
  if (!text) return octets
  const end = type.end - text.length
  return Buffer.concat([octets.subarray(start, end), octets.subarray(type.end - 2)])
}
