/**
 * Reads one command's tokens (RFC 3501 §9). A command is lines and the literals between them; a line that announces a literal
 * keeps its `{n}`, and the cursor steps from there into the literal and on to the next line.
 */
import { secretBuffer } from '#lib/bytes.ts'
import { readMailboxName } from './mailbox-name.ts'
import { parseSequenceSet, SAVED, type SequenceSet, STAR } from './sequence-set.ts'

/** One line without its line end, and the literal that it announces. */
export interface Segment {
  readonly line: Buffer
  /** Where in the line the literal's `{` (or `~{`) stands; the line's length when there is none. */
  readonly literalAt: number
  readonly literal: Buffer | null
}

/** The command is wrong; the message is what the client is told. */
export class ImapSyntaxError extends Error {
  override readonly name = 'ImapSyntaxError'
}

const END = -1
const LITERAL = -2
const SPACE = 32
const QUOTE = 34
const OPEN = 40
const CLOSE = 41
const BACKSLASH = 92

const ATOM = 1
const ASTRING = 2
const PATTERN = 4
/** Octet classes of RFC 3501 §9: ATOM-CHAR, ASTRING-CHAR, list-char. Octets above 127 are let into names, never into atoms. */
const CLASSES = new Uint8Array(256)
for (let octet = 33; octet < 256; octet++) {
  const special = '(){%*"\\]\x7f'.includes(String.fromCharCode(octet))
  if (!special) CLASSES[octet] = (octet < 128 ? ATOM : 0) | ASTRING | PATTERN
}
CLASSES[93] = ASTRING | PATTERN
CLASSES[37] = PATTERN
CLASSES[42] = PATTERN

export class Cursor {
  readonly #segments: readonly Segment[]
  readonly #utf8: boolean
  #index = 0
  #at = 0

  /** `utf8`: mailbox names are UTF-8, and modified UTF-7 in them means nothing (RFC 6855 §3, RFC 9051 §5.1). */
  constructor(segments: readonly Segment[], utf8 = false) {
    this.#segments = segments
    this.#utf8 = utf8
  }

  get #segment(): Segment {
    return this.#segments[this.#index]!
  }

  /** The next octet, END or LITERAL. */
  #peek(): number {
    const { line, literalAt, literal } = this.#segment
    if (this.#at < literalAt) return line[this.#at]!
    return literal ? LITERAL : END
  }

  fail(expected: string): never {
    throw new ImapSyntaxError(`expected ${expected}`)
  }

  isEnd(): boolean {
    return this.#peek() === END
  }

  isDigit(): boolean {
    const octet = this.#peek()
    return octet >= 48 && octet <= 57
  }

  isNext(char: string): boolean {
    return this.#peek() === char.charCodeAt(0)
  }

  /** Steps over the character if it is next. */
  skip(char: string): boolean {
    if (!this.isNext(char)) return false
    this.#at++
    return true
  }

  expect(char: string): void {
    if (!this.skip(char)) this.fail(`"${char}"`)
  }

  /** At least one blank. The grammar has exactly one, some clients write more. */
  space(): void {
    if (!this.skipSpaces()) this.fail('a space')
  }

  skipSpaces(): boolean {
    const start = this.#at
    while (this.#peek() === SPACE) this.#at++
    return this.#at > start
  }

  end(): void {
    this.skipSpaces()
    if (!this.isEnd()) this.fail('the end of the command')
  }

  #run(octetClass: number): Buffer {
    const { line, literalAt } = this.#segment
    const start = this.#at
    while (this.#at < literalAt && (CLASSES[line[this.#at]!]! & octetClass) !== 0) this.#at++
    return line.subarray(start, this.#at)
  }

  atom(expected = 'an atom'): string {
    const octets = this.#run(ATOM)
    return octets.length > 0 ? octets.toString('latin1') : this.fail(expected)
  }

  /** Letters, digits, dots and dashes: names of fetch items, which end at `[`. */
  word(): string {
    const { line, literalAt } = this.#segment
    const start = this.#at
    while (this.#at < literalAt && /[A-Za-z0-9.-]/.test(String.fromCharCode(line[this.#at]!))) this.#at++
    return line.toString('latin1', start, this.#at)
  }

  /** Steps over the word if it is next, whole and in any case. */
  skipWord(wanted: string): boolean {
    const start = this.#at
    if (this.#run(ATOM).toString('latin1').toUpperCase() === wanted) return true
    this.#at = start
    return false
  }

  /** Reads what may stand next: steps back when that answers null. */
  optionally<T>(read: () => T | null): T | null {
    const [index, at] = [this.#index, this.#at]
    const found = read()
    if (found === null) [this.#index, this.#at] = [index, at]
    return found
  }

  /** A tag (RFC 3501 §9), or null. */
  tag(): string | null {
    const octets = this.#run(ASTRING)
    return octets.length > 0 && octets.length <= 100 && /^[!-*,-~]+$/.test(octets.toString('latin1'))
      ? octets.toString('latin1')
      : null
  }

  /** Everything up to the next blank. */
  token(): Buffer {
    const { line, literalAt } = this.#segment
    const start = this.#at
    while (this.#at < literalAt && line[this.#at] !== SPACE) this.#at++
    return line.subarray(start, this.#at)
  }

  isString(): boolean {
    const next = this.#peek()
    return next === QUOTE || next === LITERAL
  }

  /** A quoted string or literal: its octets, as a view of the command where possible. */
  string(): Buffer {
    const next = this.#peek()
    if (next === LITERAL) return this.literal()
    return next === QUOTE ? this.#quoted() : this.fail('a string')
  }

  literal(): Buffer {
    if (this.#peek() !== LITERAL) this.fail('a literal')
    const { literal } = this.#segment
    this.#index++
    this.#at = 0
    return literal!
  }

  #quoted(): Buffer {
    const { line, literalAt } = this.#segment
    const start = this.#at + 1
    let at = start
    let escapes = 0
    for (; at < literalAt && line[at] !== QUOTE; at++) {
      if (line[at] !== BACKSLASH) continue
      escapes++
      at++
    }
    if (at >= literalAt) throw new ImapSyntaxError('unterminated quoted string')
    this.#at = at + 1
    return escapes === 0 ? line.subarray(start, at) : withoutEscapes(line.subarray(start, at), escapes)
  }

  astring(expected = 'a string'): Buffer {
    if (this.isString()) return this.string()
    const octets = this.#run(ASTRING)
    return octets.length > 0 ? octets : this.fail(expected)
  }

  /** A string or NIL. */
  nstring(): Buffer | null {
    if (this.isString()) return this.string()
    return this.skipWord('NIL') ? null : this.fail('a string or NIL')
  }

  mailbox(): string {
    return readMailboxName(this.astring('a mailbox name'), this.#utf8) ?? this.fail('a mailbox name')
  }

  /** The same; with it the name that the client wrote in UTF-8, where that was another (RFC 9051 §6.3.4). */
  mailboxAsWritten(): { readonly name: string; readonly written: string | null } {
    const octets = this.astring('a mailbox name')
    const name = readMailboxName(octets, this.#utf8) ?? this.fail('a mailbox name')
    const written = octets.toString('utf8')
    return { name, written: this.#utf8 && written !== name ? written : null }
  }

  /** A mailbox name that may hold wildcards. */
  pattern(): string {
    const quoted = this.isString()
    const octets = quoted ? this.string() : this.#run(PATTERN)
    const pattern = quoted || octets.length > 0 ? readMailboxName(octets, this.#utf8) : null
    return pattern ?? this.fail('a mailbox pattern')
  }

  /** RFC 3501 §9 `number`, at most 2^32-1. */
  number(): number {
    const digits = this.#digits(10)
    const number = Number(digits)
    return number <= 0xffff_ffff ? number : this.fail('a 32-bit number')
  }

  positive(): number {
    return this.number() || this.fail('a number above zero')
  }

  /** RFC 9051 §9 `number64`, 63 bits; above what a number can hold exactly, that bound stands for it: nothing is larger or newer. */
  number64(): number {
    return Math.min(Number(this.#digits(19)), Number.MAX_SAFE_INTEGER)
  }

  #digits(most: number): string {
    const start = this.#at
    while (this.isDigit() && this.#at - start <= most) this.#at++
    const digits = this.#segment.line.toString('latin1', start, this.#at)
    return digits.length > 0 && digits.length <= most ? digits : this.fail('a number')
  }

  sequenceSet(): SequenceSet {
    const text = this.#run(PATTERN).toString('latin1')
    // RFC 5182 §2.1: it stands alone.
    return text === '$' ? SAVED : (parseSequenceSet(text) ?? this.fail('a sequence set'))
  }

  /** A set without `*` and `$` (RFC 7162 §7 known-uids). */
  plainSequenceSet(): SequenceSet {
    const set = this.sequenceSet()
    return set !== SAVED && set.every(({ last }) => last !== STAR) ? set : this.fail('a set of numbers')
  }

  /** `\Seen` or a keyword. */
  flag(): string {
    return this.skip('\\') ? `\\${this.atom('a flag')}` : this.atom('a flag')
  }

  /** Elements in parentheses, blanks between them. */
  list<T>(element: () => T): T[] {
    if (this.#peek() !== OPEN) this.fail('"("')
    this.#at++
    const elements: T[] = []
    this.skipSpaces()
    while (this.#peek() !== CLOSE) {
      elements.push(element())
      if (!this.skipSpaces() && this.#peek() !== CLOSE) this.fail('")"')
    }
    this.#at++
    return elements
  }
}

function withoutEscapes(raw: Buffer, escapes: number): Buffer {
  const octets = secretBuffer(raw.length - escapes)
  let length = 0
  for (let at = 0; at < raw.length; at++) {
    if (raw[at] === BACKSLASH) at++
    octets[length++] = raw[at]!
  }
  return octets
}
