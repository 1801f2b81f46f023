/**
 * A mailbox as one client knows it: message sequence numbers are places in this list, and only what the client is told
 * may change them (RFC 3501 §2.3.1.2, §5.5). It knows uids alone; flags, dates and sizes are the store's.
 */
import type { Uid } from '#custody/store/mail-store.ts'
import type { SequenceRange } from '#formats/imap/sequence-set.ts'
import { UidRuns } from './uid-runs.ts'

export class MailboxView {
  /** Index + 1 is the message sequence number. */
  #uids: UidRuns
  /** Uids that are \Recent in this session: few ranges, ascending. Others within them may be gone. */
  #recent: readonly SequenceRange[] = []

  constructor(uids: UidRuns) {
    this.#uids = uids
  }

  get uids(): UidRuns {
    return this.#uids
  }

  get length(): number {
    return this.#uids.length
  }

  get lastUid(): Uid {
    return this.#uids.last
  }

  get recentCount(): number {
    return this.#recent.length === 0 ? 0 : this.#uids.within(this.#recent).length
  }

  /** Place of a uid, or -1. */
  indexOf(uid: Uid): number {
    return this.#uids.indexOf(uid)
  }

  uidAt(index: number): Uid {
    return this.#uids.at(index)
  }

  isRecent(uid: Uid): boolean {
    return this.#recent.some(({ first, last }) => uid >= first && uid <= last)
  }

  /** Ranges come in ascending order. */
  markRecent(first: Uid, last: Uid): void {
    const before = this.#recent.at(-1)
    this.#recent =
      before?.last === first - 1
        ? [...this.#recent.slice(0, -1), { first: before.first, last }]
        : [...this.#recent, { first, last }]
  }

  /** Adds new messages at the end; their uids are higher than all. */
  append(uids: readonly Uid[]): void {
    this.#uids = this.#uids.plus(UidRuns.ofUids(uids))
  }

  /** Takes messages out. `uids` ascend. */
  remove(uids: readonly Uid[]): void {
    this.#uids = this.#uids.minus(UidRuns.ofUids(uids))
  }

  /** Takes the list of somebody else who knows the same, so that both share it. */
  share(uids: UidRuns): void {
    this.#uids = uids
  }
}
