/**
 * Which messages are \Recent: those that no session which may change the mailbox has been told of (RFC 3501 §2.3.2). One
 * number per mailbox says up to where; it lives as long as the server. For a mailbox not met since the start, what came
 * before the start counts as seen, what came after as recent.
 */
import type { AccountId } from '#custody/accounts/directory.ts'
import type { MailboxId, MessageRow } from '#custody/store/mail-store.ts'

/** Mailboxes remembered; the one longest unused is forgotten first. */
const REMEMBERED = 100_000

export class RecentMarks {
  readonly #started: number
  readonly #marks = new Map<string, number>()

  constructor(started: number) {
    // Internal dates are kept to the second.
    this.#started = started - (started % 1000)
  }

  /** The highest uid already told to somebody; null when the mailbox's rows must be seen to know. */
  known(account: AccountId, mailbox: MailboxId): number | null {
    return this.#marks.get(`${account}/${mailbox}`) ?? null
  }

  /** The highest uid already told to somebody. `rows` are all of the mailbox, ascending. */
  mark(account: AccountId, mailbox: MailboxId, rows: readonly MessageRow[]): number {
    const known = this.known(account, mailbox)
    if (known !== null) return known
    let index = rows.length
    while (index > 0 && rows[index - 1]!.internalDate >= this.#started) index--
    const mark = index === 0 ? 0 : rows[index - 1]!.uid
    this.told(account, mailbox, mark)
    return mark
  }

  /** A session that may change the mailbox has been told of messages up to `uid`. */
  told(account: AccountId, mailbox: MailboxId, uid: number): void {
    const key = `${account}/${mailbox}`
    const before = this.#marks.get(key) ?? 0
    this.#marks.delete(key)
    this.#marks.set(key, Math.max(before, uid))
    if (this.#marks.size > REMEMBERED) this.#marks.delete(this.#marks.keys().next().value!)
  }
}
