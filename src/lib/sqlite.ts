/**
 * One SQLite file, opened so that "written" means "on the disk" without blocking the thread that waits for it.
 *
 * The file is in WAL mode with synchronous=NORMAL: a commit appends to the log, and SQLite itself syncs the log only before
 * a checkpoint. `write` syncs it after every commit instead, on libuv's pool: the guarantee of synchronous=FULL, but while
 * one sync is under way the next changes gather and share the next one (group commit), and many files sync at once.
 * Queries are built with Kysely in the part of SQL that PostgreSQL also speaks.
 */
import { closeSync, constants, openSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { CompiledQuery, Kysely, type Transaction } from 'kysely'
import { kyselyOver, Statements, statementsOf } from './sqlite-statements.ts'

/** What to do with the database named by a change: the same queries run inside and outside a transaction. */
export type Query<S> = Kysely<S> | Transaction<S>

/** Schema steps in order; a database remembers how many it has taken. Only ever append to a published list. */
export type Migrations = readonly ((schema: Kysely<unknown>) => Promise<void>)[]

export interface SqliteDatabase<S> extends AsyncDisposable {
  /** For reading. It may see changes that are committed but not yet synced; `synced` waits for them. */
  readonly query: Kysely<S>
  /**
   * Runs `change` inside a transaction that it may share with others, and resolves once it is on the disk. When `change`
   * throws, its own effects alone are undone and its error is passed on. After a failed sync every write is refused with
   * a BrokenDatabase until the file is opened again.
   */
  write<T>(change: (query: Transaction<S>) => Promise<T>): Promise<T>
  /**
   * The same for a change that may be lost in a power cut, but only as a whole and with all that came after it: resolves once it
   * is committed, and `synced` does not wait for it. For what can be made again.
   */
  writeUnhurried<T>(change: (query: Transaction<S>) => Promise<T>): Promise<T>
  /**
   * The rows of a query as arrays of its columns, in their order: several times faster than objects, for answers of thousands. Not for
   * use in a transaction.
   */
  arrays(query: CompiledQuery): Promise<readonly (readonly unknown[])[]>
  /** Resolves when everything committed so far is on the disk; at once when it is there already. */
  synced(): Promise<void>
  /** Another text once anything was changed, by this process or another: what was read before may be believed until then. */
  revision(): string
}

/** The file was written by a newer program. */
export class NewerSchema extends Error {
  override readonly name = 'NewerSchema'
  constructor(path: string, found: number, known: number) {
    super(
      `${path} was written by a newer version of Letterlock (schema ${found}, this one knows ${known}). Upgrade, or restore a backup.`,
    )
  }
}

/** The disk did not take what was written; nothing more may be acknowledged from this file. */
export class BrokenDatabase extends Error {
  override readonly name = 'BrokenDatabase'
  constructor(path: string, cause: unknown) {
    super(`${path}: the disk refused a sync; the database is closed for writing`, { cause })
  }
}

/** Whether the error says that the disk is full: a temporary failure that ends by itself when space is freed. */
export function isDiskFull(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause) {
    if ('errcode' in one && one.errcode === 13) return true
    if ('code' in one && (one.code === 'ENOSPC' || one.code === 'EDQUOT')) return true
  }
  return false
}

interface SqliteOptions {
  readonly path: string
  readonly migrations: Migrations
  /** Log pages that start a checkpoint; a page has 4 KiB. */
  readonly checkpointPages?: number
  /** Memory for pages, in KiB; 2000 by default. Less where many files are open at once. */
  readonly cacheKiB?: number
  /** Set in tests to see what a failing disk does. */
  readonly sync?: (wal: FileHandle) => Promise<void>
}

async function migrate(query: Kysely<unknown>, path: string, migrations: Migrations): Promise<void> {
  const schema = query as Kysely<{ schema_version: { version: number } }>
  await schema.schema
    .createTable('schema_version')
    .ifNotExists()
    .addColumn('version', 'integer', (column) => column.notNull())
    .execute()
  const taken = (await schema.selectFrom('schema_version').select('version').executeTakeFirst())?.version ?? 0
  if (taken > migrations.length) throw new NewerSchema(path, taken, migrations.length)
  if (taken === migrations.length) return
  await schema.transaction().execute(async (step) => {
    for (const migration of migrations.slice(taken)) await migration(step as unknown as Kysely<unknown>)
    await step.deleteFrom('schema_version').execute()
    await step.insertInto('schema_version').values({ version: migrations.length }).execute()
  })
}

interface Waiting<S> {
  readonly change: (query: Transaction<S>) => Promise<unknown>
  readonly isDurable: boolean
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

class GroupCommit<S> implements SqliteDatabase<S> {
  readonly query: Kysely<S>
  readonly #statements: Statements
  readonly #path: string
  readonly #sync: (wal: FileHandle) => Promise<void>
  #waiting: Waiting<S>[] = []
  #committing = false
  #wal: FileHandle | null = null
  #syncing: Promise<void> | null = null
  #nextSync: Promise<void> | null = null
  #unsynced = false
  #broken: BrokenDatabase | null = null
  #idle: (() => void)[] = []
  #commits = 0
  #revision: string | null = null
  readonly #othersVersion: StatementSync
  readonly #database: DatabaseSync
  /** By their SQL: few, and each asked often. */
  readonly #arrayStatements = new Map<string, StatementSync>()

  constructor(query: Kysely<S>, database: DatabaseSync, statements: Statements, options: SqliteOptions) {
    this.query = query
    this.#statements = statements
    this.#database = database
    this.#othersVersion = database.prepare('pragma data_version')
    this.#path = options.path
    this.#sync = options.sync ?? ((wal) => wal.datasync())
  }

  write<T>(change: (query: Transaction<S>) => Promise<T>): Promise<T> {
    return this.#write(change, true)
  }

  writeUnhurried<T>(change: (query: Transaction<S>) => Promise<T>): Promise<T> {
    return this.#write(change, false)
  }

  #write<T>(change: (query: Transaction<S>) => Promise<T>, isDurable: boolean): Promise<T> {
    if (this.#broken) return Promise.reject(this.#broken)
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ change, isDurable, resolve: resolve as (value: never) => void, reject })
      if (!this.#committing) void this.#commitAll()
    })
  }

  async #commitAll(): Promise<void> {
    this.#committing = true
    while (this.#waiting.length > 0) {
      // Gather while the disk is busy: what arrives meanwhile shares the next transaction and the next sync.
      if (this.#syncing && this.#nextSync) await this.#syncing.catch(() => {})
      await this.#commit(this.#waiting.splice(0))
    }
    this.#committing = false
    for (const idle of this.#idle.splice(0)) idle()
  }

  async #commit(batch: Waiting<S>[]): Promise<void> {
    const settled: (() => void)[] = []
    try {
      await this.query.transaction().execute(async (transaction) => {
        statementsOf.set(transaction, { statements: this.#statements, isTransaction: true })
        for (const one of batch) {
          const value = await this.#attempt(transaction, one, batch.length > 1)
          if ('error' in value) one.reject(value.error)
          else settled.push(() => one.resolve(value.value as never))
        }
      })
    } catch (error) {
      for (const one of batch) one.reject(error)
      return
    }
    this.#commits++
    this.#revision = null
    if (batch.every(({ isDurable }) => !isDurable)) {
      for (const settle of settled) settle()
      return
    }
    this.#unsynced = true
    this.synced().then(
      () => {
        for (const settle of settled) settle()
      },
      (error) => {
        for (const one of batch) one.reject(error)
      },
    )
  }

  /** A change that fails alone in its transaction undoes the whole of it; among others, only its own savepoint. */
  async #attempt(
    transaction: Transaction<S>,
    { change }: Waiting<S>,
    shared: boolean,
  ): Promise<{ value: unknown } | { error: unknown }> {
    if (!shared) return { value: await change(transaction) }
    await savepoint(transaction, 'savepoint one')
    try {
      const value = await change(transaction)
      await savepoint(transaction, 'release one')
      return { value }
    } catch (error) {
      // With a full disk the savepoint is gone, and the whole transaction with it: then nobody's change was made.
      await savepoint(transaction, 'rollback to one').catch(() => {
        throw error
      })
      await savepoint(transaction, 'release one')
      return { error }
    }
  }

  arrays({ sql, parameters }: CompiledQuery): Promise<readonly (readonly unknown[])[]> {
    // A transaction of others must be over, or its rows would be seen before they count.
    return this.query.connection().execute(async () => {
      let statement = this.#arrayStatements.get(sql)
      if (!statement) {
        statement = this.#database.prepare(sql)
        statement.setReturnArrays(true)
        this.#arrayStatements.set(sql, statement)
      }
      return statement.all(...(parameters as SQLInputValue[])) as unknown as readonly (readonly unknown[])[]
    })
  }

  /** Asked once for all that goes on without an event from outside: whoever hears of a change by others has had one. */
  revision(): string {
    if (this.#revision === null) {
      this.#revision = `${this.#commits} ${this.#othersVersion.get()?.['data_version']}`
      process.nextTick(this.#forgetRevision)
    }
    return this.#revision
  }

  readonly #forgetRevision = (): void => {
    this.#revision = null
  }

  synced(): Promise<void> {
    if (this.#broken) return Promise.reject(this.#broken)
    if (!this.#unsynced) return this.#syncing ?? Promise.resolve()
    if (!this.#syncing) {
      this.#syncing = this.#syncNow().finally(() => {
        this.#syncing = null
      })
      return this.#syncing
    }
    this.#nextSync ??= this.#syncing
      .catch(() => {})
      .then(() => {
        this.#nextSync = null
        return this.synced()
      })
    return this.#nextSync
  }

  async #syncNow(): Promise<void> {
    this.#unsynced = false
    try {
      if (!this.#wal) {
        this.#wal = await open(`${this.#path}-wal`, constants.O_RDWR)
        const directory = await open(dirname(this.#path), constants.O_RDONLY)
        await directory.sync().finally(() => directory.close())
      }
      await this.#sync(this.#wal)
    } catch (error) {
      this.#broken = new BrokenDatabase(this.#path, error)
      throw this.#broken
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#committing) await new Promise<void>((resolve) => this.#idle.push(resolve))
    while (this.#syncing || this.#nextSync) await (this.#nextSync ?? this.#syncing)?.catch(() => {})
    await this.#wal?.close()
    await this.query.destroy()
  }
}

async function savepoint<S>(transaction: Transaction<S>, command: string): Promise<void> {
  await transaction.executeQuery(CompiledQuery.raw(command))
}

/** Opens or creates the file and brings its schema up to date. Throws NewerSchema, or SQLite's error when it is not a database. */
export async function openSqlite<S>(options: SqliteOptions): Promise<SqliteDatabase<S>> {
  // For its owner alone; SQLite gives its log the same permissions.
  closeSync(openSync(options.path, 'a', 0o600))
  const database = new DatabaseSync(options.path, { timeout: 10_000, enableForeignKeyConstraints: true })
  try {
    database.exec('pragma journal_mode = wal')
    database.exec('pragma synchronous = normal')
    database.exec('pragma secure_delete = on')
    database.exec(`pragma wal_autocheckpoint = ${options.checkpointPages ?? 2000}`)
    database.exec('pragma journal_size_limit = 16777216')
    database.exec(`pragma cache_size = -${options.cacheKiB ?? 2000}`)
    const statements = new Statements(database)
    const query = new Kysely<S>({ dialect: kyselyOver(database, statements) })
    await migrate(query as unknown as Kysely<unknown>, options.path, options.migrations)
    statementsOf.set(query, { statements, isTransaction: false })
    return new GroupCommit(query, database, statements, options)
  } catch (error) {
    database.close()
    throw error
  }
}
