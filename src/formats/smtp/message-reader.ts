/**
 * Reads a message from the octets of a connection, after DATA (up to CRLF.CRLF) or in BDAT chunks (counted).
 *
 * A message is CRLF lines only. A CR or LF that stands alone is what SMTP smuggling is made of: nothing but CRLF.CRLF ends
 * DATA, and a message with a lone CR or LF is read to its real end and then refused. Clean content is never looked at octet
 * by octet in JavaScript and is copied at most once.
 *
 * RFC 5321 §2.3.8, §4.1.1.4, §4.5.2; RFC 3030 §2.
 */
import { ContentCollector } from './content-collector.ts'

/** Why a message that was read to its end cannot be taken. */
export type Unacceptable =
  /** A CR without LF, or a LF without CR. */
  | 'bare-line-ending'
  /** Longer than the limit. */
  | 'too-big'
  /** `drop` was called. */
  | 'dropped'

export type ReadMessage =
  | { readonly kind: 'message'; readonly content: Buffer }
  | { readonly kind: 'unacceptable'; readonly why: Unacceptable; readonly size: number }

const CR = 13
const LF = 10
const DOT = 46

/** What both readers have in common: what is kept, how much came, and why it cannot be taken. */
abstract class MessageReader {
  protected readonly collector = new ContentCollector()
  readonly #maxSize: number
  #size = 0
  #unacceptable: Unacceptable | null = null

  /** `maxSize` in octets, as sent (RFC 1870 §5: transparency dots do not count). */
  constructor(maxSize: number) {
    this.#maxSize = maxSize
  }

  /** Octets of content so far, kept or not. */
  get size(): number {
    return this.#size
  }

  /** Octets held in memory. */
  get kept(): number {
    return this.collector.size
  }

  /** Keeps nothing from now on: the message is read on to its end and cannot be taken. */
  drop(why: Unacceptable = 'dropped'): void {
    this.#unacceptable ??= why
    this.collector.clear()
  }

  get unacceptable(): Unacceptable | null {
    return this.#unacceptable
  }

  protected keep(octets: Buffer): void {
    this.#size += octets.length
    if (this.#size > this.#maxSize) this.drop('too-big')
    if (this.#unacceptable === null) this.collector.add(octets)
  }

  protected result(): ReadMessage {
    if (this.#unacceptable) return { kind: 'unacceptable', why: this.#unacceptable, size: this.#size }
    return { kind: 'message', content: this.collector.take() }
  }
}

/** Where the last octet left the reader. */
type Place = 'line' | 'after-cr' | 'line-start' | 'after-dot' | 'after-dot-cr'

/** A lone CR, a lone LF, or a dot at the start of a line. Every alternative has a fixed length: it cannot backtrack. */
const NOTABLE = /\r(?!\n)|(?<!\r)\n|\n\./g

export class DataReader extends MessageReader {
  // RFC 5321 §4.1.1.4: the CRLF of the DATA command counts, so a dot may come first.
  #place: Place = 'line-start'

  /**
   * Takes octets that came after 354. Answers how many of them belong to the message once its end was among them, else null.
   * The chunk is the reader's from then on: it is kept without copying and dots are taken out in place.
   */
  push(chunk: Buffer): number | null {
    let from = 0
    let at = 0
    while (this.#place !== 'line' && at < chunk.length) {
      const octet = chunk[at]!
      if (this.#place === 'line-start' && octet === DOT) {
        this.keep(chunk.subarray(from, at))
        from = at + 1
      }
      if (this.#step(octet)) return at + 1
      at++
    }
    if (at >= chunk.length) {
      if (this.#place !== 'after-dot-cr') this.keep(chunk.subarray(from))
      return null
    }
    return this.#scan(chunk, from, at)
  }

  /** One octet, where the place matters; true when it ended the message. */
  #step(octet: number): boolean {
    const before = this.#place
    if (before === 'after-dot-cr' && octet === LF) return true
    if (before === 'after-cr' && octet === LF) {
      this.#place = 'line-start'
      return false
    }
    if (before === 'after-cr' || before === 'after-dot-cr' || octet === LF) this.drop('bare-line-ending')
    if (octet === CR) this.#place = before === 'after-dot' ? 'after-dot-cr' : 'after-cr'
    else this.#place = before === 'line-start' && octet === DOT ? 'after-dot' : 'line'
    return false
  }

  /** `at` is within a line; octets from `from` on are content. Moves what follows a transparency dot over it. */
  #scan(chunk: Buffer, from: number, at: number): number | null {
    const text = chunk.toString('latin1', at)
    const first = from
    let written = from
    const moveUpTo = (end: number) => {
      if (written !== from) chunk.copyWithin(written, from, end)
      written += end - from
    }
    NOTABLE.lastIndex = 0
    for (let found = NOTABLE.exec(text); found; found = NOTABLE.exec(text)) {
      const next = found.index + 1
      if (found[0].length === 1) {
        if (next < text.length || found[0] === '\n') this.drop('bare-line-ending')
        continue
      }
      // A dot at the start of a line: RFC 5321 §4.5.2.
      moveUpTo(at + next)
      from = at + next + 1
      if (text.charCodeAt(next + 1) === CR && text.charCodeAt(next + 2) === LF) {
        this.keep(chunk.subarray(first, written))
        return at + next + 3
      }
    }
    this.#place = placeAfter(text)
    moveUpTo(this.#place === 'after-dot-cr' ? from : chunk.length)
    this.keep(chunk.subarray(first, written))
    return null
  }

  /** After `push` saw the end. */
  finish(): ReadMessage {
    return this.result()
  }
}

/** The place after text that began within a line. */
function placeAfter(text: string): Place {
  if (text.endsWith('\r\n')) return 'line-start'
  if (text.endsWith('\r\n.')) return 'after-dot'
  if (text.endsWith('\r\n.\r')) return 'after-dot-cr'
  return text.endsWith('\r') ? 'after-cr' : 'line'
}

const BARE = /\r(?!\n)|(?<!\r)\n/

/** The chunks of BDAT, one after another (RFC 3030). No transparency; the rule about lone CR and LF is the same. */
export class ChunkReader extends MessageReader {
  #afterCr = false

  /** Octets of a chunk; the reader keeps them without copying. */
  push(octets: Buffer): void {
    if (octets.length === 0) return
    let from = 0
    if (this.#afterCr) {
      if (octets[0] === LF) from = 1
      else this.drop('bare-line-ending')
    }
    this.#afterCr = octets[octets.length - 1] === CR && octets.length > from
    const end = this.#afterCr ? octets.length - 1 : octets.length
    if (this.unacceptable === null && BARE.test(octets.toString('latin1', from, end))) this.drop('bare-line-ending')
    this.keep(octets)
  }

  /** After the last chunk. Content that does not end its last line gets the CRLF that DATA would have given it. */
  finish(): ReadMessage {
    if (this.#afterCr) this.drop('bare-line-ending')
    else if (this.size > 0 && this.kept > 0 && this.collector.last !== LF) this.keep(Buffer.from('\r\n'))
    return this.result()
  }
}
