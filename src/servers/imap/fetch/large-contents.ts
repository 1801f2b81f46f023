/**
 * Large contents wait for room before they are read: a client that takes them slowly has each of its connections hold one.
 * Those that are copied when they are sent (outgoing.ts) are so small that they wait for nothing.
 */
import type { AccountId } from '#custody/accounts/directory.ts'
import { COPIED } from '#servers/line/outgoing.ts'
import type { MemoryShares } from '../memory-shares.ts'

export class LargeContents {
  readonly #shares: MemoryShares
  readonly #account: AccountId
  readonly #largest: number

  /** `largest`: what a content of unknown size may be. */
  constructor(shares: MemoryShares, account: AccountId, largest: number) {
    this.#shares = shares
    this.#account = account
    this.#largest = largest
  }

  /** Room for contents of so many octets together. `octets` is only asked where that decides whether to wait. */
  async room(octets: number | (() => Promise<number>)): Promise<Room> {
    const shares = this.#shares
    const account = this.#account
    if (typeof octets !== 'number' && shares.take(account, this.#largest))
      return new Room(shares, account, this.#largest)
    const wanted = typeof octets === 'number' ? octets : await octets()
    return new Room(shares, account, wanted <= COPIED ? 0 : await shares.waitFor(account, wanted))
  }
}

class Room implements Disposable {
  readonly #shares: MemoryShares
  readonly #account: AccountId
  #octets: number

  constructor(shares: MemoryShares, account: AccountId, octets: number) {
    this.#shares = shares
    this.#account = account
    this.#octets = octets
  }

  /** No more than this is needed after all. */
  shrink(octets: number): void {
    const needed = octets <= COPIED ? 0 : Math.min(octets, this.#octets)
    this.#shares.give(this.#account, this.#octets - needed)
    this.#octets = needed
  }

  [Symbol.dispose](): void {
    this.shrink(0)
  }
}

export type { Room }
