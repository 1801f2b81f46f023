/**
 * Octets of messages that clients have in the server's memory. An account has many connections, and each may hold the largest of
 * messages for as long as its client is slow: so what they hold together is bounded, and one account leaves room for others.
 */
import type { AccountId } from '#custody/accounts/directory.ts'

interface Waiting {
  readonly account: AccountId
  readonly octets: number
  readonly begin: () => void
}

export class MemoryShares {
  readonly #mostOfEach: number
  readonly #most: number
  readonly #shares = new Map<AccountId, number>()
  #taken = 0
  /** First come, first served. */
  #waiting: Waiting[] = []

  /** Octets for each account, and for all together. */
  constructor(mostOfEach: number, most = Number.POSITIVE_INFINITY) {
    this.#mostOfEach = mostOfEach
    this.#most = most
  }

  /** Takes so much more for the account, when there is room. */
  take(account: AccountId, octets: number): boolean {
    if (this.#waiting.length > 0 || !this.#suits(account, octets) || !this.#fits(account, octets)) return false
    this.#add(account, octets)
    return true
  }

  /** Takes as soon as others leave room, at most what there is for an account at all; answers how much it took. */
  async waitFor(account: AccountId, octets: number): Promise<number> {
    const wanted = Math.min(octets, this.#mostOfEach, this.#most)
    if (this.take(account, wanted)) return wanted
    await new Promise<void>((begin) => {
      this.#waiting.push({ account, octets: wanted, begin })
      this.#admit()
    })
    return wanted
  }

  /** Gives back what was taken, or a part of it. */
  give(account: AccountId, octets: number): void {
    if (octets === 0) return
    this.#add(account, -octets)
    this.#admit()
  }

  /** The account has room for it. */
  #suits(account: AccountId, octets: number): boolean {
    return (this.#shares.get(account) ?? 0) + octets <= this.#mostOfEach
  }

  /** So have all together, of which half is for accounts that have nothing yet: a few with slow clients do not fill everything. */
  #fits(account: AccountId, octets: number): boolean {
    return this.#taken + octets <= (this.#shares.has(account) ? this.#most / 2 : this.#most)
  }

  #add(account: AccountId, octets: number): void {
    const share = (this.#shares.get(account) ?? 0) + octets
    if (share > 0) this.#shares.set(account, share)
    else this.#shares.delete(account)
    this.#taken += octets
  }

  /** Nobody overtakes who waits for what all share, or another connection of its account. */
  #admit(): void {
    const passed = new Set<AccountId>()
    const waiting = this.#waiting
    this.#waiting = []
    for (const [index, one] of waiting.entries()) {
      const { account, octets, begin } = one
      const isLater = passed.has(account) || !this.#suits(account, octets)
      if (!isLater && this.#taken + octets > this.#most) {
        this.#waiting.push(...waiting.slice(index))
        return
      }
      if (isLater || !this.#fits(account, octets)) {
        passed.add(account)
        this.#waiting.push(one)
        continue
      }
      this.#add(account, octets)
      begin()
    }
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
