/**
 * Finds the delimiter lines of all multiparts that are open at once (RFC 2046 §5.1.1). A delimiter of an outer multipart ends
 * every inner one, whether or not that one was closed.
 *
 * A line is a delimiter when it is `--boundary` or `--boundary--`, then nothing but blanks. The RFC would let a line that only
 * begins so count too; hardly any reader does that, and what readers disagree about is what attacks are made of.
 */

export interface Delimiter {
  /** The multipart that it belongs to, as numbered by its owner. */
  readonly level: number
  readonly close: boolean
  /** Where the content before it ends: the line end in front belongs to the delimiter. */
  readonly contentEnd: number
  /** After its own line end. */
  readonly end: number
}

/** RFC 2046 §5.1.1 says 70 characters; some are longer. */
export const BOUNDARY_LIMIT = 998
/** Lines that looked like a delimiter and were none: beyond, the rest of the message has no parts. */
const LOOKALIKES_LIMIT = 200_000

const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const DASH = 45
const CANDIDATE = Buffer.from('\n--')

export class PartDelimiters {
  readonly #octets: Buffer
  /** The innermost multipart that has this boundary. */
  readonly #levels = new Map<string, number>()
  readonly #boundaries: { boundary: string; hidden: number | undefined }[] = []
  /** First octets of boundaries, ever; with the greatest length they rule most lines out. */
  readonly #firsts = new Uint8Array(256)
  #longest = 0
  #lookalikes = 0

  constructor(octets: Buffer) {
    this.#octets = octets
  }

  /** Waits for the delimiters of one more multipart. */
  add(level: number, boundary: string): void {
    this.#boundaries[level] = { boundary, hidden: this.#levels.get(boundary) }
    this.#levels.set(boundary, level)
    this.#firsts[boundary.charCodeAt(0)] = 1
    this.#longest = Math.max(this.#longest, boundary.length)
  }

  /** Forgets a multipart; inner ones are forgotten before outer ones. Harmless when it is not waited for. */
  remove(level: number): void {
    const known = this.#boundaries[level]
    if (!known) return
    delete this.#boundaries[level]
    if (known.hidden === undefined) this.#levels.delete(known.boundary)
    else this.#levels.set(known.boundary, known.hidden)
  }

  /** The next delimiter line at or after the line that begins at `from`. */
  next(from: number): Delimiter | null {
    if (this.#levels.size === 0) return null
    let lineStart = from
    if (!this.#isCandidate(lineStart)) lineStart = this.#nextCandidate(from)
    while (lineStart >= 0) {
      const delimiter = this.at(lineStart)
      if (delimiter) return delimiter
      lineStart = this.#nextCandidate(lineStart + 2)
    }
    return null
  }

  /** The delimiter in the line that begins there with `--`, if it is one. */
  at(lineStart: number): Delimiter | null {
    const octets = this.#octets
    const start = lineStart + 2
    if (this.#firsts[octets[start] ?? 0] !== 1 || this.#lookalikes > LOOKALIKES_LIMIT) return null
    const far = start + this.#longest + 2
    let textEnd = start
    let at = start
    for (; at < octets.length && octets[at] !== LF; at++) {
      const octet = octets[at]
      if (octet === SPACE || octet === TAB || octet === CR) continue
      if (at >= far) return this.#noDelimiter()
      textEnd = at + 1
    }
    const text = octets.toString('latin1', start, textEnd)
    const close = !this.#levels.has(text) && text.endsWith('--')
    const level = this.#levels.get(close ? text.slice(0, -2) : text)
    if (level === undefined) return this.#noDelimiter()
    return { level, close, contentEnd: this.#contentEnd(lineStart), end: Math.min(at + 1, octets.length) }
  }

  #noDelimiter(): null {
    this.#lookalikes++
    return null
  }

  #contentEnd(lineStart: number): number {
    const octets = this.#octets
    if (octets[lineStart - 1] !== LF) return lineStart
    return octets[lineStart - 2] === CR ? lineStart - 2 : lineStart - 1
  }

  #isCandidate(lineStart: number): boolean {
    const octets = this.#octets
    return (
      octets[lineStart] === DASH && octets[lineStart + 1] === DASH && (lineStart === 0 || octets[lineStart - 1] === LF)
    )
  }

  /** The start of the next line that begins with `--`, or -1. Looks near by itself first: a call out of the engine costs more. */
  #nextCandidate(from: number): number {
    const octets = this.#octets
    const near = Math.min(from + 32, octets.length - 2)
    for (let at = from; at < near; at++) {
      if (octets[at] === LF && octets[at + 1] === DASH && octets[at + 2] === DASH) return at + 1
    }
    const found = octets.indexOf(CANDIDATE, Math.max(from, near))
    return found < 0 ? -1 : found + 1
  }
}
