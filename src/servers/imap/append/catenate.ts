/** Messages that are put together on the server from others (RFC 4469): what was kept already need not be sent again. */
import type { Mailbox } from '#custody/store/mail-store.ts'
import type { CatenatedPiece } from '#formats/imap/command.ts'
import { type MessageUrl, parseMessageUrl } from '#formats/imap/message-url.ts'
import { type MessageSummary, summarize } from '#formats/message/summary.ts'
import { asBuffer } from '#lib/bytes.ts'
import type { Conversation } from '../conversation.ts'
import { sectionOf } from '../fetch/section.ts'
import { type ImapError, no } from '../imap-error.ts'

interface Source {
  readonly content: Buffer
  readonly summary: MessageSummary
}

/**
 * Puts messages together for one APPEND, and opens each message that URLs name once. A few octets of command stand for as much as a
 * message may hold, so all messages of the command together are no larger than one, and have their share of the memory until disposed.
 */
export class Catenation implements Disposable {
  readonly #talk: Conversation
  readonly #sources = new Map<string, Source>()
  #opened = 0
  #joined = 0
  #shared = 0

  constructor(talk: Conversation) {
    this.#talk = talk
  }

  /** Throws NO with BADURL, TOOBIG or LIMIT. */
  async join(pieces: readonly CatenatedPiece[]): Promise<Buffer> {
    const { messageSize } = this.#talk.context.limits
    const parts: Buffer[] = []
    for (const piece of pieces) {
      const part = piece.kind === 'text' ? piece.octets : await this.#resolve(piece.url)
      parts.push(part)
      this.#joined += part.length
      // RFC 4469 §4.2
      if (this.#joined > messageSize) throw no('TOOBIG', 'The message would be too large')
    }
    this.#share(parts.reduce((sum, { length }) => sum + length, 0))
    return Buffer.concat(parts)
  }

  async #resolve(url: string): Promise<Buffer> {
    const parsed = parseMessageUrl(url)
    if (!parsed) throw badUrl(url)
    const mailbox = await this.#mailboxOf(parsed)
    const source = mailbox && (await this.#open(mailbox, parsed.uid))
    const section = source && sectionOf(parsed.section, source.summary, source.content)
    if (!section) throw badUrl(url)
    const { start, length } = parsed.partial ?? { start: 0, length: null }
    return section.subarray(start, length === null ? undefined : start + length)
  }

  async #mailboxOf({ mailbox: name, uidValidity }: MessageUrl): Promise<Mailbox | null> {
    const { selected, mail } = this.#talk
    const found = (await mail.mailboxes()).find((one) => (name === null ? one.id === selected?.id : one.name === name))
    return found && (uidValidity === null || found.uidValidity === uidValidity) ? found : null
  }

  async #open(mailbox: Mailbox, uid: number): Promise<Source | null> {
    const key = `${mailbox.id}/${uid}`
    const known = this.#sources.get(key)
    if (known) return known
    const octets = await this.#talk.mail.read(mailbox.id, uid)
    if (!octets) return null
    this.#opened += octets.byteLength
    // Small parts of many large messages would cost more than any message may.
    if (this.#opened > 2 * this.#talk.context.limits.messageSize) throw no('TOOBIG', 'The messages are too large')
    this.#share(octets.byteLength)
    const content = asBuffer(octets)
    const source = { content, summary: summarize(content) }
    this.#sources.set(key, source)
    return source
  }

  #share(octets: number): void {
    const { context, session } = this.#talk
    if (!context.receiving.take(session.account.id, octets))
      throw no('LIMIT', 'Other messages are being kept, try again later')
    this.#shared += octets
  }

  [Symbol.dispose](): void {
    this.#talk.context.receiving.give(this.#talk.session.account.id, this.#shared)
    this.#sources.clear()
  }
}

/** RFC 4469 §4.1. Nothing that ends the code or the line. */
function badUrl(url: string): ImapError {
  return no(`BADURL "${url.replace(/[^\x21-\x7e]|["\\\]]/g, '?')}"`, 'There is no such part of a message')
}
