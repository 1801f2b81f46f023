import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { openSqlite } from '#lib/sqlite.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { expand } from './contract-bench.ts'
import { type AccountScope, migrations, type StoreSchema } from './schema.ts'
import { type History, noteVanished, readVanished } from './sql-vanished.ts'
import { runsOf } from './uid-sets.ts'

const directory = await temporaryDirectory('vanished')
const database = await openSqlite<StoreSchema>({ path: directory.join('mail.db'), migrations })
after(async () => {
  await database[Symbol.asyncDispose]()
  await directory[Symbol.asyncDispose]()
})

let mailboxes = 0

/** A mailbox of which nothing is kept but its history, and what a store without bounds would know. */
class Model {
  readonly mailbox = ++mailboxes
  readonly present = new Set<number>()
  /** When a uid went. */
  readonly gone = new Map<number, number>()
  /** The MODSEQ of each run that was noted. */
  readonly noted: number[] = []
  #uidNext = 1
  modseq = 0
  readonly #history: History

  constructor(history: History) {
    this.#history = history
  }

  async make(): Promise<void> {
    const numbers = { uidvalidity: 1, uidnext: 1, highest_modseq: 1, messages: 0, unseen: 0, deleted: 0, size: 0 }
    const row = { account_id: 1, mailbox_id: this.mailbox, name: `m${this.mailbox}`, special_use: null }
    await database.query
      .insertInto('mailbox')
      .values({ ...row, ...numbers, vanished_room: 0 })
      .execute()
  }

  add(count: number): void {
    for (let i = 0; i < count; i++) this.present.add(this.#uidNext++)
  }

  /** Those at these places. */
  async remove(places: readonly number[]): Promise<void> {
    const present = [...this.present]
    const uids = [...new Set(places.map((place) => present[place % present.length]))].filter((uid) => uid !== undefined)
    const runs = runsOf(
      uids.sort((a, b) => a - b),
      1,
    )
    const modseq = ++this.modseq
    for (const uid of uids) {
      this.present.delete(uid)
      this.gone.set(uid, modseq)
    }
    for (const _ of runs) this.noted.push(modseq)
    await database.writeUnhurried((query) =>
      noteVanished({ query, account: 1 }, this.mailbox, { runs, modseq }, this.#history),
    )
  }

  get scope(): AccountScope {
    return { query: database.query, account: 1 }
  }

  async rows(): Promise<number> {
    const rows = await database.query
      .selectFrom('vanished')
      .select('modseq')
      .where('mailbox_id', '=', this.mailbox)
      .execute()
    return rows.length
  }

  goneSince(modseq: number): number[] {
    return [...this.gone].flatMap(([uid, at]) => (at > modseq ? [uid] : [])).sort((a, b) => a - b)
  }

  async check(): Promise<void> {
    const all = new Set(this.gone.keys())
    for (let known = 0; known <= this.modseq; known++) {
      const told = expand(await readVanished(this.scope, this.mailbox, known))
      const exact = this.goneSince(known)
      assert.deepEqual([...new Set(told)], told, 'each once')
      assert.ok(told.every((uid) => all.has(uid)))
      const toldOf = new Set(told)
      assert.ok(exact.every((uid) => toldOf.has(uid)))
      const newer = this.noted.filter((modseq) => modseq > known).length
      if (newer <= this.#history.exact) assert.deepEqual(told, exact)
    }
    const { exact, slack } = this.#history
    // A message that is there, or a new run, lies between any two that are old.
    const least = this.present.size + 1 + 2 * exact
    assert.ok((await this.rows()) <= 2 * least + slack + this.#largest)
  }

  /** Runs that were noted together. */
  get #largest(): number {
    const counts = new Map<number, number>()
    for (const modseq of this.noted) counts.set(modseq, (counts.get(modseq) ?? 0) + 1)
    return Math.max(0, ...counts.values())
  }
}

test('whoever comes back hears of all that vanished, and the history is bounded', async () => {
  const step = fc.oneof(
    fc.record({ add: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ remove: fc.array(fc.nat(40), { minLength: 1, maxLength: 5 }) }),
  )
  const history = fc.record({ exact: fc.integer({ min: 0, max: 4 }), slack: fc.integer({ min: 0, max: 6 }) })
  await fc.assert(
    fc.asyncProperty(history, fc.array(step, { maxLength: 40 }), async (bounds, steps) => {
      const model = new Model(bounds)
      await model.make()
      for (const one of steps) {
        if ('add' in one) model.add(one.add)
        else if (model.present.size > 0) await model.remove(one.remove)
      }
      await model.check()
    }),
    { numRuns: 60 },
  )
})

test('a mailbox whose messages come and go has a short history', async () => {
  const model = new Model({ exact: 10, slack: 50 })
  await model.make()
  model.add(5)
  for (let round = 0; round < 400; round++) {
    model.add(1)
    await model.remove([round % 3])
  }
  assert.ok((await model.rows()) <= 2 * (5 + 1 + 20) + 50)
  assert.deepEqual(
    expand(await readVanished(model.scope, model.mailbox, model.modseq - 10)),
    model.goneSince(model.modseq - 10),
  )
  assert.deepEqual(expand(await readVanished(model.scope, model.mailbox, 0)), model.goneSince(0))
})
