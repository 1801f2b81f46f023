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
  async function ownCopies(mailbox: MailboxId, message: NewMessage): Promise<readonly number[]> {
    const messageId = decodeSummary(message.summary).root.envelope?.messageId
    const { specialUse } = (await mail.mailboxes()).find((one) => one.id === mailbox) ?? {}
    if (specialUse !== 'Sent' || !messageId) return []
    const { highestModseq } = await mail.status(mailbox)
    const { changed } = await mail.changesSince(mailbox, Math.max(0, highestModseq - WINDOW_CHANGES))
    const recent = changed
      .filter((row) => row.internalDate > now() - WINDOW_MS && row.flags.includes(SUBMITTED_KEYWORD))
      .map((row) => row.uid)
    const summaries = await mail.summaries(mailbox, recent)
    return recent.filter((_, index) => {
      const summary = summaries[index]
      return summary && decodeSummary(summary).root.envelope?.messageId === messageId
    })
  }

  /** What is kept of it, and our own copies that it takes the place of. */
  async function merged(mailbox: MailboxId, message: NewMessage) {
    const replaced = await ownCopies(mailbox, message)
    // What the client appends is kept, whether or not ours can be read.
    const copy = replaced.length > 0 ? await mail.read(mailbox, replaced.at(-1)!).catch(() => null) : null
    return { message: copy ? withNotes(message, notesIn(copy)) : message, replaced }
  }

  async function append(mailbox: MailboxId, message: NewMessage): Promise<Appended> {
    const one = await merged(mailbox, message)
    const appended = await mail.append(mailbox, one.message)
    if (one.replaced.length > 0) await mail.remove(mailbox, one.replaced)
    return appended
  }

  async function appendAll(mailbox: MailboxId, messages: readonly NewMessage[]): Promise<readonly Appended[]> {
    const all: Awaited<ReturnType<typeof merged>>[] = []
    for (const message of messages) all.push(await merged(mailbox, message))
    const appended = await mail.appendAll(
      mailbox,
      all.map(({ message }) => message),
    )
    const replaced = all.flatMap((one) => one.replaced)
    if (replaced.length > 0) await mail.remove(mailbox, replaced)
    return appended
  }

  return new Proxy(mail, {
    get(target, property) {
      if (property === 'append') return append
      if (property === 'appendAll') return appendAll
      const member = Reflect.get(target, property, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
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
