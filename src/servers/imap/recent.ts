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

  /** Messages come in the order of their uids, so a few of them say where the recent ones begin, however many there are. */
  async #lastOld(mail: AccountMail, mailbox: MailboxId, uids: UidRuns): Promise<number> {
    const isOld = async (place: number) => {
      // Not the internal date: mail that is brought along from elsewhere has old ones.
      const [facts] = await mail.facts(mailbox, [uids.at(place)])
      return facts != null && facts.savedDate < this.#started
    }
    let low = 0
    let high = uids.length
    // From the end in growing steps, because few are new.
    for (let step = 1; low === 0 && high > 0; step *= 2) {
      const place = Math.max(0, high - step)
      if (await isOld(place)) low = place + 1
      else high = place
    }
    while (low < high) {
      const middle = (low + high) >>> 1
      if (await isOld(middle)) low = middle + 1
      else high = middle
    }
    return low === 0 ? 0 : uids.at(low - 1)
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
