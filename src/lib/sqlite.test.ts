import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { preparing } from './prepared.ts'
import { BrokenDatabase, type Migrations, NewerSchema, openSqlite } from './sqlite.ts'

interface Schema {
  note: { id: number; text: string }
}

const migrations: Migrations = [
  (db) =>
    db.schema
      .createTable('note')
      .addColumn('id', 'integer', (c) => c.primaryKey())
      .addColumn('text', 'text', (c) => c.notNull())
      .execute(),
]

async function inDirectory(run: (path: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'letterlock-sqlite-'))
  try {
    await run(join(directory, 'one.db'))
  } finally {
    await rm(directory, { recursive: true })
  }
}

test('changes that arrive together share a sync, and one that fails undoes only itself', () =>
  inDirectory(async (path) => {
    let syncs = 0
    const sync = async (wal: { datasync(): Promise<void> }) => {
      syncs++
      await wal.datasync()
    }
    await using db = await openSqlite<Schema>({ path, migrations, sync })
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, (_, id) =>
        db.write(async (query) => {
          await query.insertInto('note').values({ id, text: 'x' }).execute()
          if (id % 10 === 3) throw new Error('mine')
        }),
      ),
    )
    assert.equal(results.filter((one) => one.status === 'rejected').length, 5)
    assert.equal((await db.query.selectFrom('note').selectAll().execute()).length, 45)
    assert.ok(syncs <= 5, `${syncs} syncs`)
  }))

test('a sync that fails refuses what it covers and everything after', () =>
  inDirectory(async (path) => {
    let fail = false
    const sync = async () => {
      if (fail) throw Object.assign(new Error('EIO'), { code: 'EIO' })
    }
    await using db = await openSqlite<Schema>({ path, migrations, sync })
    const put = (id: number) => db.write((query) => query.insertInto('note').values({ id, text: 'x' }).execute())
    await put(1)
    fail = true
    await assert.rejects(put(2), BrokenDatabase)
    fail = false
    await assert.rejects(put(3), BrokenDatabase)
  }))

test('a file from a newer version is refused with what to do', () =>
  inDirectory(async (path) => {
    await (await openSqlite({ path, migrations: [...migrations, async () => {}] }))[Symbol.asyncDispose]()
    await assert.rejects(openSqlite({ path, migrations }), (error: Error) => {
      assert.ok(error instanceof NewerSchema)
      assert.match(error.message, /newer version of Letterlock.*Upgrade/)
      return true
    })
  }))

test('the revision is another one after each change, by this connection and by others', () =>
  inDirectory(async (path) => {
    await using mine = await openSqlite<Schema>({ path, migrations })
    await using other = await openSqlite<Schema>({ path, migrations })
    const seen = new Set([mine.revision(), mine.revision()])
    assert.equal(seen.size, 1)
    for (const [id, db] of [mine, other, mine, other].entries()) {
      await db.write((change) => change.insertInto('note').values({ id, text: 'one' }).execute())
      seen.add(mine.revision())
      assert.equal(seen.size, id + 2)
      assert.equal(mine.revision(), [...seen].at(-1))
    }
  }))

test('a change that nobody waits for is committed without a sync, and synced with the next one', () =>
  inDirectory(async (path) => {
    let syncs = 0
    const sync = async () => void syncs++
    await using db = await openSqlite<Schema>({ path, migrations, sync })
    await db.writeUnhurried((query) => query.insertInto('note').values({ id: 1, text: 'x' }).execute())
    await db.synced()
    assert.equal(syncs, 0)
    await Promise.all([
      db.writeUnhurried((query) => query.insertInto('note').values({ id: 2, text: 'x' }).execute()),
      db.write((query) => query.insertInto('note').values({ id: 3, text: 'x' }).execute()),
    ])
    assert.equal(syncs, 1)
    assert.equal((await db.query.selectFrom('note').selectAll().execute()).length, 3)
  }))

test('a prepared query sees its own transaction, and nothing of one that is open elsewhere', () =>
  inDirectory(async (path) => {
    const prepare = preparing<Schema>()
    const all = prepare((query, given: { from: number }) =>
      query.selectFrom('note').selectAll().where('id', '>=', given.from),
    )
    const put = prepare((query, given: { id: number }) => query.insertInto('note').values({ id: given.id, text: 'x' }))
    await using db = await openSqlite<Schema>({ path, migrations })
    const written = Promise.withResolvers<void>()
    const looked = Promise.withResolvers<void>()
    const failing = db.write(async (query) => {
      await put(query, { id: 1 })
      assert.equal((await all(query, { from: 0 })).length, 1)
      written.resolve()
      await looked.promise
      throw new Error('mine')
    })
    await written.promise
    const outside = all(db.query, { from: 0 })
    looked.resolve()
    await assert.rejects(failing, /mine/)
    assert.deepEqual(await outside, [])
    await db.write((query) => put(query, { id: 2 }))
    assert.deepEqual({ ...(await all(db.query, { from: 2 }))[0] }, { id: 2, text: 'x' })
  }))
