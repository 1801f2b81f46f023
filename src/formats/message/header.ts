/**
 * Header blocks as octets: where each field begins and ends (RFC 5322 §2.2), so that fields can be read, picked out, left
 * away and put in front while every other octet stays exactly as it came. Broken lines are kept, never repaired.
 */
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import type { Range } from './range.ts'

export interface HeaderField {
  /** Lower case; empty for lines that are no field (RFC 5322 §3.6.8 asks for a name and a colon). */
  readonly name: string
  /** From the first octet of the name to after the last line end: all folded lines. */
  readonly start: number
  readonly end: number
  /** The octet after the colon. */
  readonly value: number
}

export interface Header {
  /** In order; together they cover every octet of the header except the empty line. */
  readonly fields: readonly HeaderField[]
  /** The empty line that ends it included, when there is one. */
  readonly range: Range
}

/** Octets; what follows is not looked at as a header any more. */
export const HEADER_LIMIT = 10_000_000
/** The rest becomes one field without a name. */
const FIELDS_LIMIT = 10_000
const NAME_LIMIT = 998

const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const DASH = 45
const COLON = 58

/**
 * Reads the header that begins at `start`: it ends after the first empty line, at `end`, at HEADER_LIMIT, or at a line that
 * begins with `--` for which `endsPart` says so. Lines end with LF; a CR before it belongs to the line end.
 */
export function scanHeader(
  octets: Bytes,
  start = 0,
  end = octets.length,
  endsPart?: (lineStart: number) => boolean,
): Header {
  const bytes = asBuffer(octets)
  const limit = Math.min(end, start + HEADER_LIMIT)
  const fields: HeaderField[] = []
  let fieldStart = start
  let at = start
  let empty = 0
  while (at < limit) {
    const first = bytes[at]
    if (first === LF || (first === CR && bytes[at + 1] === LF && at + 1 < end)) {
      empty = first === LF ? 1 : 2
      break
    }
    if (first === DASH && bytes[at + 1] === DASH && endsPart?.(at)) break
    const folded = first === SPACE || first === TAB
    if (!folded && at > fieldStart && fields.length < FIELDS_LIMIT - 1) {
      fields.push(fieldAt(bytes, fieldStart, at))
      fieldStart = at
    }
    at = lineEnd(bytes, at, limit)
  }
  if (at > fieldStart) {
    const crowded = fields.length === FIELDS_LIMIT - 1
    fields.push(crowded ? { name: '', start: fieldStart, end: at, value: at } : fieldAt(bytes, fieldStart, at))
  }
  return { fields, range: { start, end: at + empty } }
}

/** Whether what was read is not all of the header, because it has too many fields or octets. */
export function isCutShort({ fields, range }: Header): boolean {
  return fields.length === FIELDS_LIMIT || range.end - range.start >= HEADER_LIMIT
}

// Most lines are short, so looking at each octet costs less than a call out of the engine.
function lineEnd(bytes: Buffer, start: number, limit: number): number {
  const near = Math.min(start + 128, limit)
  for (let at = start; at < near; at++) if (bytes[at] === LF) return at + 1
  if (near === limit) return limit
  const found = bytes.indexOf(LF, near)
  return found < 0 || found >= limit ? limit : found + 1
}

function fieldAt(bytes: Buffer, start: number, end: number): HeaderField {
  const near = Math.min(end, start + NAME_LIMIT)
  let at = start
  while (at < near && bytes[at]! > SPACE && bytes[at]! < 127 && bytes[at] !== COLON) at++
  let colon = at
  // RFC 5322 §4.5: blanks before the colon are obsolete but must be read.
  while (colon < near && (bytes[colon] === SPACE || bytes[colon] === TAB)) colon++
  if (at === start || colon === near || bytes[colon] !== COLON) return { name: '', start, end, value: end }
  return { name: bytes.toString('latin1', start, at).toLowerCase(), start, end, value: colon + 1 }
}

/** The field's value unfolded (RFC 5322 §2.2.3), its octets as latin1 text, blanks around it removed; cut after `limit` octets. */
export function fieldValue(octets: Bytes, field: HeaderField, limit = HEADER_LIMIT): string {
  return unfold(asBuffer(octets).toString('latin1', field.value, Math.min(field.end, field.value + limit)))
}

/** Takes out line ends that blanks follow, and blanks and line ends around the text. Other line ends become a space. */
function unfold(raw: string): string {
  const text = trimBlanks(raw)
  if (!text.includes('\n')) return text
  return text.replace(/\r?\n(?=[ \t])/g, '').replace(/\r?\n/g, ' ')
}

/** Without blanks and line ends around it. Not String.trim, which would take octets of UTF-8 for blanks (0xA0). */
export function trimBlanks(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return start === 0 && end === text.length ? text : text.slice(start, end)
}

const isBlank = (code: number) => code === SPACE || code === TAB || code === CR || code === LF

/** The unfolded values of all fields of that (lower-case) name, in order. */
export function fieldValues(octets: Bytes, header: Header, name: string): string[] {
  return header.fields.filter((field) => field.name === name).map((field) => fieldValue(octets, field))
}

/**
 * The message with other fields: `prepend` (complete fields, CRLF included, as formatField writes them) in front, those left
 * out that `drop` names. Every other octet is copied once and unchanged.
 */
export function editHeader(
  octets: Bytes,
  header: Header,
  prepend: string | Bytes,
  drop?: (field: HeaderField) => boolean,
): Buffer {
  const chunks: Bytes[] = [typeof prepend === 'string' ? Buffer.from(prepend) : prepend]
  let kept = 0
  for (const field of drop ? header.fields : []) {
    if (!drop?.(field)) continue
    chunks.push(octets.subarray(kept, field.start))
    kept = field.end
  }
  chunks.push(octets.subarray(kept))
  return Buffer.concat(chunks)
}

/** The field holds what would make other fields of it. */
export class UnsafeField extends Error {
  override readonly name = 'UnsafeField'
}

/** RFC 5322 §2.1.1: lines should be no longer than this without their end. */
const LINE_LENGTH = 78

/**
 * One whole field with its CRLF, folded at blanks where it is long. The value is taken as it is, so it must be ASCII or, for
 * SMTPUTF8, UTF-8. Throws UnsafeField when name or value hold CR, LF or NUL, or the name is not one.
 */
export function formatField(name: string, value: string): string {
  if (!/^[!-9;-~]+$/.test(name)) throw new UnsafeField(`not a field name: ${JSON.stringify(name.slice(0, 40))}`)
  if (/[\r\n\0]/.test(value)) throw new UnsafeField(`line end or NUL in ${name}`)
  const line = `${name}: ${value}`
  return line.length <= LINE_LENGTH ? `${line}\r\n` : `${fold(line, name.length + 2)}\r\n`
}

/** Breaks before single blanks only, never right after the colon: unfolding gives the same text again. */
function fold(line: string, from: number): string {
  const lines: string[] = []
  let start = 0
  let brk = -1
  for (let at = from + 1; at < line.length; at++) {
    if (line[at] === ' ' && line[at - 1] !== ' ' && line[at + 1] !== ' ' && at + 1 < line.length) {
      if (at - start > LINE_LENGTH && brk > start) {
        lines.push(line.slice(start, brk))
        start = brk
      }
      brk = at
    }
  }
  if (line.length - start > LINE_LENGTH && brk > start) {
    lines.push(line.slice(start, brk))
    start = brk
  }
  lines.push(line.slice(start))
  return lines.join('\r\n')
}
