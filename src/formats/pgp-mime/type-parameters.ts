/** Parameters put behind those of a Content-Type field, and taken out again to the octet. */

import { parseContentType } from '#formats/message/content-fields.ts'
import { fieldValue, type Header, type HeaderField } from '#formats/message/header.ts'
import type { Bytes } from '#lib/bytes.ts'
import { isWholeField } from './outer-fields.ts'

/** Octets that stand in place of those from `start` to `end`. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly text: Bytes
}

/** `edits` in order, none inside another. */
export function edited(octets: Buffer, edits: readonly Edit[]): Buffer {
  const pieces: Bytes[] = []
  let at = 0
  for (const { start, end, text } of edits) {
    pieces.push(octets.subarray(at, start), text)
    at = end
  }
  return Buffer.concat([...pieces, octets.subarray(at)])
}

/** What is beyond is not looked at as a header everywhere. */
const LONGEST_HEADER = 256 << 10
const MOST_FIELDS = 1000
const LF = 10
const SEMICOLON = 59
const NOTHING = Buffer.alloc(0)

export class TypeParameters {
  readonly #names: readonly string[]
  /** A line of its own: behind a parameter, behind a semicolon that was there already, and where there was no Content-Type. */
  readonly #behindParameter: Buffer
  readonly #behindSemicolon: Buffer
  readonly #wholeField: Buffer

  /** As they are to be written. */
  constructor(parameters: string) {
    this.#names = parameters.split(/; */).map((one) => one.slice(0, one.indexOf('=')))
    this.#behindParameter = Buffer.from(`;\r\n ${parameters}\r\n`)
    this.#behindSemicolon = Buffer.from(`\r\n\t${parameters}\r\n`)
    this.#wholeField = Buffer.from(`Content-Type: text/plain; charset=us-ascii; ${parameters}\r\n`)
  }

  /** null: the header cannot carry them, having lines that are no fields, two Content-Types, or such parameters already. */
  insertion(octets: Buffer, { fields, range }: Header): Edit | null {
    const isHeader = range.end > (fields.at(-1)?.end ?? range.start) && octets[range.end - 1] === LF
    if (!isHeader || range.end - range.start > LONGEST_HEADER || fields.length > MOST_FIELDS) return null
    if (fields.some((field) => !this.#isPlain(octets, field))) return null
    const types = fields.filter(({ name }) => name === 'content-type')
    if (types.length > 1) return null
    const [type] = types
    if (!type) return { start: range.start, end: range.start, text: this.#wholeField }
    if (!this.#canFollow(octets, type)) return null
    const start = type.end - 2
    let last = start - 1
    while (octets[last] === 32 || octets[last] === 9) last--
    const text = octets[last] === SEMICOLON ? this.#behindSemicolon : this.#behindParameter
    return { start, end: type.end, text }
  }

  /** The way back; null where it was not gone. */
  removal(octets: Buffer, { fields, range }: Header): Edit | null {
    const type = fields.find(({ name }) => name === 'content-type')
    if (!type) return null
    const field = octets.subarray(type.start, type.end)
    if (type.start === range.start && field.equals(this.#wholeField))
      return { start: type.start, end: type.end, text: NOTHING }
    const text = [this.#behindParameter, this.#behindSemicolon].find((one) => field.subarray(-one.length).equals(one))
    return text ? { start: type.end - text.length, end: type.end - 2, text: NOTHING } : null
  }

  #isPlain(octets: Buffer, { name, start, end }: HeaderField): boolean {
    const field = octets.subarray(start, end)
    return name !== '' && isWholeField(field) && !field.equals(this.#wholeField)
  }

  #canFollow(octets: Buffer, field: HeaderField): boolean {
    const value = fieldValue(octets, field)
    const type = parseContentType(value)
    // a parameter behind an open comment or quotation would be part of it
    if (!type || /[()"\\]/.test(value.replace(/"[^"\\]*"|\([^()\\]*\)/g, ''))) return false
    return !type.parameters.some(([name]) => this.#names.includes(name))
  }
}
