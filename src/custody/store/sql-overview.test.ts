import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { openSqlite } from '#lib/sqlite.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { newMessage } from './contract-bench.ts'
import { migrations, type StoreSchema } from './schema.ts'
import { createSqlMailStore } from './sql-mail-store.ts'

const ACCOUNT = 'account000000001'

const storeIn = (dataDir: string) => createSqlMailStore({ dataDir, clock: systemClock, logger: silentLogger })
const pathIn = (dataDir: string) => join(dataDir, 'accounts', ACCOUNT, 'mail.db')

/** The schema before mailboxes knew their keywords. */
const BEFORE = 4

test('a store from before learns what it holds', async () => {
  await using dir = await temporaryDirectory('overview')
  await mkdir(join(dir.path, 'accounts', ACCOUNT), { recursive: true })
  {
    await using old = await openSqlite<StoreSchema>({ path: pathIn(dir.path), migrations: migrations.slice(0, BEFORE) })
    await old.synced()
  }
  const raw = new DatabaseSync(pathIn(dir.path))
  raw.exec(`insert into account (account_id, name, uidvalidity, mailbox_id, content_id, modseq, used, quota)
    values (1, '${ACCOUNT}', 1, 1, 3, 9, 0, null)`)
  raw.exec(`insert into mailbox (account_id, mailbox_id, name, uidvalidity, uidnext, highest_modseq, messages, unseen, deleted, size)
    values (1, 1, 'INBOX', 1, 6, 9, 3, 1, 0, 30)`)
  raw.exec(`insert into vanished (account_id, mailbox_id, modseq, first_uid, last_uid) values (1, 1, 8, 2, 3)`)
  for (const [uid, flags, keywords] of [
    [1, 1, 'Work $Later'],
    [4, 1, 'WORK'],
    [5, 0, ''],
  ])
    raw.exec(`insert into message (account_id, mailbox_id, uid, modseq, internal_date, flags, keywords, size, content_id)
      values (1, 1, ${uid}, ${uid}, 0, ${flags}, '${keywords}', 10, ${uid})`)
  raw.close()
  await using store = storeIn(dir.path)
  await using mail = await store.open(ACCOUNT, null)
  const { keywords, firstUnseen, present } = await mail.overview(1)
  assert.deepEqual(
    keywords.map((name) => name.toLowerCase()),
    ['$later', 'work'],
  )
  assert.deepEqual([firstUnseen, [...present!]], [5, [1, 1, 4, 5]])
})

test('where more is gone than is left, what is left is listed', async () => {
  await using dir = await temporaryDirectory('overview')
  await using store = storeIn(dir.path)
  await store.create(ACCOUNT)
  await using mail = await store.open(ACCOUNT, null)
  const inbox = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')
  await store.append(ACCOUNT, 'INBOX', newMessage('one'))
  const { highestModseq } = await mail.status(inbox!.id)
  // Every other message went, thousands of times.
  const raw = new DatabaseSync(pathIn(dir.path))
  raw.exec('begin')
  const vanish = raw.prepare('insert into vanished values (1, ?, ?, ?, ?)')
  for (let i = 0; i < 10_000; i++) vanish.run(inbox!.id, highestModseq + 1, 2 * i + 2, 2 * i + 2)
  raw.exec(`update mailbox set uidnext = 20002, highest_modseq = highest_modseq + 1 where mailbox_id = ${inbox!.id}`)
  raw.exec('commit')
  assert.deepEqual([...(await mail.overview(inbox!.id)).present!], [1, 1])
  assert.deepEqual([...(await mail.overview(inbox!.id, highestModseq)).present!], [1, 1], 'too much to be news')
  // Counts that are wrong are put right.
  raw.exec(`update mailbox set messages = 7 where mailbox_id = ${inbox!.id}`)
  raw.close()
  const { present, status } = await mail.overview(inbox!.id)
  assert.deepEqual([...present!], [1, 1])
  assert.deepEqual([status.messages, status.unseen, status.uidNext], [1, 1, 20_002])
  assert.deepEqual(await mail.status(inbox!.id), status)
})
