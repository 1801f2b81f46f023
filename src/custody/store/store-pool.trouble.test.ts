import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { isDiskFull } from '#lib/sqlite.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { newMessage } from './contract-bench.ts'
import { NoSuchMailbox, OverQuota } from './mail-store.ts'
import { packRows, unpackRows } from './row-columns.ts'
import { readingKeys, sealingOf } from './sealed-keys.contract.ts'
import { createStorePool } from './store-pool.ts'
import { packError, unpackError } from './store-wire.ts'

const ALICE = 'alice00000000001'

test('nothing that was written can be read in any file of the account', async () => {
  await using directory = await temporaryDirectory('canary')
  const pool = createStorePool({
    dataDir: directory.path,
    workers: 1,
    sealing: sealingOf,
    clock: systemClock,
    logger: silentLogger,
  })
  const canary = 'CANARY-7f3a91'
  {
    await using store = pool
    await store.create(ALICE)
    const filler = Buffer.alloc(200_000, `${canary} `)
    for (const content of [Buffer.from(`Subject: ${canary}\r\n\r\n${canary}\r\n`), filler])
      await store.append(ALICE, 'INBOX', newMessage(canary, { content, summary: Buffer.from(canary) }))
    await using mail = await store.open(ALICE, readingKeys(ALICE))
    const mailboxes = await mail.mailboxes()
    const idOf = (name: string) => mailboxes.find((one) => one.name === name)!.id
    const [inbox, archive] = [idOf('INBOX'), idOf('Archive')]
    await mail.append(archive, newMessage(canary))
    await mail.copy(inbox, [1, 2], archive)
    await mail.move(archive, [1], inbox)
    for (const summary of await mail.summaries(inbox, [1, 2, 3]))
      assert.match(Buffer.from(summary!).toString(), /CANARY/)
    await sweep(directory.path, canary)
  }
  await sweep(directory.path, canary)
})

async function sweep(directory: string, canary: string): Promise<void> {
  const files = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((one) => one.isFile())
  assert.ok(files.some(({ name }) => name === 'mail.db') && files.length >= 2)
  for (const { parentPath, name } of files) {
    const octets = await readFile(`${parentPath}/${name}`)
    assert.ok(!octets.includes(canary), `${name} holds the canary`)
    assert.ok(!octets.includes(Buffer.from(canary).toString('base64').slice(0, 12)), `${name} holds it in base64`)
  }
}

test('a store thread that dies interrupts what is under way, and sessions go on with the next one', async () => {
  const workers: Worker[] = []
  const noticed = (worker: Worker) => void workers.push(worker)
  process.on('worker', noticed)
  const clock = createFakeClock()
  await using directory = await temporaryDirectory('thread')
  await using pool = createStorePool({
    dataDir: directory.path,
    workers: 1,
    sealing: sealingOf,
    clock,
    logger: silentLogger,
  })
  await pool.create(ALICE)
  const { mailbox, uid } = await pool.append(ALICE, 'INBOX', newMessage('before'))
  await using mail = await pool.open(ALICE, readingKeys(ALICE))
  const heard = Promise.withResolvers<void>()
  using _listening = pool.changes.subscribe(ALICE, () => heard.resolve())
  clock.set(clock.now() + 5000)
  const underWay = mail.list(mailbox)
  const gone = new Promise((resolve) => workers[0]!.once('exit', resolve))
  const refused = assert.rejects(underWay, { name: 'StoreInterrupted' })
  await workers[0]!.terminate()
  await Promise.all([gone, refused])
  assert.match(Buffer.from((await mail.read(mailbox, uid))!).toString(), /before/)
  await pool.append(ALICE, 'INBOX', newMessage('after'))
  await heard.promise
  assert.equal((await mail.list(mailbox)).length, 2)
  // A thread that dies as soon as it is started is not started again at once.
  const dead = new Promise((resolve) => workers[1]!.once('exit', resolve))
  await workers[1]!.terminate()
  await dead
  await assert.rejects(pool.quota(ALICE), { name: 'StoreInterrupted' })
  await clock.advance(1000)
  assert.equal((await mail.list(mailbox)).length, 2)
  process.off('worker', noticed)
})

test('what was begun before the end is finished', async () => {
  await using directory = await temporaryDirectory('end')
  const options = { dataDir: directory.path, workers: 2, sealing: sealingOf, clock: systemClock }
  const pool = createStorePool({ ...options, logger: silentLogger })
  await pool.create(ALICE)
  await pool.append(ALICE, 'INBOX', newMessage('first'))
  const begun = Array.from({ length: 20 }, (_, i) => pool.append(ALICE, 'INBOX', newMessage(`m${i}`)))
  await new Promise((resolve) => setImmediate(resolve))
  await pool[Symbol.asyncDispose]()
  assert.equal(new Set((await Promise.all(begun)).map(({ uid }) => uid)).size, 20)
  await assert.rejects(pool.append(ALICE, 'INBOX', newMessage('late')), { name: 'StoreInterrupted' })
})

test('errors keep their class and what they say about the disk', () => {
  assert.ok(unpackError(packError(new OverQuota('x'))) instanceof OverQuota)
  assert.ok(unpackError(packError(new NoSuchMailbox('x'))) instanceof NoSuchMailbox)
  const full = Object.assign(new Error('database or disk is full'), { errcode: 13 })
  assert.ok(isDiskFull(unpackError(packError(new Error('outer', { cause: full })))))
  const other = unpackError(packError(Object.assign(new Error('EIO'), { name: 'BrokenDatabase' })))
  assert.deepEqual([other.name, other.message, isDiskFull(other)], ['BrokenDatabase', 'EIO', false])
})

test('rows come back as they were packed', () => {
  const rows = Array.from({ length: 50 }, (_, i) => ({
    uid: i * 3 + 1,
    modseq: 2 ** 40 + i,
    internalDate: 1_700_000_000_000 + i * 1000,
    flags: i % 3 ? ['\\Seen', 'Key'] : [],
    paddedSize: i * 1000,
  }))
  assert.deepEqual(unpackRows(packRows(rows)), rows)
  assert.deepEqual(unpackRows(packRows([])), [])
})

test('a store thread ends when nobody has needed it for a while, and is there again when somebody does', async () => {
  const workers: Worker[] = []
  const listen = (worker: Worker) => void workers.push(worker)
  process.on('worker', listen)
  await using _ = { [Symbol.asyncDispose]: async () => void process.off('worker', listen) }
  await using directory = await temporaryDirectory('rest')
  const clock = createFakeClock()
  const { path: dataDir } = directory
  await using store = createStorePool({ dataDir, workers: 1, sealing: sealingOf, clock, logger: silentLogger })
  assert.equal(workers.length, 0, 'nothing was asked yet')
  await store.create(ALICE)
  {
    await using mail = await store.open(ALICE, readingKeys(ALICE))
    await clock.advance(300_000)
    assert.equal((await mail.mailboxes())[0]?.name, 'Archive')
    assert.equal(workers.length, 1, 'a session keeps the thread')
  }
  const ended = new Promise((resolve) => workers[0]!.once('exit', resolve))
  await clock.advance(120_000)
  await store.append(ALICE, 'INBOX', newMessage('while it ends'))
  await ended
  assert.equal(workers.length, 2)
  using watching = store.changes.subscribe(ALICE, () => {})
  await clock.advance(300_000)
  await store.append(ALICE, 'INBOX', newMessage('watched'))
  assert.equal(workers.length, 2, 'a listener keeps the thread')
  assert.ok(watching)
})
