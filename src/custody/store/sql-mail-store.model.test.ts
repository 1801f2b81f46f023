/** The SQL store against the reference: whatever is done to both, they answer alike. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import type { IndexedAccountMail } from './indexed-mail-store.ts'
import type { MailboxId } from './mail-store.ts'
import { createMemoryMailStore } from './memory-mail-store.ts'
import { createSqlMailStore } from './sql-mail-store.ts'

interface Side {
  readonly mail: IndexedAccountMail
  /** A MODSEQ seen earlier, by mailbox name. */
  readonly seen: Map<string, number>
}

type Step = (side: Side) => Promise<unknown>

const NAMES = ['INBOX', 'Archive', 'Trash', 'a', 'a/b', 'a/b/c', 'b', 'nowhere'] as const
const FLAGS = ['\\Seen', '\\Deleted', '\\Flagged', 'One', 'one', 'Two']

const name = fc.constantFrom(...NAMES)
const uids = fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 8 })
const flags = fc.uniqueArray(fc.constantFrom(...FLAGS), { maxLength: 4 })

async function idOf({ mail }: Side, mailbox: string): Promise<MailboxId> {
  return (await mail.mailboxes()).find((one) => one.name === mailbox)?.id ?? 9999
}

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(name, flags, fc.nat(3)).map(
      ([mailbox, flags, size]): Step =>
        async (side) => {
          const content = Buffer.alloc(size * 70_000, size)
          const message = { content, summary: Buffer.from(`${mailbox} ${size}`), internalDate: size * 1500, flags }
          return (await side.mail.append(await idOf(side, mailbox), message)).uid
        },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(name, uids, flags, fc.constantFrom('add', 'remove', 'replace'), fc.boolean()).map(
      ([mailbox, uids, flags, mode, since]): Step =>
        async (side) => {
          const unchangedSince = since ? { unchangedSince: side.seen.get(mailbox) ?? 0 } : {}
          const done = await side.mail.setFlags(await idOf(side, mailbox), uids, { mode, flags, ...unchangedSince })
          return [done.spared, done.rows.map((row) => [row.uid, row.flags])]
        },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(name, name, uids, fc.constantFrom('copy', 'move')).map(
      ([from, to, uids, how]): Step =>
        async (side) => {
          return (await side.mail[how](await idOf(side, from), uids, await idOf(side, to))).uids
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(name, fc.option(uids, { nil: undefined })).map(
      ([mailbox, uids]): Step =>
        async (side) =>
          side.mail.expunge(await idOf(side, mailbox), uids),
    ),
  },
  fc.tuple(name).map(
    ([mailbox]): Step =>
      async ({ mail }) =>
        (await mail.createMailbox(mailbox)).name,
  ),
  fc.tuple(name).map(
    ([mailbox]): Step =>
      ({ mail }) =>
        mail.deleteMailbox(mailbox),
  ),
  fc.tuple(name, name).map(
    ([from, to]): Step =>
      async ({ mail }) =>
        (await mail.renameMailbox(from, to))?.uids,
  ),
  fc.tuple(name, fc.boolean()).map(
    ([mailbox, on]): Step =>
      ({ mail }) =>
        mail.subscribe(mailbox, on),
  ),
  {
    weight: 2,
    arbitrary: fc.tuple(name).map(
      ([mailbox]): Step =>
        async (side) => {
          const id = await idOf(side, mailbox)
          const { changed, vanished, highestModseq } = await side.mail.changesSince(id, side.seen.get(mailbox) ?? 0)
          side.seen.set(mailbox, highestModseq)
          return [changed.map((row) => [row.uid, row.flags]), vanished]
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(name, uids).map(
      ([mailbox, uids]): Step =>
        async (side) => {
          const id = await idOf(side, mailbox)
          const parts = (await side.mail.parts(id, uids).catch(() => [])).flatMap((one) => one ?? [])
          const contents = parts.map(({ content }) => content)
          const from = [...new Set(parts.map(({ page }) => page))]
          const page = { contents, from, seal: () => Buffer.from(contents.join()) }
          return side.mail.pages.keep(contents.length > 0 ? [page] : [])
        },
    ),
  },
)

async function outcome(step: Step, side: Side): Promise<unknown> {
  try {
    return await step(side)
  } catch (error) {
    return (error as Error).name
  }
}

/** Everything that can be seen, without the numbers that may differ. */
async function view({ mail }: Side): Promise<unknown> {
  const mailboxes = await Promise.all(
    (await mail.mailboxes()).map(async ({ id, name, subscribed, specialUse }) => {
      const { highestModseq, uidValidity, ...counts } = await mail.status(id)
      const rows = await mail.list(id)
      assert.ok(rows.every((row) => row.modseq <= highestModseq))
      const uids = rows.map((row) => row.uid)
      const contents = await Promise.all(uids.map(async (uid) => (await mail.read(id, uid))!.byteLength))
      const parts = (await mail.parts(id, uids)).map((one) => [text(one!.summary), one!.page, one!.row.uid])
      const waiting = await mail.waiting(id, null, 100)
      const plain = rows.map(({ modseq, ...row }) => row)
      return { name, subscribed, specialUse, counts, plain, contents, parts, waiting }
    }),
  )
  const pages = await Promise.all(
    (await mail.pages.after(0, 1000)).map(async (id) => [
      id,
      text((await mail.pages.read([id])).get(id)!),
      [...(await mail.pages.contentsOf(id))].sort((a, b) => a - b),
    ]),
  )
  const untidy = await mail.pages.untidy(1000)
  const inNone = await mail.pages.waiting()
  return {
    mailboxes,
    pages,
    untidy,
    inNone,
    subscriptions: await mail.subscriptions(),
    used: (await mail.quota()).used,
  }
}

const text = (octets: Uint8Array | null) => octets && Buffer.from(octets).toString('latin1')

const directory = await temporaryDirectory('model')
const sql = createSqlMailStore({ dataDir: directory.path, clock: systemClock, logger: silentLogger })
after(async () => {
  await sql[Symbol.asyncDispose]()
  await directory[Symbol.asyncDispose]()
})

test('the SQL store answers as the reference does', async () => {
  let accounts = 0
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 40 }), async (todo) => {
      const account = `model${++accounts}`
      await using memory = createMemoryMailStore()
      const sides: Side[] = []
      for (const store of [memory, sql]) {
        await store.create(account)
        sides.push({ mail: await store.open(account, null), seen: new Map() })
      }
      const [reference, tested] = sides as [Side, Side]
      for (const step of todo) assert.deepEqual(await outcome(step, tested), await outcome(step, reference))
      assert.deepEqual(await view(tested), await view(reference))
      await sql.remove(account)
    }),
    { numRuns: 25 },
  )
})
