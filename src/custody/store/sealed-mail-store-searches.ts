/** The search indexes of accounts whose keys are here: opened with the first session that needs them, given up with the last. */
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { AccountSearch, SearchingSession } from './sealed-mail-store-searching.ts'

interface Entry {
  readonly sessions: Set<SearchingSession>
  readonly search: Promise<AccountSearch>
}

/** Octets in memory over all accounts; what was not searched for longest goes first. */
const MEMORY_LIMIT = 256_000_000
/** An index that nobody has searched for so long gives its memory back. */
const REST_MS = 10 * 60_000
/** New messages are gathered for so long before they are indexed. */
const GATHER_MS = 5000

export class Searches implements AsyncDisposable {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #memoryLimit: number
  /** Least recently searched first. */
  readonly #entries = new Map<AccountId, Entry>()
  readonly #closing = new Map<AccountId, Promise<void>>()
  #rest: Disposable | null = null

  constructor(around: { readonly clock: Clock; readonly logger: Logger }, memoryLimit = MEMORY_LIMIT) {
    this.#clock = around.clock
    this.#logger = around.logger
    this.#memoryLimit = memoryLimit
  }

  /** What is new is taken in as long as the session lives, once somebody wakes the index. */
  async join(session: SearchingSession): Promise<AccountSearch> {
    const { account } = session
    for (let closing = this.#closing.get(account); closing; closing = this.#closing.get(account)) await closing
    const entry = this.#entries.get(account) ?? this.#enter(session)
    entry.sessions.add(session)
    try {
      return await entry.search
    } catch (error) {
      if (this.#entries.get(account) === entry) this.#entries.delete(account)
      throw error
    }
  }

  #enter(session: SearchingSession): Entry {
    const sessions = new Set<SearchingSession>()
    const around = { clock: this.#clock, logger: this.#logger, gatherMs: GATHER_MS }
    const search = import('./sealed-mail-store-searching.ts').then(({ openAccountSearch }) =>
      openAccountSearch(session, sessions, around),
    )
    const entry = { sessions, search }
    this.#entries.set(session.account, entry)
    return entry
  }

  /** Resolves when nothing of the session is used any more. */
  async leave(session: SearchingSession): Promise<void> {
    const { account } = session
    const entry = this.#entries.get(account)
    if (!entry?.sessions.delete(session)) return
    const search = await entry.search.catch(() => null)
    if (entry.sessions.size > 0 || this.#entries.get(account) !== entry) return search?.settled()
    this.#entries.delete(account)
    const closed = (search?.[Symbol.asyncDispose]() ?? Promise.resolve()).finally(() => this.#closing.delete(account))
    this.#closing.set(account, closed)
    await closed
  }

  /** Messages are opened instead. */
  complain(account: AccountId, error: Error): void {
    this.#logger.warn({ account, error }, 'the search index cannot be used')
  }

  /** There are new messages. */
  changed(account: AccountId): void {
    this.#entries.get(account)?.search.then(
      (search) => search.wakeLater(),
      () => {},
    )
  }

  /** After a search: keeps within the bounds of memory. */
  async used(account: AccountId): Promise<void> {
    const entry = this.#entries.get(account)
    if (!entry) return
    this.#entries.delete(account)
    this.#entries.set(account, entry)
    this.#rest ??= this.#clock.after(REST_MS, () => void this.#releaseUnused())
    const searches = await this.#all()
    let weight = searches.reduce((sum, search) => sum + search.weight, 0)
    for (const search of searches) {
      if (weight <= this.#memoryLimit) return
      weight -= search.weight
      await search.release()
    }
  }

  async #releaseUnused(): Promise<void> {
    this.#rest = null
    const now = this.#clock.now()
    let isKept = false
    for (const search of await this.#all()) {
      if (search.lastUsed + REST_MS <= now) await search.release()
      isKept ||= search.weight > 0
    }
    if (isKept) this.#rest ??= this.#clock.after(REST_MS, () => void this.#releaseUnused())
  }

  async #all(): Promise<AccountSearch[]> {
    const all = await Promise.all([...this.#entries.values()].map(({ search }) => search.catch(() => null)))
    return all.filter((search) => search !== null)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#rest?.[Symbol.dispose]()
    for (const { sessions } of [...this.#entries.values()])
      for (const session of [...sessions]) await this.leave(session)
  }
}
