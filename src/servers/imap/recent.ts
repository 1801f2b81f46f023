/**
 * Which messages are \Recent: those that no session which may change the mailbox has been told of (RFC 3501 §2.3.2). One
 * number per mailbox says up to where; it lives as long as the server. For a mailbox not met since the start, what came
 * before the start counts as seen, what came after as recent.
 */
import type { AccountId } from '#custody/accounts/directory.ts'
import type { AccountMail, MailboxId } from '#custody/store/mail-store.ts'
import type { UidRuns } from './uid-runs.ts'

/** Mailboxes remembered; the one longest unused is forgotten first. */
const REMEMBERED = 100_000
/** Messages looked at together, from the newest backwards. */
const PAGE = 64

export class RecentMarks {
  readonly #started: number
  readonly #marks = new Map<string, number>()

  constructor(started: number) {
    // Dates are kept to the second.
    this.#started = started - (started % 1000)
  }

  /** The highest uid already told to somebody; null when messages must be looked at to know (`mark`). */
  known(account: AccountId, mailbox: MailboxId): number | null {
    return this.#marks.get(`${account}/${mailbox}`) ?? null
  }

  /** The highest uid already told to somebody. `uids` are all of the mailbox. */
  async mark(mail: AccountMail, account: AccountId, mailbox: MailboxId, uids: UidRuns): Promise<number> {
    const known = this.known(account, mailbox)
    if (known !== null) return known
    const mark = await this.#lastOld(mail, mailbox, uids)
    this.told(account, mailbox, mark)
    return mark
  }

  async #lastOld(mail: AccountMail, mailbox: MailboxId, uids: UidRuns): Promise<number> {
    for (let end = uids.length; end > 0; end -= PAGE) {
      const page = uids.slice(Math.max(0, end - PAGE), end).toArray()
      // Not by internal dates: mail that is brought along from elsewhere has old ones.
      const facts = await mail.facts(mailbox, page)
      const old = facts.findLastIndex((one) => one !== null && one.savedDate < this.#started)
      if (old >= 0) return page[old]!
    }
    return 0
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
