import type { AccountId } from '../accounts/directory.ts'
import type { AccountDatabase } from './account-database.ts'
import type { AccountDatabases } from './account-databases.ts'
import type { AccountScope } from './schema.ts'

/** The ways in which one account's database is used. */
export class SqlAccess {
  readonly #databases: AccountDatabases
  readonly #account: AccountId

  constructor(databases: AccountDatabases, account: AccountId) {
    this.#databases = databases
    this.#account = account
  }

  use<T>(run: (database: AccountDatabase) => Promise<T>): Promise<T> {
    return this.#databases.use(this.#account, run)
  }

  /** Answers only what is on the disk: nobody may see a UID that a crash would give away again. */
  read<T>(run: (scope: AccountScope, database: AccountDatabase) => Promise<T>): Promise<T> {
    return this.use(async (database) => {
      const answer = await run({ query: database.db.query, account: database.account }, database)
      await database.db.synced()
      return answer
    })
  }

  write<T>(run: (scope: AccountScope) => Promise<T>): Promise<T> {
    return this.use(({ db, account }) => db.write((query) => run({ query, account })))
  }

  /** A change that may be lost in a power cut: nobody waits for the disk because of it, neither this one nor those who read after it. */
  writeUnhurried<T>(run: (scope: AccountScope) => Promise<T>): Promise<T> {
    return this.use(({ db, account }) => db.writeUnhurried((query) => run({ query, account })))
  }

  /** A change that frees blobs; they are removed once it is on the disk. */
  removal<T>(run: (scope: AccountScope) => Promise<{ answer: T; files: readonly string[] }>): Promise<T> {
    return this.use(async ({ db, account, blobs }) => {
      const { answer, files } = await db.write((query) => run({ query, account }))
      await blobs.remove(files)
      return answer
    })
  }
}
