/**
 * Submission keeps a copy in Sent; most mail clients then append one of their own. This joins the two: an append to Sent
 * replaces the copy that submission made of the same message shortly before, so that authors see each message once.
 */
import { SUBMITTED_KEYWORD } from '#agents/submission/submission.ts'
import type { AccountMail, Appended, MailboxId, NewMessage } from '#custody/store/mail-store.ts'
import { decodeSummary } from '#formats/message/summary.ts'

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

  async function append(mailbox: MailboxId, message: NewMessage): Promise<Appended> {
    const replaced = await ownCopies(mailbox, message)
    const appended = await mail.append(mailbox, message)
    if (replaced.length > 0) {
      await mail.setFlags(mailbox, replaced, { mode: 'add', flags: ['\\Deleted'] })
      await mail.expunge(mailbox, replaced)
    }
    return appended
  }

  return new Proxy(mail, {
    get(target, property) {
      if (property === 'append') return append
      const member = Reflect.get(target, property, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}
