import { stat } from 'node:fs/promises'
import type { Clock } from '#lib/clock.ts'
import type { AccountId } from '../accounts/directory.ts'
import { pathsOf } from './account-database.ts'
import type { AccountDatabases } from './account-databases.ts'
import { ChangeHub, type ChangesMade } from './change-hub.ts'
import type { AccountScope } from './schema.ts'
import { readModseq } from './sql-counters.ts'
import { mailboxesChangedAfter } from './sql-mailboxes.ts'

const POLL_MS = 2000

interface Watched {
  /** The MODSEQ that listeners know of. */
  modseq: number
  /** Size and time of the files when last looked at. */
  stamp: string
  /** Two writes within one tick of the file system's clock look like one: after a change it is looked at once more. */
  again: boolean
}

/**
 * Tells listeners also what another process changed that does not say so (an import on the command line). While an account has listeners, its
 * files are looked at every two seconds, and its database is asked only when they are not as before.
 */
export class ChangeWatch implements AsyncDisposable {
  readonly hub: ChangeHub
  readonly #databases: AccountDatabases
  readonly #dataDir: string
  readonly #clock: Clock
  readonly #watched = new Map<AccountId, Watched>()
  #timer: Disposable | null = null
  #polling: Promise<void> = Promise.resolve()
  #closed = false

  constructor(databases: AccountDatabases, dataDir: string, clock: Clock, made?: ChangesMade) {
    this.#databases = databases
    this.#dataDir = dataDir
    this.#clock = clock
    this.hub = new ChangeHub((account, watched) => this.#watch(account, watched), made)
  }

  #watch(account: AccountId, watched: boolean): void {
    if (!watched) {
      this.#watched.delete(account)
      return
    }
    const now: Watched = { modseq: Number.MAX_SAFE_INTEGER, stamp: '', again: false }
    this.#watched.set(account, now)
    // An account that cannot be opened has no news.
    this.#polling = this.#polling.then(() => this.#begin(account, now)).catch(() => {})
    this.#timer ??= this.#clock.after(POLL_MS, () => this.#poll())
  }

  /** From here on, what has a higher MODSEQ is news. */
  async #begin(account: AccountId, watched: Watched): Promise<void> {
    watched.stamp = await this.#stamp(account)
    watched.modseq = await this.#ask(account, readModseq)
  }

  #ask<T>(account: AccountId, read: (scope: AccountScope) => Promise<T>): Promise<T> {
    return this.#databases.use(account, ({ db, account: number }) => read({ query: db.query, account: number }))
  }

  async #stamp(account: AccountId): Promise<string> {
    const { database } = pathsOf(this.#dataDir, account)
    const facts = await Promise.all(
      [database, `${database}-wal`].map((path) =>
        stat(path).then(
          ({ mtimeMs, size }) => `${mtimeMs}/${size}`,
          () => '',
        ),
      ),
    )
    return facts.join(' ')
  }

  #poll(): void {
    this.#timer = null
    this.#polling = this.#polling.then(async () => {
      for (const [account, watched] of this.#watched) await this.#look(account, watched).catch(() => {})
      if (this.#watched.size > 0 && !this.#closed) this.#timer ??= this.#clock.after(POLL_MS, () => this.#poll())
    })
  }

  async #look(account: AccountId, watched: Watched): Promise<void> {
    const stamp = await this.#stamp(account)
    const isWritten = stamp !== watched.stamp
    if (!isWritten && !watched.again) return
    watched.stamp = stamp
    watched.again = isWritten
    const changed = await this.#ask(account, (scope) => mailboxesChangedAfter(scope, watched.modseq))
    for (const { highest_modseq } of changed) watched.modseq = Math.max(watched.modseq, highest_modseq)
    for (const { mailbox_id } of changed) this.hub.hear(account, mailbox_id)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#timer?.[Symbol.dispose]()
    this.#watched.clear()
    await this.#polling
  }
}
