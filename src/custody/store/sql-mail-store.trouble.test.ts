/** What goes wrong on disks: it concerns one account, says so, and does no more harm than it must. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { open, readdir, readFile, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { isDiskFull } from '#lib/sqlite.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { needs } from '../../../test/support/needs.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { newMessage } from './contract-bench.ts'
import { AccountDamaged, MessageUnreadable, NoSuchAccount } from './mail-store.ts'
import { createSqlMailStore, type SqlMailStoreOptions } from './sql-mail-store.ts'

const [ALICE, BOB] = ['alice00000000001', 'bob000000000002']
const HOUR = 3_600_000

async function setUp(options: Partial<SqlMailStoreOptions> = {}) {
  const directory = await temporaryDirectory('store')
  const make = () =>
    createSqlMailStore({ dataDir: directory.path, clock: systemClock, logger: silentLogger, ...options })
  const store = make()
  for (const account of [ALICE, BOB]) await store.create(account)
  const file = (account: string, ...names: string[]) => directory.join('accounts', account, ...names)
  const close = async () => {
    await store[Symbol.asyncDispose]()
    await directory[Symbol.asyncDispose]()
  }
  return { store, make, file, directory, [Symbol.asyncDispose]: close }
}

const large = () => newMessage('large', { content: randomBytes(200_000) })

async function overwrite(path: string, at: number, octets: Uint8Array): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(octets, 0, octets.byteLength, at)
  await file.close()
}

test('a damaged database stops its account with a remedy, the others go on, and a restored file is taken', async () => {
  await using made = await setUp({ openAccounts: 1 })
  const { store, file } = made
  for (let i = 0; i < 20; i++) await store.append(ALICE, 'INBOX', newMessage(`m${i}`))
  await store.append(BOB, 'INBOX', newMessage('bob'))
  await store[Symbol.asyncDispose]()
  const backup = await readFile(file(ALICE, 'mail.db'))
  for (const [at, octets] of [
    [0, randomBytes(4096)],
    [100, randomBytes(backup.byteLength - 100)],
  ] as const) {
    await overwrite(file(ALICE, 'mail.db'), at, octets)
    await using again = made.make()
    await assert.rejects(again.append(ALICE, 'INBOX', newMessage('x')), (error: Error) => {
      assert.ok(error instanceof AccountDamaged, error.stack)
      assert.match(error.message, /alice00000000001\/mail\.db is damaged\..*restore it from a backup/)
      return true
    })
    await again.append(BOB, 'INBOX', newMessage('still served'))
    await writeFile(file(ALICE, 'mail.db'), backup)
    const { uid } = await again.append(ALICE, 'INBOX', newMessage('after the restore'))
    assert.ok(uid >= 21)
  }
})

test("another account's file is not taken for this one's", async () => {
  await using made = await setUp()
  await made.store[Symbol.asyncDispose]()
  await rename(made.file(BOB, 'mail.db'), made.file(ALICE, 'mail.db'))
  await using again = made.make()
  await assert.rejects(again.open(ALICE, null), /belongs to the account bob000000000002/)
  await assert.rejects(again.open(BOB, null), NoSuchAccount)
})

test('a database that is missing beside its blobs is not replaced by an empty one', async () => {
  await using made = await setUp()
  await made.store.append(ALICE, 'INBOX', large())
  await made.store[Symbol.asyncDispose]()
  await rename(made.file(ALICE, 'mail.db'), made.file(ALICE, 'mail.db.aside'))
  await using again = made.make()
  await assert.rejects(again.create(ALICE), AccountDamaged)
  assert.equal((await readdir(made.file(ALICE, 'blobs'))).length, 1)
})

test('a torn or lost blob makes one message unreadable', async () => {
  await using made = await setUp()
  const { store, file } = made
  const { mailbox } = await store.append(ALICE, 'INBOX', large())
  await store.append(ALICE, 'INBOX', newMessage('small'))
  const [blob] = await readdir(file(ALICE, 'blobs'))
  const mail = await store.open(ALICE, null)
  await truncate(file(ALICE, 'blobs', blob!), 100_000)
  await assert.rejects(mail.read(mailbox, 1), (error: Error) => {
    assert.ok(error instanceof MessageUnreadable)
    assert.match(error.message, /has 100000 octets instead of 200000: restore it from a backup/)
    return true
  })
  await rm(file(ALICE, 'blobs', blob!))
  await assert.rejects(mail.read(mailbox, 1), MessageUnreadable)
  assert.match(Buffer.from((await mail.read(mailbox, 2))!).toString(), /small/)
  assert.equal((await mail.list(mailbox)).length, 2)
})

test('blobs come and go with their messages, and nothing is left by an append that was refused', async () => {
  await using made = await setUp()
  const { store, file } = made
  const blobs = async () => (await readdir(file(ALICE, 'blobs'))).length
  const { mailbox } = await store.append(ALICE, 'INBOX', large())
  const twice = { ...large(), deliveryKey: 'once' }
  await store.append(ALICE, 'INBOX', twice)
  await store.append(ALICE, 'INBOX', twice)
  assert.equal(await blobs(), 2)
  await store.setQuota(ALICE, 450_000)
  await assert.rejects(store.append(ALICE, 'INBOX', large()), { name: 'OverQuota' })
  assert.equal(await blobs(), 2)
  const mail = await store.open(ALICE, null)
  await mail.setFlags(mailbox, [1], { mode: 'add', flags: ['\\Deleted'] })
  await mail.expunge(mailbox)
  assert.equal(await blobs(), 1)
})

test('orphaned blobs are swept when the account is opened, once they are old', async () => {
  const clock = createFakeClock()
  await using made = await setUp({ clock })
  await made.store.append(ALICE, 'INBOX', large())
  await made.store[Symbol.asyncDispose]()
  const [blob] = await readdir(made.file(ALICE, 'blobs'))
  for (const [name, age] of [
    ['orphan-old', 2 * HOUR],
    ['orphan-young', HOUR / 2],
    [blob!, 9 * HOUR],
  ] as const) {
    const path = made.file(ALICE, 'blobs', name)
    if (name !== blob) await writeFile(path, 'x')
    const time = new Date(clock.now() - age)
    await utimes(path, time, time)
  }
  await using again = made.make()
  await again.open(ALICE, null)
  assert.deepEqual((await readdir(made.file(ALICE, 'blobs'))).sort(), [blob, 'orphan-young'].sort())
})

test('a disk that refuses a sync ends writing for that account until a restart', async () => {
  let broken = false
  const sync = async () => {
    if (broken) throw Object.assign(new Error('EIO'), { code: 'EIO' })
  }
  await using made = await setUp({ sync, openAccounts: 1 })
  await made.store.append(ALICE, 'INBOX', newMessage('one'))
  broken = true
  await assert.rejects(made.store.append(ALICE, 'INBOX', newMessage('two')), { name: 'BrokenDatabase' })
  broken = false
  await made.store.append(BOB, 'INBOX', newMessage('other accounts are served'))
  await assert.rejects(made.store.append(ALICE, 'INBOX', newMessage('three')), (error: Error) => {
    assert.equal(error.name, 'BrokenDatabase')
    assert.ok(!isDiskFull(error))
    return true
  })
})

test('a sync that finds the disk full is tried again by itself', async () => {
  let full = false
  const sync = async () => {
    if (full) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
  }
  await using made = await setUp({ sync })
  await made.store.append(ALICE, 'INBOX', newMessage('one'))
  full = true
  await assert.rejects(made.store.append(ALICE, 'INBOX', newMessage('two')), isDiskFull)
  await assert.rejects(made.store.append(ALICE, 'INBOX', newMessage('three')), isDiskFull)
  full = false
  await made.store.append(ALICE, 'INBOX', newMessage('four'))
})

test(
  'a full disk refuses appends, keeps what was acknowledged, and recovers alone',
  needs('root', 'mount'),
  async () => {
    await using directory = await temporaryDirectory('full')
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory.path])
    try {
      await using store = createSqlMailStore({ dataDir: directory.path, clock: systemClock, logger: silentLogger })
      for (const account of [ALICE, BOB]) await store.create(account)
      const appendAll = (size: number) =>
        Promise.allSettled(
          Array.from({ length: 12 }, (_, i) =>
            store.append(i % 3 ? ALICE : BOB, 'INBOX', newMessage('x', { content: randomBytes(size) })),
          ),
        )
      const taken = { [ALICE]: 0, [BOB]: 0 }
      const refused: unknown[] = []
      for (let round = 0; round < 12; round++)
        for (const [i, one] of (await appendAll(round % 2 ? 30_000 : 150_000)).entries())
          if (one.status === 'fulfilled') taken[i % 3 ? ALICE : BOB]!++
          else refused.push(one.reason)
      assert.ok(refused.length > 0 && taken[ALICE]! > 0)
      assert.deepEqual(
        refused.filter((error) => !isDiskFull(error)),
        [],
      )
      for (const account of [ALICE, BOB]) {
        await using mail = await store.open(account, null)
        const inbox = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!.id
        const rows = await mail.list(inbox)
        assert.equal(rows.length, taken[account], 'nothing half done')
        for (const { uid } of rows) assert.ok(await mail.read(inbox, uid))
      }
      execFileSync('mount', ['-o', 'remount,size=40m', directory.path])
      for (const account of [ALICE, BOB]) {
        const { uid } = await store.append(account, 'INBOX', newMessage('room again'))
        assert.equal(uid, taken[account]! + 1)
      }
    } finally {
      execFileSync('umount', ['-l', directory.path])
    }
  },
)

test('files are closed when too many are open, and when idle', async () => {
  const clock = createFakeClock()
  await using made = await setUp({ clock, openAccounts: 1 })
  const isOpen = (account: string) =>
    stat(made.file(account, 'mail.db-wal')).then(
      () => true,
      () => false,
    )
  const closed = async (account: string) => {
    while (await isOpen(account)) await new Promise((resolve) => setImmediate(resolve))
  }
  await made.store.append(ALICE, 'INBOX', newMessage('x'))
  await made.store.append(BOB, 'INBOX', newMessage('x'))
  await closed(ALICE)
  assert.ok(await isOpen(BOB))
  await clock.advance(10 * 60_000)
  await closed(BOB)
  assert.equal((await made.store.append(ALICE, 'INBOX', newMessage('x'))).uid, 2)
})

test('what another process changed is told within seconds', async () => {
  const clock = createFakeClock()
  await using made = await setUp({ clock })
  await using other = made.make()
  await made.store.append(ALICE, 'INBOX', newMessage('before'))
  const heard = Promise.withResolvers<number>()
  using _listening = made.store.changes.subscribe(ALICE, heard.resolve)
  await using mail = await made.store.open(ALICE, null)
  const archive = (await mail.mailboxes()).find(({ name }) => name === 'Archive')!.id
  // The first look says from where on changes are news.
  await clock.advance(2000)
  await other.append(ALICE, 'Archive', newMessage('imported'))
  let told: number | null = null
  heard.promise.then((mailbox) => {
    told = mailbox
  })
  while (told === null) {
    await clock.advance(2000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(told, archive)
})

test('delivery keys are forgotten after two weeks', async () => {
  const clock = createFakeClock()
  await using made = await setUp({ clock })
  await made.store.append(ALICE, 'INBOX', newMessage('x', { deliveryKey: 'k' }))
  clock.set(clock.now() + 13 * 24 * HOUR)
  await made.store[Symbol.asyncDispose]()
  await using again = made.make()
  assert.equal((await again.append(ALICE, 'INBOX', newMessage('x', { deliveryKey: 'k' }))).uid, 1)
  await again[Symbol.asyncDispose]()
  clock.set(clock.now() + 2 * 24 * HOUR)
  await using later = made.make()
  assert.equal((await later.append(ALICE, 'INBOX', newMessage('x', { deliveryKey: 'k' }))).uid, 2)
})

test('an account made again after it was removed does not repeat its UIDVALIDITY', async () => {
  const clock = createFakeClock()
  await using made = await setUp({ clock })
  const validity = async () => {
    await using mail = await made.store.open(ALICE, null)
    return (await mail.mailboxes()).map(({ uidValidity }) => uidValidity)
  }
  const before = await validity()
  await made.store.remove(ALICE)
  assert.deepEqual(await readdir(made.directory.join('accounts')), [BOB])
  clock.set(clock.now() + 60_000)
  await made.store.create(ALICE)
  assert.ok(Math.min(...(await validity())) > Math.max(...before))
})

test('a name that is no account leads to no file', async () => {
  await using made = await setUp()
  for (const name of ['../x', 'a/b', '', '.', 'a\0b', 'x'.repeat(65)])
    await assert.rejects(made.store.create(name), NoSuchAccount)
})
