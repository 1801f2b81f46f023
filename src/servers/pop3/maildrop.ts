/**
 * The maildrop of one session (RFC 1939 §3, §5): the messages of INBOX that were there at login, by numbers that never change
 * meaning. What others remove meanwhile, and what cannot be opened, is no message of it any more as soon as that is known.
 *
 * It costs some nine octets a message. Sizes come from the summaries, a page at a time and only when they are asked for and
 * were not learned by an earlier session.
 */
import type { AccountMail, MailboxId } from '#custody/store/mail-store.ts'
import { decodeSummary, sizeInSummary } from '#formats/message/summary.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { type KnownSizes, type MessageSizes, UNKNOWN } from './known-sizes.ts'
import { no } from './refusal.ts'

/** Messages whose summaries are asked for, and that are listed, at once. */
const PAGE = 256

const THERE = 0
const DELETED = 1
const GONE = 2

export class Maildrop {
  readonly #mail: AccountMail
  readonly #inbox: MailboxId
  readonly #uidValidity: number
  /** All by number less one. */
  readonly #uids: Uint32Array
  readonly #sizes: Uint32Array
  readonly #states: Uint8Array
  /** Uids of messages that the client has been sent whole. */
  readonly #read = new Set<number>()

  private constructor(mail: AccountMail, inbox: MailboxId, { uidValidity, uids, sizes }: MessageSizes) {
    this.#mail = mail
    this.#inbox = inbox
    this.#uidValidity = uidValidity
    this.#uids = uids
    this.#sizes = sizes
    this.#states = new Uint8Array(uids.length)
  }

  static async open(mail: AccountMail, account: string, known: KnownSizes): Promise<Maildrop> {
    const inbox = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!
    const { status, present } = await mail.overview(inbox.id)
    const { uidValidity } = status
    const uids = uidsIn(present ?? new Uint32Array())
    return new Maildrop(mail, inbox.id, { uidValidity, uids, sizes: known.recall(account, uidValidity, uids) })
  }

  /** For the next session. */
  get known(): MessageSizes {
    return { uidValidity: this.#uidValidity, uids: this.#uids, sizes: this.#sizes }
  }

  /** Number of the last message. */
  get length(): number {
    return this.#uids.length
  }

  /** RFC 1939 §7: never another message's, in any session. Throws when there is no such message. */
  uniqueId(number: number): string {
    this.#check(number)
    return `${this.#uidValidity}.${this.#uids[number - 1]}`
  }

  /** Exact octets. Throws when there is no such message. */
  async size(number: number): Promise<number> {
    this.#check(number)
    await this.#learnSizes(number - 1, number)
    this.#check(number)
    return this.#sizes[number - 1]!
  }

  /** What is there and not marked as deleted (RFC 1939 §5, STAT). */
  async count(): Promise<{ readonly messages: number; readonly octets: number }> {
    let [messages, octets] = [0, 0]
    for (let from = 0; from < this.length; from += PAGE) {
      const to = Math.min(from + PAGE, this.length)
      await this.#learnSizes(from, to)
      for (let at = from; at < to; at++) {
        if (this.#states[at] !== THERE) continue
        messages++
        octets += this.#sizes[at]!
      }
    }
    return { messages, octets }
  }

  /** Lines of LIST. */
  async *sizes(): AsyncGenerator<string> {
    for (let from = 0; from < this.length; from += PAGE) {
      const to = Math.min(from + PAGE, this.length)
      await this.#learnSizes(from, to)
      yield this.#page(from, to, (at) => this.#sizes[at]!)
    }
  }

  /** Lines of UIDL. */
  *uniqueIds(): Generator<string> {
    for (let from = 0; from < this.length; from += PAGE)
      yield this.#page(from, Math.min(from + PAGE, this.length), (at) => `${this.#uidValidity}.${this.#uids[at]}`)
  }

  #page(from: number, to: number, tell: (at: number) => string | number): string {
    let lines = ''
    for (let at = from; at < to; at++) if (this.#states[at] === THERE) lines += `${at + 1} ${tell(at)}\r\n`
    return lines
  }

  /** The exact octets. Throws when there is no such message, and MessageUnreadable. */
  async content(number: number): Promise<Bytes> {
    this.#check(number)
    const content = await this.#mail.read(this.#inbox, this.#uids[number - 1]!)
    if (content) return content
    this.#states[number - 1] = GONE
    throw noSuchMessage()
  }

  /** The header with the empty line after it, where it is known without opening the content; else null. Throws the same. */
  async header(number: number): Promise<Bytes | null> {
    this.#check(number)
    const [summary] = await this.#mail.summaries(this.#inbox, [this.#uids[number - 1]!])
    return summary ? decodeSummary(summary).header : null
  }

  /** The client has all of it. */
  wasRead(number: number): void {
    this.#read.add(this.#uids[number - 1]!)
  }

  /** Throws when there is no such message. */
  markDeleted(number: number): void {
    this.#check(number)
    this.#states[number - 1] = DELETED
  }

  /** Nothing is marked as deleted any more. */
  reset(): void {
    for (const [at, state] of this.#states.entries()) if (state === DELETED) this.#states[at] = THERE
  }

  /** The UPDATE state (RFC 1939 §6): all that are marked go at once, or none does and it throws. Answers how many were there. */
  async removeDeleted(): Promise<number> {
    const marked = [...this.#uids.filter((_, at) => this.#states[at] === DELETED)]
    if (marked.length === 0) return 0
    const removed = await this.#mail.remove(this.#inbox, marked)
    for (const uid of marked) this.#read.delete(uid)
    return removed.length
  }

  /** Other clients see what was read here. */
  async tellRead(): Promise<void> {
    const uids = [...this.#read]
    this.#read.clear()
    if (uids.length > 0) await this.#mail.setFlags(this.#inbox, uids, { mode: 'add', flags: ['\\Seen'] })
  }

  #check(number: number): void {
    if (this.#states[number - 1] === THERE) return
    throw this.#states[number - 1] === DELETED ? no('The message is marked as deleted') : noSuchMessage()
  }

  /** Of messages from `from` to before `to`. */
  async #learnSizes(from: number, to: number): Promise<void> {
    const wanted: number[] = []
    for (let at = from; at < to; at++) if (this.#states[at] === THERE && this.#sizes[at] === UNKNOWN) wanted.push(at)
    if (wanted.length === 0) return
    const uids = wanted.map((at) => this.#uids[at]!)
    for (const [index, summary] of (await this.#mail.summaries(this.#inbox, uids)).entries()) {
      const at = wanted[index]!
      if (summary) this.#sizes[at] = sizeInSummary(asBuffer(summary))
      else this.#states[at] = GONE
    }
  }
}

const noSuchMessage = () => no('There is no such message')

/** From pairs of first and last. */
function uidsIn(runs: Uint32Array): Uint32Array {
  let length = 0
  for (let at = 0; at < runs.length; at += 2) length += runs[at + 1]! - runs[at]! + 1
  const uids = new Uint32Array(length)
  let next = 0
  for (let at = 0; at < runs.length; at += 2) for (let uid = runs[at]!; uid <= runs[at + 1]!; uid++) uids[next++] = uid
  return uids
}
