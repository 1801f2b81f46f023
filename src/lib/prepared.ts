/**
 * Queries that are compiled once. Building and compiling a query costs Kysely several times what SQLite needs to run it, so
 * those that are asked often are built at their first use, with places for their values, and bound from then on. SQLite is then
 * asked directly.
 */
import type { Compilable, CompiledQuery } from 'kysely'
import type { Query } from './sqlite.ts'
import { runDirectly } from './sqlite-statements.ts'

class Place {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** Stands for the values while a query is built: whatever is asked of it is a place of that name. */
const places = new Proxy({}, { get: (_, name) => new Place(String(name)) })

/** Runs the query with these values. */
type Prepared<S, P, R> = (query: Query<S>, values: P) => Promise<R[]>

type Prepare<S> = <P extends object, R>(build: (query: Query<S>, values: P) => Compilable<R>) => Prepared<S, P, R>

/** Of the queries of one schema. Values must be named in `build`, not taken from around it: what it sees the first time stays. */
export function preparing<S>(): Prepare<S> {
  return <P extends object, R>(build: (query: Query<S>, values: P) => Compilable<R>) => {
    // By dialect: each spells its parameters in its own way.
    const compiled = new Map<unknown, CompiledQuery<R>>()
    return async (query: Query<S>, values: P) => {
      const dialect = query.getExecutor().adapter.constructor
      let found = compiled.get(dialect)
      if (!found) {
        found = build(query, places as P).compile()
        compiled.set(dialect, found)
      }
      const parameters = found.parameters.map((one) => (one instanceof Place ? values[one.name as keyof P] : one))
      const rows = runDirectly(query, found.sql, parameters) as R[] | null
      return rows ?? (await query.executeQuery<R>({ ...found, parameters })).rows
    }
  }
}
