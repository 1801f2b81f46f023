/** Decoded summaries of the selected mailbox, a few of them kept: clients ask for the same messages item by item. */
import type { AccountMail, MailboxId } from '#custody/store/mail-store.ts'
import { decodeSummary, type MessageSummary } from '#formats/message/summary.ts'

const KEPT_SUMMARIES = 256
/** Encoded octets; decoded ones take a few times as much. */
const KEPT_OCTETS = 512 * 1024

export class SummaryCache {
  readonly #mail: AccountMail
  readonly #mailbox: MailboxId
  /** Least recently used first. */
  readonly #kept = new Map<number, { readonly summary: MessageSummary; readonly octets: number }>()
  #octets = 0

  constructor(mail: AccountMail, mailbox: MailboxId) {
    this.#mail = mail
    this.#mailbox = mailbox
  }

  /** In the order asked for; null for a message that is gone. */
  async summaries(uids: readonly number[]): Promise<readonly (MessageSummary | null)[]> {
    const found = uids.map((uid) => this.#take(uid))
    const missing = uids.filter((_, index) => found[index] === undefined)
    if (missing.length === 0) return found as MessageSummary[]
    const encoded = await this.#mail.summaries(this.#mailbox, missing)
    let next = 0
    return found.map((known, index) => {
      if (known !== undefined) return known
      const octets = encoded[next++] ?? null
      if (octets === null) return null
      const summary = decodeSummary(octets)
      this.#keep(uids[index]!, summary, octets.length)
      return summary
    })
  }

  #take(uid: number): MessageSummary | undefined {
    const entry = this.#kept.get(uid)
    if (entry === undefined) return undefined
    this.#kept.delete(uid)
    this.#kept.set(uid, entry)
    return entry.summary
  }

  #keep(uid: number, summary: MessageSummary, octets: number): void {
    this.#kept.set(uid, { summary, octets })
    this.#octets += octets
    while (this.#kept.size > KEPT_SUMMARIES || this.#octets > KEPT_OCTETS) {
      const [oldest, entry] = this.#kept.entries().next().value!
      this.#kept.delete(oldest)
      this.#octets -= entry.octets
    }
  }
}
