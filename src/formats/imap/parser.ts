/**
 * Reads IMAP commands from a stream of octets (RFC 3501 §2.2.1, §4.3, RFC 7888 LITERAL-, RFC 3516 literal8), wherever it is cut.
 * Pull: push() a chunk, then next() until it answers null. Whoever pulls decides between two events what comes next: a
 * line (SASL, IDLE), what literals are allowed, whether what is buffered is thrown away (STARTTLS).
 *
 * Promises: it holds no more than the limits below and one APPEND; it never throws for what a client sends, recovers after
 * a wrong command at the next one, and says `fatal` where that is not possible. Lines are overwritten once they are read and
 * credentials are handed out as Buffers of their own, so that no password stays behind.
 */
import { secretBuffer } from '#lib/bytes.ts'
import type { Command, ReaderEvent } from './command.ts'
import { Cursor, ImapSyntaxError, type Segment } from './cursor.ts'
import { parseCommand } from './parse-command.ts'

/** Lines and literals of one command together, messages of APPEND not counted. */
const COMMAND_OCTETS = 65_536
/** RFC 7888 §5 */
const LITERAL_MINUS = 4_096
const LOGIN_LITERAL = 1_024
/** Pieces of a line that are kept apart: each costs some hundred octets besides its own. */
const PIECES = 64
const LF = 10
const CR = 13

export interface ReaderLimits {
  /** Before login only LOGIN may have literals, and small ones. */
  readonly authenticated: boolean
  /** Octets of all messages of one APPEND. */
  readonly appendOctets: number
  /** Mailbox names come in UTF-8 (RFC 6855 §3, RFC 9051 §5.1); left out: in modified UTF-7. */
  readonly utf8?: boolean
}

interface AnnouncedLiteral {
  readonly at: number
  readonly octets: number
  readonly synchronising: boolean
}

type Refusal = Omit<Extract<ReaderEvent, { kind: 'rejected' }>, 'kind' | 'tag'>

const refusal = (text: string): Refusal => ({ status: 'BAD', code: null, text })

export class CommandReader {
  #limits: ReaderLimits
  readonly #chunks: Buffer[] = []
  /** Beginning of a line whose end has not come. */
  #partial: Buffer[] = []
  #partialOctets = 0
  #segments: Segment[] = []
  /** Octets of the command that count against COMMAND_OCTETS, and of its messages. */
  #octets = 0
  #appended = 0
  #literal: { line: Buffer; at: number; content: Buffer; filled: number } | null = null
  /** The command was refused, but the client sends the rest of it without asking. */
  #refused: Refusal | null = null
  #skipping = 0
  #lineExpected = false
  #broken: ReaderEvent | null = null

  constructor(limits: ReaderLimits) {
    this.#limits = limits
  }

  set limits(limits: ReaderLimits) {
    this.#limits = limits
  }

  /** The chunk is kept until it is read, and its lines are then overwritten. */
  push(chunk: Buffer): void {
    if (chunk.length > 0) this.#chunks.push(chunk)
  }

  /** The next event is one line, whatever is in it. */
  expectLine(): void {
    this.#lineExpected = true
  }

  /** Whether octets have come that no event has told of yet. */
  get hasBuffered(): boolean {
    return this.#chunks.length > 0 || this.#partialOctets > 0
  }

  /** Throws away everything that has come: what a client sent before the TLS handshake must not be obeyed after it. */
  discard(): void {
    for (const chunk of [...this.#chunks, ...this.#partial]) chunk.fill(0)
    this.#chunks.length = 0
    this.#partial = []
    if (!this.#limits.authenticated) this.#wipeCommand()
    this.#partialOctets = 0
    this.#lineExpected = false
    this.#reset()
  }

  /** null: more octets are needed. */
  next(): ReaderEvent | null {
    if (this.#broken) return this.#broken
    for (;;) {
      if (!this.#finishLiteral()) return null
      const line = this.#takeLine()
      if (!line) return this.#partialOctets > COMMAND_OCTETS ? this.#break('command line too long') : null
      if (this.#lineExpected) {
        this.#lineExpected = false
        return { kind: 'line', line }
      }
      const event = this.#readLine(line)
      if (event) return event
    }
  }

  #readLine(line: Buffer): ReaderEvent | null {
    this.#octets += line.length
    if (this.#octets > COMMAND_OCTETS) return this.#break('command line too long')
    const announced = findLiteral(line)
    if (!announced) return this.#finishCommand(line)
    const refused = this.#refused ?? this.#refuseLiteral(line, announced)
    if (!refused) {
      this.#literal = { line, at: announced.at, content: this.#room(announced.octets), filled: 0 }
      return announced.synchronising ? { kind: 'continue' } : null
    }
    this.#segments.push({ line, literalAt: announced.at, literal: Buffer.alloc(0) })
    // The client waits for a go-ahead that does not come: the command is over.
    if (announced.synchronising) return this.#reject(refused)
    if (announced.octets > COMMAND_OCTETS) return this.#break('literal too large')
    this.#refused = refused
    this.#skipping = announced.octets
    return null
  }

  #refuseLiteral(line: Buffer, { octets, synchronising, at }: AnnouncedLiteral): Refusal | null {
    if (!synchronising && octets > LITERAL_MINUS)
      return refusal('non-synchronising literals are limited to 4096 octets')
    const verb = this.#verb(line.subarray(0, at))
    if (!this.#limits.authenticated) {
      if (verb !== 'LOGIN') return refusal('no literals before login')
      if (octets > LOGIN_LITERAL) return refusal('literal too large')
    } else if (verb === 'APPEND') {
      this.#appended += octets
      if (this.#appended <= this.#limits.appendOctets) return null
      return { status: 'NO', code: 'TOOBIG', text: 'The message is too large' }
    }
    this.#octets += octets
    return this.#octets > COMMAND_OCTETS ? refusal('literal too large') : null
  }

  #verb(line: Buffer): string {
    const first = this.#segments[0]?.line ?? line
    return /^[^ ]+ +([A-Za-z]+)/.exec(first.toString('latin1', 0, 200))?.[1]?.toUpperCase() ?? ''
  }

  #finishCommand(line: Buffer): ReaderEvent {
    this.#segments.push({ line, literalAt: line.length, literal: null })
    if (this.#refused) return this.#reject(this.#refused)
    const cursor = new Cursor(this.#segments, this.#limits.utf8)
    const tag = cursor.tag()
    if (tag === null) return this.#reject(refusal('expected a tag'))
    let command: Command
    try {
      command = parseCommand(cursor)
    } catch (error) {
      if (error instanceof ImapSyntaxError) return this.#reject(refusal(error.message))
      throw error
    }
    if (command.kind === 'login' || command.kind === 'authenticate') this.#wipeSegments()
    this.#reset()
    return { kind: 'command', tag, command }
  }

  #reject(why: Refusal): ReaderEvent {
    const tag = new Cursor(this.#segments).tag()
    this.#wipeSegments()
    this.#reset()
    return { kind: 'rejected', tag, ...why }
  }

  #break(text: string): ReaderEvent {
    this.discard()
    this.#broken = { kind: 'fatal', text }
    return this.#broken
  }

  /** Memory for what may be a credential, or need not be wiped. */
  #room(octets: number): Buffer {
    return this.#limits.authenticated ? Buffer.allocUnsafeSlow(octets) : secretBuffer(octets)
  }

  /** As far as it has come. */
  #wipeCommand(): void {
    this.#wipeSegments()
    this.#literal?.line.fill(0)
    this.#literal?.content.fill(0)
  }

  #wipeSegments(): void {
    for (const { line, literal } of this.#segments) {
      line.fill(0)
      literal?.fill(0)
    }
  }

  #reset(): void {
    this.#segments = []
    this.#octets = 0
    this.#appended = 0
    this.#literal = null
    this.#refused = null
    this.#skipping = 0
  }

  /** Takes octets for the literal that is under way; false when more must come. */
  #finishLiteral(): boolean {
    while (this.#skipping > 0 && this.#chunks.length > 0) this.#skipping -= this.#consume(this.#skipping).length
    const literal = this.#literal
    if (!literal) return this.#skipping === 0
    while (literal.filled < literal.content.length && this.#chunks.length > 0) {
      const piece = this.#consume(literal.content.length - literal.filled)
      literal.content.set(piece, literal.filled)
      literal.filled += piece.length
      if (!this.#limits.authenticated) piece.fill(0)
    }
    if (literal.filled < literal.content.length) return false
    this.#segments.push({ line: literal.line, literalAt: literal.at, literal: literal.content })
    this.#literal = null
    return true
  }

  #consume(octets: number): Buffer {
    const chunk = this.#chunks[0]!
    if (chunk.length <= octets) this.#chunks.shift()
    else this.#chunks[0] = chunk.subarray(octets)
    return chunk.subarray(0, octets)
  }

  /** A copy of the next line without its line end, or null when its end has not come. */
  #takeLine(): Buffer | null {
    while (this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!
      const found = chunk.indexOf(LF)
      const piece = this.#consume(found < 0 ? chunk.length : found + 1)
      this.#partial.push(piece)
      this.#partialOctets += piece.length
      if (found >= 0) return this.#lineOfPartial()
      if (this.#partialOctets > COMMAND_OCTETS) return null
      if (this.#partial.length >= PIECES) this.#partial = [this.#joinedPartial()]
    }
    return null
  }

  #joinedPartial(): Buffer {
    const joined = this.#room(this.#partialOctets)
    let at = 0
    for (const piece of this.#partial) {
      joined.set(piece, at)
      at += piece.length
      piece.fill(0)
    }
    return joined
  }

  #lineOfPartial(): Buffer {
    const joined = this.#joinedPartial()
    this.#partial = []
    this.#partialOctets = 0
    const end = joined.length - (joined[joined.length - 2] === CR ? 2 : 1)
    return joined.subarray(0, end)
  }
}

/** RFC 3501 §9 `literal`, RFC 7888 `{n+}`, RFC 3516 `~{n}` at the end of a line. */
function findLiteral(line: Buffer): AnnouncedLiteral | null {
  if (line[line.length - 1] !== 125) return null
  const match = /(~?)\{([0-9]{1,10})(\+?)\}$/.exec(line.toString('latin1', Math.max(0, line.length - 16)))
  if (!match) return null
  return { at: line.length - match[0].length, octets: Number(match[2]), synchronising: match[3] === '' }
}
