/** What the operator may do with waiting mail: look, hurry, give up. It needs no key, so the command line can do it too. */
import type { Clock } from '#lib/clock.ts'
import { openSqlite, type SqliteDatabase } from '#lib/sqlite.ts'
import type { Queue } from './queue.ts'
import { type QueueSchema, queueMigrations } from './queue-schema.ts'
import { giveUp, makeDue, readEntries, removeEntry } from './queue-table.ts'

export type QueueDesk = Pick<Queue, 'entries' | 'entry' | 'retry' | 'drop'>

/** The desk over an open database. With `bounce`, a drop is carried out by the queue itself at its next look. */
export function createQueueDesk(db: SqliteDatabase<QueueSchema>, clock: Clock): QueueDesk {
  return {
    entries: () => readEntries(db.query, null),
    entry: async (id) => (await readEntries(db.query, id))[0] ?? null,
    retry: (id) => db.write((change) => makeDue(change, id, clock.now())),
    drop: (id, bounce) => db.write((change) => (bounce ? giveUp(change, id, clock.now()) : removeEntry(change, id))),
  }
}

/** Opens the file beside the server that uses it; `Queue.wake` tells the server to look at what was changed. */
export async function openQueueDesk(options: {
  readonly path: string
  readonly clock: Clock
}): Promise<QueueDesk & AsyncDisposable> {
  const db = await openSqlite<QueueSchema>({ path: options.path, migrations: queueMigrations })
  return { ...createQueueDesk(db, options.clock), [Symbol.asyncDispose]: () => db[Symbol.asyncDispose]() }
}
