/**
 * Submission keeps a copy in Sent; most mail clients then append one of their own. This joins the two: an append to Sent
 * replaces the copy that submission made of the same message shortly before, so that authors see each message once. What
 * submission noted in it of how the message was sent (fields Letterlock-Protection) goes on in the one that stays.
 */
import { SUBMITTED_KEYWORD } from '#agents/submission/submission.ts'
import type { AccountMail, Appended, MailboxId, NewMessage } from '#custody/store/mail-store.ts'
import { editHeader, scanHeader } from '#formats/message/header.ts'
import { decodeSummary, encodeSummary, summarize } from '#formats/message/summary.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'

const NOTE = 'letterlock-protection'
const WINDOW_MS = 15 * 60_000
/** How many changes of the account back the copy is looked for: no more, so that a big mailbox costs nothing. */
const WINDOW_CHANGES = 200

export function mergeSentCopies(mail: AccountMail, now: () => number): AccountMail {
  const joining = new SentCopies(mail, now)
  return new Proxy(mail, joining)
}

/** The handler of the proxy too: every session has one, so there is no closure for each method. */
class SentCopies implements ProxyHandler<AccountMail> {
  readonly #mail: AccountMail
  readonly #now: () => number

  constructor(mail: AccountMail, now: () => number) {
    this.#mail = mail
    this.#now = now
  }

  get(target: AccountMail, property: string | symbol): unknown {
    if (property === 'append') return this.#append.bind(this)
    if (property === 'appendAll') return this.#appendAll.bind(this)
    const member: unknown = Reflect.get(target, property, target)
    return typeof member === 'function' ? member.bind(target) : member
  }

  async #ownCopies(mailbox: MailboxId, message: NewMessage): Promise<readonly number[]> {
    const mail = this.#mail
    const messageId = decodeSummary(message.summary).root.envelope?.messageId
    if (!messageId || (await mail.mailbox(mailbox))?.specialUse !== 'Sent') return []
    const { highestModseq } = await mail.status(mailbox)
    const { changed } = await mail.changesSince(mailbox, Math.max(0, highestModseq - WINDOW_CHANGES))
    const recent = changed
      .filter((row) => row.internalDate > this.#now() - WINDOW_MS && row.flags.includes(SUBMITTED_KEYWORD))
      .map((row) => row.uid)
    const summaries = await mail.summaries(mailbox, recent)
    return recent.filter((_, index) => {
      const summary = summaries[index]
      return summary && decodeSummary(summary).root.envelope?.messageId === messageId
    })
  }

  /** What is kept of it, and our own copies that it takes the place of. */
  async #merged(mailbox: MailboxId, message: NewMessage) {
    const replaced = await this.#ownCopies(mailbox, message)
    // What the client appends is kept, whether or not ours can be read.
    const copy = replaced.length > 0 ? await this.#mail.read(mailbox, replaced.at(-1)!).catch(() => null) : null
    return { message: copy ? withNotes(message, notesIn(copy)) : message, replaced }
  }

  async #append(mailbox: MailboxId, message: NewMessage): Promise<Appended> {
    const one = await this.#merged(mailbox, message)
    const appended = await this.#mail.append(mailbox, one.message)
    if (one.replaced.length > 0) await this.#mail.remove(mailbox, one.replaced)
    return appended
  }

  async #appendAll(mailbox: MailboxId, messages: readonly NewMessage[]): Promise<readonly Appended[]> {
    const all: { readonly message: NewMessage; readonly replaced: readonly number[] }[] = []
    for (const message of messages) all.push(await this.#merged(mailbox, message))
    const appended = await this.#mail.appendAll(
      mailbox,
      all.map(({ message }) => message),
    )
    const replaced = all.flatMap((one) => one.replaced)
    if (replaced.length > 0) await this.#mail.remove(mailbox, replaced)
    return appended
  }
}

/** Whole fields, which submission puts in front. */
function notesIn(copy: Bytes): Buffer {
  const { fields } = scanHeader(copy)
  const end = fields.find(({ name }) => name !== NOTE)?.start ?? 0
  return asBuffer(copy).subarray(0, end)
}

function withNotes(message: NewMessage, notes: Bytes): NewMessage {
  if (notes.length === 0) return message
  const content = editHeader(message.content, scanHeader(message.content), notes, ({ name }) => name === NOTE)
  return { ...message, content, summary: encodeSummary(summarize(content)) }
}
