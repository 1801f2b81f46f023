import type { Reply } from './reply.ts'

/** The server speaks no SMTP: what it sent is no reply. */
export class MalformedReply extends Error {
  override readonly name = 'MalformedReply'
}

// RFC 5321 §4.5.3.1.5 allows 512; what servers send in practice is longer.
const LINE_CAP = 4096
const LINES_CAP = 256

const LINE = /^([2-5][0-9]{2})(?:([ -])(.*))?$/
// RFC 2034 §4: class "." subject "." detail, then a space or nothing.
const ENHANCED = /^([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)/

/**
 * Reads a server's replies from octets as they come. Nothing is lost between calls; `pending` says whether octets are held
 * that made no whole reply yet (before a TLS handshake there must be none, RFC 3207 §4.2).
 */
export class ReplyReader {
  #line: Buffer = Buffer.alloc(0)
  #code = 0
  #lines: string[] = []

  get pending(): boolean {
    return this.#line.length > 0 || this.#lines.length > 0
  }

  /** The replies that these octets complete, in order. Throws MalformedReply; the reader is of no use after that. */
  push(octets: Uint8Array): Reply[] {
    this.#line = this.#line.length === 0 ? Buffer.from(octets) : Buffer.concat([this.#line, octets])
    const replies: Reply[] = []
    let from = 0
    for (let end = this.#line.indexOf(10); end >= 0; end = this.#line.indexOf(10, from)) {
      if (end - from > LINE_CAP) throw new MalformedReply('a line of a reply is too long')
      const until = end > from && this.#line[end - 1] === 13 ? end - 1 : end
      const complete = this.#take(this.#line.toString('utf8', from, until))
      if (complete) replies.push(complete)
      from = end + 1
    }
    this.#line = this.#line.subarray(from)
    if (this.#line.length > LINE_CAP) throw new MalformedReply('a line of a reply is too long')
    return replies
  }

  #take(line: string): Reply | null {
    const [, digits, separator, text = ''] = LINE.exec(line) ?? []
    if (digits === undefined) throw new MalformedReply('a line begins with no reply code')
    const code = Number(digits)
    if (this.#lines.length === 0) this.#code = code
    else if (this.#code !== code) throw new MalformedReply('the lines of one reply have different codes')
    this.#lines.push(text)
    if (separator === '-') {
      if (this.#lines.length >= LINES_CAP) throw new MalformedReply('a reply has too many lines')
      return null
    }
    const lines = this.#lines
    this.#lines = []
    return withEnhanced(code, lines)
  }
}

function withEnhanced(code: number, lines: string[]): Reply {
  const enhanced = ENHANCED.exec(lines[0] ?? '')?.[1] ?? null
  // The class repeats the first digit of the code (RFC 2034 §4); otherwise it is text that happens to look like a status.
  if (enhanced === null || Number(enhanced[0]) !== Math.floor(code / 100)) return { code, enhanced: null, lines }
  const prefix = `${enhanced} `
  const strip = (line: string) => (line === enhanced ? '' : line.startsWith(prefix) ? line.slice(prefix.length) : line)
  return { code, enhanced, lines: lines.map(strip) }
}

/** What a server offers in its reply to EHLO or LHLO (RFC 5321 §4.1.1.1): upper-case keyword to its parameters, `` if none. */
export function ehloKeywords(answer: Reply): ReadonlyMap<string, string> {
  const keywords = new Map<string, string>()
  for (const line of answer.lines.slice(1)) {
    const space = line.indexOf(' ')
    const keyword = space < 0 ? line : line.slice(0, space)
    // `AUTH=PLAIN` is how old servers wrote it.
    const equals = keyword.indexOf('=')
    const name = (equals < 0 ? keyword : keyword.slice(0, equals)).toUpperCase()
    if (!keywords.has(name)) keywords.set(name, space < 0 ? '' : line.slice(space + 1).trim())
  }
  return keywords
}
