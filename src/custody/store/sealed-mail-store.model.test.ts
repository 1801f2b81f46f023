/** Whatever is done to the mail while its key changes and it is re-sealed, what can be read of it is the same as without. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { systemClock } from '#lib/clock.ts'
import { createFakeLog } from '../../../test/support/fake-log.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { ChangingKeys } from './changing-keys.contract.ts'
import type { AccountMail, Sealing } from './mail-store.ts'
import { createMemoryMailStore } from './memory-mail-store.ts'
import { createSealedMailStore } from './sealed-mail-store.ts'
import { createSqlMailStore } from './sql-mail-store.ts'

type Step = (mail: AccountMail) => Promise<unknown>

const mailbox = fc.integer({ min: 1, max: 3 })
const uids = fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { maxLength: 5 })

const steps: fc.Arbitrary<Step | 'change the key' | number> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(mailbox, fc.constantFrom(10, 3000, 150_000)).map(
      ([to, size]): Step =>
        async (mail) => {
          const content = Buffer.concat([Buffer.from(`Subject: ${size}\r\n\r\n`), Buffer.alloc(size, 'x')])
          const summary = encodeSummary(summarize(content))
          return (await mail.append(to, { content, summary, internalDate: 0, flags: [] })).uid
        },
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(mailbox, uids, mailbox, fc.constantFrom('copy', 'move')).map(
      ([from, which, to, how]): Step =>
        async (mail) =>
          (await mail[how](from, which, to)).uids,
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(mailbox, uids).map(
      ([from, which]): Step =>
        async (mail) => {
          await mail.setFlags(from, which, { mode: 'add', flags: ['\\Deleted'] })
          return mail.expunge(from, which)
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(mailbox, uids).map(
      ([from, which]): Step =>
        async (mail) => {
          const text = (octets: Uint8Array | null) => octets && Buffer.from(octets).toString('latin1')
          return [
            (await mail.summaries(from, which)).map(text),
            await Promise.all(which.map(async (uid) => text(await mail.read(from, uid)))),
          ]
        },
    ),
  },
  { weight: 2, arbitrary: fc.constant('change the key' as const) },
  /** Re-seal so many while the next steps go on. */
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 6 }) },
)

async function view(mail: AccountMail) {
  const seen = []
  for (const { id, name } of await mail.mailboxes()) {
    const rows = await mail.list(id)
    const of = rows.map(({ uid }) => uid)
    const contents = await Promise.all(
      of.map(async (uid) => Buffer.from((await mail.read(id, uid))!).toString('latin1')),
    )
    const summaries = (await mail.summaries(id, of)).map((one) => Buffer.from(one!).toString('latin1'))
    seen.push({ name, rows: rows.map(({ uid, flags }) => [uid, flags]), contents, summaries })
  }
  return seen
}

const directory = await temporaryDirectory('interleaved')
const sql = createSqlMailStore({ dataDir: directory.path, clock: systemClock, logger: createFakeLog() })
after(async () => {
  await sql[Symbol.asyncDispose]()
  await directory[Symbol.asyncDispose]()
})

const keys = new ChangingKeys()
const sealings: Sealing[] = []
for (let i = 0; i < 4; i++) {
  await keys.change()
  sealings.push(await keys.sealing())
}

test('re-sealing between any steps changes nothing that can be read', async () => {
  let accounts = 0
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 30 }), async (todo) => {
      const account = `interleaved${++accounts}`
      const log = createFakeLog()
      let generation = 0
      const sealing = async () => sealings[generation]!
      const sealed = createSealedMailStore(sql, { sealing, logger: log, clock: systemClock })
      await using memory = createMemoryMailStore()
      for (const store of [memory, sealed]) await store.create(account)
      const reference = await memory.open(account, null)
      const tested = await sealed.open(account, keys.reading())
      const others = await sealed.open(account, keys.reading())
      const underWay: Promise<unknown>[] = []
      for (const step of todo)
        if (step === 'change the key') generation = Math.min(generation + 1, sealings.length - 1)
        else if (typeof step === 'number') underWay.push((step % 2 ? tested : others).reseal(step), nextTurn())
        else {
          const [found, expected] = [await step(tested), await step(reference)]
          assert.deepEqual(found, expected)
        }
      await Promise.all(underWay)
      const expected = await view(reference)
      assert.deepEqual(await view(tested), expected)
      assert.deepEqual((await tested.reseal(1000)).waiting, 0)
      assert.deepEqual(await view(tested), expected)
      for (const session of [tested, others]) await session[Symbol.asyncDispose]()
      await using again = await sealed.open(account, keys.reading())
      assert.deepEqual(await view(again), expected)
      assert.deepEqual(log.lines, [])
      await sql.remove(account)
    }),
    { numRuns: 12 },
  )
})
