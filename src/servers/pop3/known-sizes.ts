/**
 * Sizes of messages that a session has learned, kept for the account's next one: clients that leave their mail here come every few minutes and
 * ask for all of them. A message never changes its size. Bounded, and nothing but numbers.
 */
import { RecentlyUsed } from '#lib/recently-used.ts'

/** Of uids that ascend; `UNKNOWN` where it was not learned. */
export interface MessageSizes {
  readonly uidValidity: number
  readonly uids: Uint32Array
  readonly sizes: Uint32Array
}

/** More than any message that is taken. */
export const UNKNOWN = 0xffffffff

const MOST_ACCOUNTS = 10_000
const HEAVIEST = 16 << 20

export class KnownSizes {
  readonly #kept = new RecentlyUsed<MessageSizes>(MOST_ACCOUNTS, HEAVIEST)

  keep(account: string, known: MessageSizes): void {
    this.#kept.set(account, known, known.uids.byteLength + known.sizes.byteLength + 100)
  }

  /** Sizes of these uids, which ascend, as far as they are known. */
  recall(account: string, uidValidity: number, uids: Uint32Array): Uint32Array {
    const sizes = new Uint32Array(uids.length).fill(UNKNOWN)
    const known = this.#kept.get(account)
    if (known?.uidValidity !== uidValidity) return sizes
    let next = 0
    for (const [at, uid] of uids.entries()) {
      while (next < known.uids.length && known.uids[next]! < uid) next++
      if (known.uids[next] === uid) sizes[at] = known.sizes[next]!
    }
    return sizes
  }
}
