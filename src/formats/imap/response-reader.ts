/**
 * Reads a server's responses (RFC 3501 §7) as nested values, for clients of ours and for tests: enough structure to compare
 * and to pick things out, no knowledge of single responses. For servers that are trusted as much as a peer in a test is:
 * sizes are capped, nesting is not recursed into.
 */
import type { Bytes } from '#lib/bytes.ts'

/** An atom (numbers and flags too), a string's octets, NIL, or a list. */
export type ResponseValue = string | Buffer | null | readonly ResponseValue[]

export interface Response {
  /** `*`, `+`, or the tag of the command that it completes. */
  readonly tag: string
  /** OK, NO, BAD, BYE, PREAUTH; null for data and for `+`. */
  readonly status: string | null
  /** What stands in brackets after the status, such as `APPENDUID 3 7`. */
  readonly code: string | null
  /** Human text of a status, or of `+`. */
  readonly text: string
  /** Data responses: everything after `* `. */
  readonly values: readonly ResponseValue[]
}

/** The server sent what is no response. */
export class BadResponse extends Error {
  override readonly name = 'BadResponse'
}

interface Piece {
  readonly line: string
  readonly literal: Buffer | null
}

const LINE_LIMIT = 10_000_000
const LITERAL_LIMIT = 200_000_000
const STATUSES = new Set(['OK', 'NO', 'BAD', 'BYE', 'PREAUTH'])

export class ResponseReader {
  #buffered: Buffer = Buffer.alloc(0)
  #pieces: Piece[] = []
  #announced: { line: string; octets: number } | null = null

  push(chunk: Bytes): void {
    this.#buffered = Buffer.concat([this.#buffered, chunk])
  }

  /** null: more octets are needed. Throws BadResponse. */
  next(): Response | null {
    for (;;) {
      if (this.#announced && !this.#takeLiteral(this.#announced)) return null
      const end = this.#buffered.indexOf('\r\n')
      if (end < 0) {
        if (this.#buffered.length > LINE_LIMIT) throw new BadResponse('a line is too long')
        return null
      }
      const line = this.#buffered.toString('latin1', 0, end)
      this.#buffered = this.#buffered.subarray(end + 2)
      const literal = /\{([0-9]{1,10})\}$/.exec(line)
      if (literal) {
        const octets = Number(literal[1])
        if (octets > LITERAL_LIMIT) throw new BadResponse('a literal is too large')
        this.#announced = { line: line.slice(0, literal.index), octets }
      } else {
        const pieces = [...this.#pieces, { line, literal: null }]
        this.#pieces = []
        return readResponse(pieces)
      }
    }
  }

  #takeLiteral({ line, octets }: { line: string; octets: number }): boolean {
    if (this.#buffered.length < octets) return false
    this.#pieces.push({ line, literal: this.#buffered.subarray(0, octets) })
    this.#buffered = this.#buffered.subarray(octets)
    this.#announced = null
    return true
  }
}

function readResponse(pieces: readonly Piece[]): Response {
  const first = pieces[0]!.line
  const head = /^([^ ]+)(?: ([A-Za-z]+)(?: |$))?/.exec(first)
  if (!head) throw new BadResponse('a response without a tag')
  const [whole, tag, word] = head as unknown as [string, string, string | undefined]
  const status = word?.toUpperCase() ?? ''
  if (tag === '+') return { tag, status: null, code: null, text: first.slice(2), values: [] }
  if (STATUSES.has(status)) {
    const rest = first.slice(whole.length)
    const bracket = rest.startsWith('[') ? rest.indexOf(']') : -1
    const code = bracket < 0 ? null : rest.slice(1, bracket)
    return { tag, status, code, text: rest.slice(bracket < 0 ? 0 : bracket + 2), values: [] }
  }
  return { tag, status: null, code: null, text: '', values: readValues(pieces, tag.length + 1) }
}

function readValues(pieces: readonly Piece[], start: number): ResponseValue[] {
  const stack: ResponseValue[][] = [[]]
  for (const [index, { line, literal }] of pieces.entries()) {
    for (let at = index === 0 ? start : 0; at < line.length; ) {
      const char = line[at]!
      if (char === ' ') at++
      else if (char === '(') {
        stack.push([])
        at++
      } else if (char === ')') {
        const list = stack.pop()
        const outer = stack.at(-1)
        if (!list || !outer) throw new BadResponse('parentheses do not match')
        outer.push(list)
        at++
      } else {
        const { value, end } = char === '"' ? readQuoted(line, at) : readAtom(line, at)
        stack.at(-1)!.push(value)
        at = end
      }
    }
    if (literal) stack.at(-1)!.push(literal)
  }
  if (stack.length !== 1) throw new BadResponse('parentheses do not match')
  return stack[0]!
}

function readQuoted(line: string, start: number): { value: Buffer; end: number } {
  let text = ''
  for (let at = start + 1; at < line.length; at++) {
    if (line[at] === '"') return { value: Buffer.from(text, 'latin1'), end: at + 1 }
    if (line[at] === '\\') at++
    text += line[at] ?? ''
  }
  throw new BadResponse('a string does not end')
}

/** Up to a blank or parenthesis; `BODY[HEADER.FIELDS (DATE)]<0>` is one. */
function readAtom(line: string, start: number): { value: string | null; end: number } {
  let end = start
  let depth = 0
  for (; end < line.length; end++) {
    const char = line[end]!
    if (char === '[') depth++
    else if (char === ']') depth--
    else if (depth <= 0 && (char === ' ' || char === '(' || char === ')')) break
  }
  const text = line.slice(start, end)
  return { value: text.toUpperCase() === 'NIL' ? null : text, end }
}
