import type { AccountId } from '#custody/accounts/directory.ts'
import type { Clock } from '#lib/clock.ts'

const FRESH_MS = 2000
const KEPT = 10_000

/**
 * What was true of accounts a moment ago: enough to refuse early, when many messages come at once. The store itself is
 * always exact.
 */
export class RecentView<T> {
  readonly #ask: (account: AccountId) => Promise<T>
  readonly #clock: Clock
  readonly #seen = new Map<AccountId, { readonly at: number; readonly answer: Promise<T> }>()

  constructor(ask: (account: AccountId) => Promise<T>, clock: Clock) {
    this.#ask = ask
    this.#clock = clock
  }

  of(account: AccountId): Promise<T> {
    const now = this.#clock.now()
    const seen = this.#seen.get(account)
    if (seen && now - seen.at < FRESH_MS && now >= seen.at) return seen.answer
    const answer = this.#ask(account)
    // A failure must not be remembered.
    answer.catch(() => this.#seen.delete(account))
    this.#seen.delete(account)
    if (this.#seen.size >= KEPT) this.#seen.delete(this.#seen.keys().next().value!)
    this.#seen.set(account, { at: now, answer })
    return answer
  }
}
