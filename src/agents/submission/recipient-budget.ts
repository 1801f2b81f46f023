import type { AccountId } from '#custody/accounts/directory.ts'
import type { Clock } from '#lib/clock.ts'

const HOUR_MS = 3_600_000

/** How many recipients each account may still write to: full at first, refilled evenly over an hour. */
export class RecipientBudget {
  readonly #perHour: number
  readonly #clock: Clock
  readonly #spent = new Map<AccountId, { spent: number; at: number }>()

  constructor(perHour: number, clock: Clock) {
    this.#perHour = perHour
    this.#clock = clock
  }

  has(account: AccountId, recipients: number): boolean {
    return this.#spentBy(account) + recipients <= this.#perHour
  }

  spend(account: AccountId, recipients: number): void {
    this.#spent.set(account, { spent: this.#spentBy(account) + recipients, at: this.#clock.now() })
  }

  #spentBy(account: AccountId): number {
    const entry = this.#spent.get(account)
    if (!entry) return 0
    const refilled = (Math.max(0, this.#clock.now() - entry.at) / HOUR_MS) * this.#perHour
    return Math.max(0, entry.spent - refilled)
  }
}
