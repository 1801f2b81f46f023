import type { Clock } from '#lib/clock.ts'
import { BrokenDatabase, isDiskFull } from '#lib/sqlite.ts'
import type { AccountId } from '../accounts/directory.ts'
import {
  type AccountDatabase,
  type AccountPaths,
  createAccount,
  explain,
  openAccount,
  pathsOf,
  removeAccount,
  type Surroundings,
  tidyAccount,
} from './account-database.ts'

const IDLE_MS = 5 * 60_000
const IDLE_CHECK_MS = 60_000

interface Entry {
  readonly opening: Promise<AccountDatabase>
  users: number
  usedAt: number
  /** The disk refused a sync for another reason than being full: nothing is written again until a restart. */
  refusing: boolean
  /** Called when the last user leaves an entry that was taken out. */
  left: (() => void) | null
}

/** The files of all accounts: opened when needed, kept open while in use, closed when idle or when too many are open. */
export class AccountDatabases implements AsyncDisposable {
  readonly #around: Surroundings
  readonly #clock: Clock
  readonly #most: number
  /** Least recently used first. */
  readonly #entries = new Map<AccountId, Entry>()
  readonly #tidied = new Set<AccountId>()
  readonly #removing = new Map<AccountId, Promise<void>>()
  readonly #closing = new Set<Promise<void>>()
  #idleCheck: Disposable | null = null
  #closed = false

  constructor(around: Surroundings, clock: Clock, most: number) {
    this.#around = around
    this.#clock = clock
    this.#most = most
  }

  paths(account: AccountId): AccountPaths {
    return pathsOf(this.#around.dataDir, account)
  }

  /** Throws NoSuchAccount, AccountDamaged, and what `run` throws. */
  async use<T>(account: AccountId, run: (database: AccountDatabase) => Promise<T>): Promise<T> {
    const entry = this.#enter(account, () => openAccount(account, this.#around))
    try {
      return await run(await entry.opening)
    } catch (error) {
      this.#judge(account, entry, error)
      throw explain(error, pathsOf(this.#around.dataDir, account).database)
    } finally {
      this.#leave(entry)
    }
  }

  async create(account: AccountId): Promise<void> {
    await this.#close(account)
    const entry = this.#enter(account, () => createAccount(account, this.#around))
    try {
      await entry.opening
    } finally {
      this.#leave(entry)
    }
  }

  async remove(account: AccountId): Promise<void> {
    const removing = this.#close(account).then(() => removeAccount(account, this.#around.dataDir))
    const done = removing.catch(() => {}).finally(() => this.#removing.delete(account))
    this.#removing.set(account, done)
    this.#tidied.delete(account)
    await removing
  }

  #enter(account: AccountId, open: () => Promise<AccountDatabase>): Entry {
    if (this.#closed) throw new Error('the mail store is closed')
    let entry = this.#entries.get(account)
    if (entry) this.#entries.delete(account)
    else {
      const opening = (this.#removing.get(account) ?? Promise.resolve())
        .then(open)
        .then((opened) => this.#tidy(account, opened))
      entry = { opening, users: 0, usedAt: 0, refusing: false, left: null }
      const made = entry
      opening.catch(() => this.#forget(account, made))
    }
    this.#entries.set(account, entry)
    entry.users++
    entry.usedAt = this.#clock.now()
    this.#closeSome()
    return entry
  }

  /** Once per run of the program. */
  async #tidy(account: AccountId, opened: AccountDatabase): Promise<AccountDatabase> {
    if (this.#tidied.has(account)) return opened
    this.#tidied.add(account)
    // What is not tidied takes room and nothing else.
    await tidyAccount(opened, this.#around).catch((error) =>
      this.#around.logger.warn({ account, error }, 'could not tidy the mail store of an account'),
    )
    return opened
  }

  #leave(entry: Entry): void {
    entry.users--
    if (entry.users === 0) entry.left?.()
  }

  /** After a full disk, or when damaged, the file is opened again at the next use; after a broken disk it stays refused. */
  #judge(account: AccountId, entry: Entry, error: unknown): void {
    const path = pathsOf(this.#around.dataDir, account).database
    if (error instanceof BrokenDatabase && !isDiskFull(error)) entry.refusing = true
    else if (error instanceof BrokenDatabase || explain(error, path) !== error) void this.#takeOut(account, entry)
  }

  #forget(account: AccountId, entry: Entry): void {
    if (this.#entries.get(account) === entry) this.#entries.delete(account)
  }

  #takeOut(account: AccountId, entry: Entry): Promise<void> {
    this.#forget(account, entry)
    if (entry.left) return Promise.resolve()
    const unused = new Promise<void>((resolve) => {
      entry.left = resolve
      if (entry.users === 0) resolve()
    })
    const closing = unused
      .then(() => entry.opening)
      .then((opened) => opened[Symbol.asyncDispose]())
      .catch((error) => this.#around.logger.warn({ account, error }, 'could not close the mail store of an account'))
      .finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
    return closing
  }

  async #close(account: AccountId): Promise<void> {
    const entry = this.#entries.get(account)
    if (entry) await this.#takeOut(account, entry)
  }

  #closeSome(): void {
    for (const [account, entry] of this.#entries) {
      if (this.#entries.size <= this.#most) break
      if (entry.users === 0 && !entry.refusing) void this.#takeOut(account, entry)
    }
    this.#idleCheck ??= this.#clock.after(IDLE_CHECK_MS, () => this.#closeIdle())
  }

  #closeIdle(): void {
    this.#idleCheck = null
    const before = this.#clock.now() - IDLE_MS
    for (const [account, entry] of this.#entries)
      if (entry.users === 0 && !entry.refusing && entry.usedAt <= before) void this.#takeOut(account, entry)
    if (this.#entries.size > 0) this.#idleCheck = this.#clock.after(IDLE_CHECK_MS, () => this.#closeIdle())
  }

  /** Waits for what is under way, then closes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#idleCheck?.[Symbol.dispose]()
    for (const [account, entry] of this.#entries) void this.#takeOut(account, entry)
    while (this.#closing.size > 0) await Promise.all(this.#closing)
  }
}
