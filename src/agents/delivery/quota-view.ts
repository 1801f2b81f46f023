import type { AccountId } from '#custody/accounts/directory.ts'
import type { MailStore, Quota } from '#custody/store/mail-store.ts'
import type { Clock } from '#lib/clock.ts'

const FRESH_MS = 2000
const KEPT = 10_000

/** Quotas as of a moment ago: enough to refuse early, when many messages come at once. The store itself is always exact. */
export class QuotaView {
  readonly #store: MailStore
  readonly #clock: Clock
  readonly #seen = new Map<AccountId, { readonly at: number; readonly quota: Promise<Quota> }>()

  constructor(store: MailStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  of(account: AccountId): Promise<Quota> {
    const now = this.#clock.now()
    const seen = this.#seen.get(account)
    if (seen && now - seen.at < FRESH_MS && now >= seen.at) return seen.quota
    const quota = this.#store.quota(account)
    // A failure must not be remembered.
    quota.catch(() => this.#seen.delete(account))
    this.#seen.delete(account)
    if (this.#seen.size >= KEPT) this.#seen.delete(this.#seen.keys().next().value!)
    this.#seen.set(account, { at: now, quota })
    return quota
  }
}
