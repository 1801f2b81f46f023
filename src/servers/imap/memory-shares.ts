/**
 * Octets of messages that clients have in the server's memory. An account has many connections, and each may hold the largest of
 * messages for as long as its client is slow: so what they hold together is bounded, and one account leaves room for others.
 */
import type { AccountId } from '#custody/accounts/directory.ts'

interface Share {
  taken: number
  /** First come, first served. */
  readonly waiting: { readonly octets: number; readonly begin: () => void }[]
}

export class MemoryShares {
  readonly #most: number
  readonly #shares = new Map<AccountId, Share>()

  /** `most`: octets for each account. */
  constructor(most: number) {
    this.#most = most
  }

  /** Takes so much more for the account, when there is room. */
  take(account: AccountId, octets: number): boolean {
    const share = this.#shares.get(account)
    if ((share?.taken ?? 0) + octets > this.#most || (share && share.waiting.length > 0)) return false
    if (share) share.taken += octets
    else this.#shares.set(account, { taken: octets, waiting: [] })
    return true
  }

  /** Takes as soon as the account's other connections leave room, at most what there is at all; answers how much it took. */
  async waitFor(account: AccountId, octets: number): Promise<number> {
    const wanted = Math.min(octets, this.#most)
    if (this.take(account, wanted)) return wanted
    const { waiting } = this.#shares.get(account)!
    await new Promise<void>((begin) => waiting.push({ octets: wanted, begin }))
    return wanted
  }

  /** Gives back what was taken, or a part of it. */
  give(account: AccountId, octets: number): void {
    const share = this.#shares.get(account)
    if (!share) return
    share.taken -= octets
    for (let next = share.waiting[0]; next && share.taken + next.octets <= this.#most; next = share.waiting[0]) {
      share.waiting.shift()
      share.taken += next.octets
      next.begin()
    }
    if (share.taken === 0 && share.waiting.length === 0) this.#shares.delete(account)
  }
}

/** What clients send and is not kept yet: bounded for each account, and for all together. Who comes too late is refused. */
export class ReceivingMemory {
  readonly #most: number
  readonly #shares: MemoryShares
  #taken = 0

  constructor(most: number, mostOfEach: number) {
    this.#most = most
    this.#shares = new MemoryShares(mostOfEach)
  }

  take(account: AccountId, octets: number): boolean {
    if (this.#taken + octets > this.#most || !this.#shares.take(account, octets)) return false
    this.#taken += octets
    return true
  }

  give(account: AccountId, octets: number): void {
    this.#taken -= octets
    this.#shares.give(account, octets)
  }
}
