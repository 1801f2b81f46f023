/**
 * Kysely over one open SQLite file: statements are prepared once and kept by their text, whoever asks, and a transaction takes the
 * write lock at its start.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Kysely,
  SqliteDialect,
  type SqliteDialectConfig,
  SqliteDriver,
} from 'kysely'

const STATEMENTS_KEPT = 128

/** Statements of one database, kept by their text. */
export class Statements {
  readonly #database: DatabaseSync
  readonly #kept = new Map<string, { readonly statement: StatementSync; readonly reader: boolean }>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction
  }

  find(sql: string): { readonly statement: StatementSync; readonly reader: boolean } {
    const known = this.#kept.get(sql)
    if (known) return known
    const statement = this.#database.prepare(sql)
    const found = { statement, reader: statement.columns().length > 0 }
    if (this.#kept.size >= STATEMENTS_KEPT) this.#kept.delete(this.#kept.keys().next().value!)
    this.#kept.set(sql, found)
    return found
  }

  run(sql: string, values: readonly unknown[]): unknown[] {
    const { statement, reader } = this.find(sql)
    if (reader) return statement.all(...(values as SQLInputValue[]))
    statement.run(...(values as SQLInputValue[]))
    return []
  }
}

/** Of databases and of transactions, which run in the same connection. */
export const statementsOf = new WeakMap<object, { readonly statements: Statements; readonly isTransaction: boolean }>()

/**
 * The rows that a compiled query answers, without what Kysely does around it, which takes several times what SQLite needs. null:
 * it has to be asked in the ordinary way, because a transaction is open that it is not part of, or the database is no SQLite.
 */
export function runDirectly<S>(query: Kysely<S>, sql: string, values: readonly unknown[]): unknown[] | null {
  const known = statementsOf.get(query)
  if (!known || (!known.isTransaction && known.statements.inTransaction)) return null
  return known.statements.run(sql, values)
}

export function kyselyOver(database: DatabaseSync, statements: Statements): SqliteDialect {
  const prepare = (sql: string) => {
    const { statement, reader } = statements.find(sql)
    return {
      reader,
      all: (values: readonly unknown[]) => statement.all(...(values as SQLInputValue[])),
      run: (values: readonly unknown[]) => statement.run(...(values as SQLInputValue[])),
      iterate: (values: readonly unknown[]) => statement.iterate(...(values as SQLInputValue[])),
    }
  }
  const closed = { prepare, close: () => database.close() }
  return new ImmediateDialect({ database: closed }, () => database.isTransaction)
}

/** Takes the write lock at the start of a transaction: one that reads first and writes later cannot wait for it in SQLite. */
class ImmediateDialect extends SqliteDialect {
  readonly #config: SqliteDialectConfig
  readonly #inTransaction: () => boolean
  constructor(config: SqliteDialectConfig, inTransaction: () => boolean) {
    super(config)
    this.#config = config
    this.#inTransaction = inTransaction
  }
  override createDriver(): SqliteDriver {
    return new ImmediateDriver(this.#config, this.#inTransaction)
  }
}

class ImmediateDriver extends SqliteDriver {
  readonly #inTransaction: () => boolean
  constructor(config: SqliteDialectConfig, inTransaction: () => boolean) {
    super(config)
    this.#inTransaction = inTransaction
  }
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }
  /** After a full disk or an I/O error SQLite has rolled back by itself. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#inTransaction()) await super.rollbackTransaction(connection)
  }
}
