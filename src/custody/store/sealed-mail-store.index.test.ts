/** Index keys of several generations: after a rotation nothing is opened again, and records come under the newest key. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { systemClock } from '#lib/clock.ts'
import { createFakeLog } from '../../../test/support/fake-log.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { ChangingKeys } from './changing-keys.contract.ts'
import { IndexRecords } from './index-records.ts'
import { KeysNeeded, type MailStore, MessageUnreadable } from './mail-store.ts'
import { createMemoryMailStore } from './memory-mail-store.ts'
import { createSealedMailStore } from './sealed-mail-store.ts'
import { createStorePool } from './store-pool.ts'

const ACCOUNT = 'alice0000000000000000001'
const MESSAGES = 150

function message(text: string) {
  const content = Buffer.from(`Subject: ${text}\r\n\r\n${text}\r\n`)
  return { content, summary: encodeSummary(summarize(content)), internalDate: 0, flags: [] }
}

async function readAll(store: MailStore, keys: ReturnType<ChangingKeys['reading']>) {
  await using mail = await store.open(ACCOUNT, keys)
  const inbox = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!.id
  const uids = (await mail.list(inbox)).map(({ uid }) => uid)
  assert.equal(uids.length, MESSAGES)
  const summaries = await mail.summaries(inbox, uids)
  assert.ok(summaries.every((one) => one !== null))
  assert.match(Buffer.from((await mail.read(inbox, 7))!).toString(), /m6/)
}

/** Opens the account until all records are under the newest key. */
async function fold(store: MailStore, keys: ChangingKeys, isDone: () => Promise<boolean>): Promise<void> {
  await using _session = await store.open(ACCOUNT, keys.reading())
  while (!(await isDone())) await nextTurn()
}

test('records under older keys open without a public-key operation, and are renewed while nobody waits', async () => {
  const keys = new ChangingKeys()
  await keys.change()
  const log = createFakeLog()
  const inner = createMemoryMailStore()
  const store = createSealedMailStore(inner, { sealing: keys.sealing, logger: log, clock: systemClock })
  await store.create(ACCOUNT)
  for (let i = 0; i < MESSAGES; i++) await store.append(ACCOUNT, 'INBOX', message(`m${i}`))
  await readAll(store, keys.reading())
  const raw = await inner.open(ACCOUNT, null)
  for (let rotation = 0; rotation < 2; rotation++) {
    await keys.change()
    const session = keys.reading()
    await readAll(store, session)
    assert.equal(session.operations, 0)
    const before = await raw.pages.keyName()
    await fold(store, keys, async () => (await raw.pages.keyName()) !== before)
    // Without the older index keys: the records are under the newest one.
    const { sessionKeys, indexKey } = keys.reading()
    const newest = { operations: 0, indexKeys: [], sessionKeys, indexKey }
    await readAll(store, newest)
  }
  const pages = await raw.pages.after(0, 1000)
  await readAll(store, keys.reading())
  assert.deepEqual(await raw.pages.after(0, 1000), pages, 'what is renewed is not renewed again')
  assert.deepEqual(log.lines, [])
})

test('how many summaries wait is known without keys', async () => {
  const keys = new ChangingKeys()
  await keys.change()
  const store = createSealedMailStore(createMemoryMailStore(), {
    sealing: keys.sealing,
    logger: createFakeLog(),
    clock: systemClock,
  })
  await store.create(ACCOUNT)
  for (let i = 0; i < MESSAGES; i++) await store.append(ACCOUNT, 'INBOX', message(`m${i}`))
  await using locked = await store.open(ACCOUNT, null)
  assert.deepEqual(await locked.indexing(), { messages: MESSAGES, waiting: MESSAGES, indexed: 0 })
  await fold(store, keys, async () => (await locked.indexing()).waiting === 0)
  for (const text of ['more', 'most']) await store.append(ACCOUNT, 'INBOX', message(text))
  const [inbox, archive] = [(await locked.mailbox('INBOX'))!.id, (await locked.mailbox('Archive'))!.id]
  await locked.copy(inbox, [1, MESSAGES + 1], archive)
  assert.deepEqual(await locked.indexing(), { messages: MESSAGES + 2, waiting: 2, indexed: 0 })
})

test('after a reset each old message is tried once in a session, without a line for each', async () => {
  const keys = new ChangingKeys()
  await keys.change()
  const log = createFakeLog()
  const inner = createMemoryMailStore()
  const store = createSealedMailStore(inner, { sealing: keys.sealing, logger: log, clock: systemClock })
  await store.create(ACCOUNT)
  for (let i = 0; i < MESSAGES; i++) await store.append(ACCOUNT, 'INBOX', message(`m${i}`))
  await readAll(store, keys.reading())
  await keys.change()
  const afterReset = keys.reading(1)
  await using mail = await store.open(ACCOUNT, afterReset)
  const inbox = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!.id
  const uids = (await mail.list(inbox)).map(({ uid }) => uid)
  assert.ok((await mail.summaries(inbox, uids)).every((one) => one === null))
  const tried = afterReset.operations
  assert.ok(tried >= MESSAGES)
  await mail.summaries(inbox, uids)
  await assert.rejects(mail.read(inbox, uids[0]!), MessageUnreadable)
  assert.equal(afterReset.operations, tried)
  assert.deepEqual(log.lines, [])
})

test('a message that is moved is read under whatever key its page was', async () => {
  const keys = new ChangingKeys()
  await keys.change()
  const log = createFakeLog()
  const store = createSealedMailStore(createMemoryMailStore(), {
    sealing: keys.sealing,
    logger: log,
    clock: systemClock,
  })
  await store.create(ACCOUNT)
  for (let i = 0; i < MESSAGES; i++) await store.append(ACCOUNT, 'INBOX', message(`m${i}`))
  await readAll(store, keys.reading())
  await keys.change()
  const session = keys.reading()
  await using mail = await store.open(ACCOUNT, session)
  const [archive, inbox] = await mail.mailboxes().then((all) => [all[0]!.id, all[2]!.id])
  await mail.move(inbox!, [1, 2, 3], archive!)
  assert.ok((await mail.summaries(archive!, [1, 2, 3])).every((one) => one !== null))
  assert.deepEqual([session.operations, log.lines], [0, []])
})

test('the keys that are handed to the store are wiped, and a closed session seals nothing more', async () => {
  const keys = new ChangingKeys()
  for (let i = 0; i < 3; i++) await keys.change()
  const store = createSealedMailStore(createMemoryMailStore(), {
    sealing: keys.sealing,
    logger: createFakeLog(),
    clock: systemClock,
  })
  await store.create(ACCOUNT)
  await store.append(ACCOUNT, 'INBOX', message('one'))
  const session = keys.reading()
  const mail = await store.open(ACCOUNT, session)
  await mail.summaries(1, [1])
  assert.equal(session.indexKeys.length, 3)
  assert.ok(session.indexKeys.every((key) => key.every((octet) => octet === 0)))
  const records = new IndexRecords(ACCOUNT, Buffer.alloc(32, 1))
  const record = records.seal({ mailbox: 1, uid: 1 }, Buffer.of(1))
  records[Symbol.dispose]()
  assert.throws(() => records.seal({ mailbox: 1, uid: 1 }, Buffer.of(1)), KeysNeeded)
  assert.throws(() => records.open({ mailbox: 1, uid: 1 }, record), KeysNeeded)
  await mail[Symbol.asyncDispose]()
})

const directory = await temporaryDirectory('index')
const keys = new ChangingKeys()
const log = createFakeLog()
const { path: dataDir } = directory
const pool = createStorePool({ dataDir, workers: 1, sealing: keys.sealing, clock: systemClock, logger: log })
after(async () => {
  await pool[Symbol.asyncDispose]()
  await directory[Symbol.asyncDispose]()
})

test('older keys reach the store threads, and re-sealing works there', async () => {
  await pool.create(ACCOUNT)
  await assert.rejects(pool.append(ACCOUNT, 'INBOX', message('too early')), { name: 'NoCertificate' })
  {
    await using locked = await pool.open(ACCOUNT, null)
    assert.equal((await locked.coverage()).contents, 0)
  }
  await keys.change()
  // What was answered a moment ago is believed for a while.
  await using fresh = createStorePool({ dataDir, workers: 1, sealing: keys.sealing, clock: systemClock, logger: log })
  for (let i = 0; i < MESSAGES; i++) await fresh.append(ACCOUNT, 'INBOX', message(`m${i}`))
  await readAll(fresh, keys.reading())
  await keys.change()
  await using later = createStorePool({ dataDir, workers: 1, sealing: keys.sealing, clock: systemClock, logger: log })
  const session = keys.reading()
  await readAll(later, session)
  assert.equal(session.operations, 0)
  {
    await using mail = await later.open(ACCOUNT, keys.reading())
    await mail.resealing('running')
    const { waiting, state, current } = await mail.reseal(1000)
    assert.deepEqual([waiting, state, current], [0, 'off', MESSAGES])
  }
  await readAll(later, keys.reading(1))
  assert.deepEqual(log.lines, [])
})
