/**
 * Reads an mbox file (RFC 4155 and its kin) from its beginning to its end, one message in memory at a time. A separator is a `From `
 * line with a whole date. Where a message tells its Content-Length and a separator or the file's end is found there, that is where
 * it ends (mboxcl, mboxcl2), whatever its lines look like; otherwise at the next separator (mboxo, mboxrd, RFC 4155), and then one `>` is
 * taken from quoted lines. The empty line before a separator belongs to the file, not to the message.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { scanHeader } from '#formats/message/header.ts'
import { FileWindow } from './file-window.ts'
import { type MailSource, type SourceEntry, SourceFailed, type SourceMailbox } from './import.ts'
import { contentLength, readStoredMessage, unquote } from './mbox-message.ts'
import { readSeparator, SEPARATOR_OCTETS } from './mbox-separator.ts'
import { toWireForm } from './wire-form.ts'

export interface MboxOptions {
  /** Octets of a message; longer ones are not kept. */
  readonly messageLimit: number
}

const LF = 10
const CR = 13
const SEPARATOR = Buffer.from('\nFrom ')
/** A header that is longer is not looked at for a Content-Length. */
const HEADER_OCTETS = 64 * 1024

/** From after its separator line up to `end`; the next separator line begins at `next`, or the file ends there. */
interface Extent {
  readonly end: number
  readonly next: number
  readonly isMeasured: boolean
}

class Mbox implements MailSource {
  readonly #file: FileHandle
  readonly #window: FileWindow
  readonly #limit: number

  constructor(file: FileHandle, size: number, { messageLimit }: MboxOptions) {
    this.#file = file
    this.#window = new FileWindow(file, size)
    this.#limit = messageLimit
  }

  async *mailboxes(): AsyncGenerator<SourceMailbox> {
    yield { levels: [], specialUse: null, isView: false, count: null, entries: () => this.#entries() }
  }

  async *#entries(): AsyncGenerator<SourceEntry> {
    let place = await this.#skipLineEnds(0)
    for (let number = 1; place < this.#window.size; number++) {
      const name = `message ${number}, at octet ${place}`
      this.#window.forget(place)
      const start = await this.#lineEnd(place)
      const internalDate = readSeparator(textOf(this.#window.view(place, start)))
      const { end, next, isMeasured } = (await this.#measured(start)) ?? (await this.#upToSeparator(start))
      if (end - start > this.#limit)
        yield { kind: 'unreadable', name, why: `it is larger than limits.messageSize (${end - start} octets)` }
      else {
        while (this.#window.end < end && (await this.#window.more())) {}
        const octets = this.#window.view(start, end)
        const stored = readStoredMessage(isMeasured && hasSeparatorLike(octets) ? octets : unquote(octets))
        if (stored)
          yield { kind: 'message', name, internalDate, content: toWireForm(stored.content), flags: stored.flags }
      }
      place = next
    }
  }

  /** After the line that begins at `place`. */
  async #lineEnd(place: number): Promise<number> {
    for (let from = place; ; ) {
      const found = this.#window.find(LF, from)
      if (found >= 0) return found + 1
      from = this.#window.end
      if (from - place > HEADER_OCTETS || !(await this.#window.more())) return from
    }
  }

  async #skipLineEnds(place: number): Promise<number> {
    const octets = await this.#window.peek(place, 4)
    let at = 0
    while (at < octets.length && (octets[at] === LF || octets[at] === CR)) at++
    return place + at
  }

  /** The extent that the header tells, when it proves right. */
  async #measured(start: number): Promise<Extent | null> {
    while (this.#window.end - start < HEADER_OCTETS && (await this.#window.more())) {}
    const near = this.#window.view(start, start + HEADER_OCTETS)
    const header = scanHeader(near)
    const isWhole = (header.fields.at(-1)?.end ?? 0) < header.range.end
    const length = isWhole ? contentLength(near, header) : null
    // The field may be that of the next message, where this one is a header and nothing else.
    if (length === null || hasSeparatorLike(near.subarray(0, header.range.end))) return null
    const end = start + header.range.end + length
    if (end > this.#window.size) return null
    const next = await this.#skipLineEnds(end)
    if (next < this.#window.size && !(await this.#isSeparator(next))) return null
    return { end, next, isMeasured: true }
  }

  async #isSeparator(place: number): Promise<boolean> {
    const octets = await this.#window.peek(place, SEPARATOR_OCTETS + 2)
    const end = octets.indexOf(LF)
    return readSeparator(textOf(octets.subarray(0, end < 0 ? octets.length : end + 1))) !== null
  }

  async #upToSeparator(start: number): Promise<Extent> {
    let from = start - 1
    for (;;) {
      const found = this.#window.find(SEPARATOR, from)
      if (found >= 0) {
        if (await this.#isSeparator(found + 1)) {
          const next = found + 1
          return { end: await this.#withoutEmptyLine(start, next), next, isMeasured: false }
        }
        from = found + 1
        continue
      }
      from = Math.max(from, this.#window.end - SEPARATOR.length)
      // Too long to be kept: what was seen of it is not needed.
      if (this.#window.end - start > this.#limit + HEADER_OCTETS) this.#window.forget(from)
      if (!(await this.#window.more())) {
        const next = this.#window.size
        return { end: await this.#withoutEmptyLine(start, next), next, isMeasured: false }
      }
    }
  }

  async #withoutEmptyLine(start: number, end: number): Promise<number> {
    const from = Math.max(start, end - 4)
    const tail = (await this.#window.peek(from, end - from)).toString('latin1')
    const lineEnd = tail.endsWith('\n\r\n') ? 2 : tail.endsWith('\n\n') ? 1 : 0
    return end - lineEnd
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }
}

const textOf = (line: Buffer) => line.toString('latin1').replace(/\r?\n$/, '')

/** An unquoted line that begins like a separator. */
function hasSeparatorLike(octets: Buffer): boolean {
  return octets.includes(SEPARATOR) || octets.subarray(0, 5).equals(SEPARATOR.subarray(1))
}

/** Throws SourceFailed for what is no mbox file. An empty one is. */
export async function openMbox(path: string, options: MboxOptions): Promise<MailSource> {
  const file = await open(path, 'r').catch((error) => {
    throw new SourceFailed(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  })
  try {
    const facts = await file.stat()
    if (facts.isDirectory())
      throw new SourceFailed(`${path} is a folder, not an mbox file; a Maildir is maildir:${path}`)
    if (!facts.isFile()) throw new SourceFailed(`${path} is no regular file`)
    const head = (await file.read(Buffer.alloc(16), 0, 16, 0)).buffer.subarray(0, Math.min(16, facts.size))
    const text = head.toString('latin1').replace(/^[\r\n]{1,4}/, '')
    if (text !== '' && !text.startsWith('From '))
      throw new SourceFailed(`${path} is no mbox file: it does not begin with a line "From ..."`)
    return new Mbox(file, facts.size, options)
  } catch (error) {
    await file.close()
    throw error
  }
}
