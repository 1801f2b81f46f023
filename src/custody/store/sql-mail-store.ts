/**
 * The mail store in SQL: one SQLite file per account (`accounts/<id>/mail.db` in the data directory) with large contents in
 * files beside it (`blobs/`). Many appends that arrive together share one sync. An account whose file is damaged fails alone;
 * one whose disk refused a sync is refused until a restart, unless the disk was full: then it goes on when there is room.
 */
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { Surroundings } from './account-database.ts'
import { AccountDatabases } from './account-databases.ts'
import type { ChangesMade } from './change-hub.ts'
import { ChangeWatch } from './change-watch.ts'
import type { IndexedMailStore, SealedMessage } from './indexed-mail-store.ts'
import type { Appended, MailboxName, MailChanges, Quota } from './mail-store.ts'
import { canonicalNameOrInbox, INBOX } from './mailbox-name.ts'
import { SqlAccountMail } from './sql-account-mail.ts'
import { appendTo } from './sql-append.ts'
import { mailboxNamed } from './sql-mailboxes.ts'
import { readQuota, writeQuota } from './sql-quota.ts'

export interface SqlMailStoreOptions {
  readonly dataDir: string
  readonly clock: Clock
  readonly logger: Logger
  /** Files kept open at most, besides those in use at the moment. */
  readonly openAccounts?: number
  /** Told of every change that is made here. */
  readonly made?: ChangesMade
  /** Set in tests to see what a failing disk does. */
  readonly sync?: NonNullable<Surroundings['sync']>
}

class SqlMailStore implements IndexedMailStore {
  readonly #databases: AccountDatabases
  readonly #watch: ChangeWatch
  readonly #now: () => number

  constructor({ dataDir, clock, logger, openAccounts = 64, made, sync }: SqlMailStoreOptions) {
    this.#now = () => clock.now()
    const around = { dataDir, now: this.#now, logger, ...(sync ? { sync } : {}) }
    this.#databases = new AccountDatabases(around, clock, openAccounts)
    this.#watch = new ChangeWatch(this.#databases, dataDir, clock, made)
  }

  get changes(): MailChanges {
    return this.#watch.hub
  }

  create(account: AccountId): Promise<void> {
    return this.#databases.create(account)
  }

  async append(account: AccountId, mailbox: MailboxName, message: SealedMessage): Promise<Appended> {
    const name = canonicalNameOrInbox(mailbox)
    const { appended, isNew } = await this.#databases.use(account, (database) =>
      appendTo(
        database,
        async (scope) => ((await mailboxNamed(scope, name)) ?? (await mailboxNamed(scope, INBOX)))!,
        message,
        this.#now(),
      ),
    )
    if (isNew) this.#watch.hub.notify(account, appended.mailbox)
    return appended
  }

  async open(account: AccountId): Promise<SqlAccountMail> {
    await this.#databases.use(account, async () => {})
    return new SqlAccountMail(this.#databases, account, this.#watch.hub, this.#now)
  }

  quota(account: AccountId): Promise<Quota> {
    return this.#databases.use(account, ({ db, account: number }) => readQuota({ query: db.query, account: number }))
  }

  async setQuota(account: AccountId, limit: number | null): Promise<void> {
    await this.#databases.use(account, ({ db, account: number }) =>
      db.write((query) => writeQuota({ query, account: number }, limit)),
    )
  }

  remove(account: AccountId): Promise<void> {
    return this.#databases.remove(account)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch[Symbol.asyncDispose]()
    await this.#databases[Symbol.asyncDispose]()
  }
}

export function createSqlMailStore(options: SqlMailStoreOptions): IndexedMailStore {
  return new SqlMailStore(options)
}
