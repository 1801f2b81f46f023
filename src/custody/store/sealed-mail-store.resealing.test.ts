/** After a change of key: all old mail stays readable, and is brought under the new key while it is used. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { cp, readdir, rm } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { splitMessage } from '#formats/openpgp/unseal.ts'
import { systemClock } from '#lib/clock.ts'
import { isDiskFull } from '#lib/sqlite.ts'
import { createFakeLog } from '../../../test/support/fake-log.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { BlobFiles } from './blob-files.ts'
import { ChangingKeys } from './changing-keys.contract.ts'
import type { IndexedMailStore } from './indexed-mail-store.ts'
import { type AccountMail, KeysNeeded, type MailStore, MessageUnreadable, NoCertificate } from './mail-store.ts'
import { createMemoryMailStore } from './memory-mail-store.ts'
import { createSealedMailStore } from './sealed-mail-store.ts'
import { createSqlMailStore, type SqlMailStoreOptions } from './sql-mail-store.ts'
import { createStorePool } from './store-pool.ts'

const ACCOUNT = 'alice0000000000000000001'

interface Rig {
  readonly keys: ChangingKeys
  readonly inner: IndexedMailStore
  readonly store: MailStore
  readonly log: ReturnType<typeof createFakeLog>
}

async function rig(inner: IndexedMailStore): Promise<Rig> {
  const keys = new ChangingKeys()
  await keys.change()
  const log = createFakeLog()
  const store = createSealedMailStore(inner, { sealing: keys.sealing, logger: log, clock: systemClock })
  await store.create(ACCOUNT)
  return { keys, inner, store, log }
}

async function onDisk(options: Partial<SqlMailStoreOptions> = {}) {
  const directory = await temporaryDirectory('resealing')
  const open = (dataDir: string) =>
    createSqlMailStore({ dataDir, clock: systemClock, logger: createFakeLog(), ...options })
  const made = await rig(open(directory.path))
  const close = async () => {
    await made.store[Symbol.asyncDispose]()
    await directory[Symbol.asyncDispose]()
  }
  return { ...made, directory, open, [Symbol.asyncDispose]: close }
}

function message(text: string, size = 0) {
  const content = Buffer.concat([Buffer.from(`Subject: ${text}\r\n\r\n`), randomBytes(size)])
  return {
    content,
    summary: encodeSummary(summarize(content)),
    internalDate: 1_700_000_000_000,
    flags: ['\\Seen', text],
  }
}

/** Everything that a client sees, but the sizes on the disk. */
async function view(mail: AccountMail) {
  const seen: Record<string, unknown> = {}
  for (const { id, name } of await mail.mailboxes()) {
    const rows = await mail.list(id)
    const uids = rows.map(({ uid }) => uid)
    const { size, ...status } = await mail.status(id)
    assert.equal(
      size,
      rows.reduce((sum, row) => sum + row.paddedSize, 0),
    )
    const plain = rows.map(({ paddedSize, ...row }) => row)
    const contents = await Promise.all(
      uids.map(async (uid) => Buffer.from((await mail.read(id, uid))!).toString('hex')),
    )
    const summaries = (await mail.summaries(id, uids)).map((one) => one && Buffer.from(one).toString('hex'))
    seen[name] = { status, plain, contents, summaries }
  }
  return seen
}

const mailboxOf = async (mail: AccountMail, name: string) =>
  (await mail.mailboxes()).find((one) => one.name === name)!.id

/** Mail of all kinds: small and large, in the index and waiting, copied, moved, in a draft. */
async function fill({ store, keys }: Pick<Rig, 'store' | 'keys'>): Promise<void> {
  for (let i = 0; i < 12; i++) await store.append(ACCOUNT, 'INBOX', message(`m${i}`, i % 4 === 0 ? 150_000 : i * 300))
  await using mail = await store.open(ACCOUNT, keys.reading())
  const [inbox, archive] = [await mailboxOf(mail, 'INBOX'), await mailboxOf(mail, 'Archive')]
  await mail.append(await mailboxOf(mail, 'Drafts'), message('draft'))
  await mail.copy(inbox, [1, 2, 3, 5], archive)
  await mail.copy(archive, [1, 2], archive)
  await mail.move(inbox, [2, 7], archive)
  await mail.summaries(inbox, [1, 3, 5])
}

const directory = await temporaryDirectory('resealing')
const sql = createSqlMailStore({ dataDir: directory.path, clock: systemClock, logger: createFakeLog() })
after(async () => {
  await sql[Symbol.asyncDispose]()
  await directory[Symbol.asyncDispose]()
})

for (const [name, make] of [
  ['memory', async () => createMemoryMailStore()],
  ['SQL', () => sql.remove(ACCOUNT).then(() => sql)],
] as const)
  describe(`re-sealing over ${name}`, () => {
    for (const algorithm of ['curve25519', 'v6-curve25519'] as const)
      test(`brings all mail under the new ${algorithm} key, and nobody sees it`, async () => {
        const made = await rig(await make())
        const { keys, store, inner, log } = made
        await fill(made)
        await keys.change(algorithm)
        await store.append(ACCOUNT, 'INBOX', message('new'))
        const session = await store.open(ACCOUNT, keys.reading())
        const before = await view(session)
        const all = (await session.coverage()).contents
        assert.deepEqual(await session.coverage(), {
          contents: all,
          current: 1,
          waiting: all - 1,
          unreadable: 0,
          state: 'off',
        })
        await session.resealing('running')
        const some = await session.reseal(3)
        assert.deepEqual([some.current, some.waiting, some.state], [4, all - 4, 'running'])
        assert.deepEqual(await view(session), before)
        const done = await session.reseal(1000)
        assert.deepEqual(done, { contents: all, current: all, waiting: 0, unreadable: 0, state: 'off' })
        assert.deepEqual(await view(session), before)
        await session[Symbol.asyncDispose]()
        // The new keys alone are enough, without a public-key operation: the records went along.
        const alone = keys.reading(1)
        await using later = await store.open(ACCOUNT, alone)
        assert.deepEqual(await view(later), before)
        assert.deepEqual([alone.operations, log.lines], [0, []])
        const raw = await inner.open(ACCOUNT, null)
        const sum = (await raw.contents.sealedTo(keys.fingerprint, 1000)).reduce((octets, one) => octets + one.size, 0)
        const messages = Object.values(before).reduce<number>((n, one) => n + (one as { plain: [] }).plain.length, 0)
        assert.equal((await store.quota(ACCOUNT)).used, sum + messages * 1024)
      })

    test('what was sealed before anybody wrote down to what is found out', async () => {
      const { keys, inner, store } = await rig(await make())
      const mail = await inner.open(ACCOUNT, null)
      const raw = createSealedMailStore(
        {
          ...inner,
          append: (account, mailbox, { sealedTo, ...plain }) => inner.append(account, mailbox, plain),
        } as IndexedMailStore,
        { sealing: keys.sealing, logger: createFakeLog(), clock: systemClock },
      )
      await raw.append(ACCOUNT, 'INBOX', message('old'))
      await keys.change()
      const { mailbox } = await raw.append(ACCOUNT, 'INBOX', message('new'))
      assert.deepEqual(
        await mail.contents
          .tally()
          .then((all) => all.map((one) => one.sealedTo))
          .then((all) => [...new Set(all)]),
        [null],
      )
      const before = await mail.read(mailbox, 2)
      await using session = await store.open(ACCOUNT, keys.reading())
      assert.equal((await session.coverage()).waiting, 2)
      assert.equal((await session.reseal(10)).current, 2)
      assert.deepEqual(await mail.read(mailbox, 2), before, 'this one was current already')
      assert.equal(splitMessage((await mail.read(mailbox, 1))!).pkesks.length, 1)
      assert.match(Buffer.from((await session.read(mailbox, 1))!).toString(), /old/)
    })

    test('what no key opens is counted, left alone, and tried again when it is started again', async () => {
      const { keys, store, inner } = await rig(await make())
      const { mailbox } = await store.append(ACCOUNT, 'INBOX', message('lost'))
      await keys.change()
      await store.append(ACCOUNT, 'INBOX', message('mine'))
      {
        await using session = await store.open(ACCOUNT, keys.reading(1))
        await session.resealing('running')
        const coverage = { contents: 2, current: 1, waiting: 0, unreadable: 1, state: 'off' }
        assert.deepEqual(await session.reseal(10), coverage)
        assert.deepEqual(await session.reseal(10), coverage)
        await assert.rejects(session.read(mailbox, 1), MessageUnreadable)
      }
      await using relinked = await store.open(ACCOUNT, keys.reading())
      await relinked.resealing('running')
      assert.equal((await relinked.coverage()).waiting, 1)
      assert.equal((await relinked.reseal(10)).current, 2)
      assert.match(Buffer.from((await relinked.read(mailbox, 1))!).toString(), /lost/)
      const raw = await inner.open(ACCOUNT, null)
      assert.equal(
        (await raw.contents.tally()).every(({ unreadable }) => !unreadable),
        true,
      )
    })

    test('it needs keys and a certificate', async () => {
      const { keys, store, inner } = await rig(await make())
      await store.append(ACCOUNT, 'INBOX', message('one'))
      await using locked = await store.open(ACCOUNT, null)
      await assert.rejects(locked.reseal(1), KeysNeeded)
      const none = async () => ({ certificate: null, device: null })
      const bare = createSealedMailStore(inner, { sealing: none, logger: createFakeLog(), clock: systemClock })
      await using session = await bare.open(ACCOUNT, keys.reading())
      await assert.rejects(session.reseal(1), NoCertificate)
      assert.deepEqual(await session.coverage(), { contents: 1, current: 0, waiting: 1, unreadable: 0, state: 'off' })
      await assert.rejects(bare.append(ACCOUNT, 'INBOX', message('two')), NoCertificate)
    })
  })

test('who reads meanwhile never hears of it', async () => {
  await using made = await onDisk()
  const { keys, store, log } = made
  await fill(made)
  for (let round = 0; round < 2; round++) {
    await keys.change()
    await using reader = await store.open(ACCOUNT, keys.reading())
    const before = await view(reader)
    await using session = await store.open(ACCOUNT, keys.reading())
    let running = true
    const resealed = session.reseal(1000).finally(() => {
      running = false
    })
    for (let reads = 0; running || reads === 0; reads++) {
      assert.deepEqual(await view(reader), before)
      // Who reads asks from outside: what is read from memory and small files alone would leave no turn to others.
      await nextTurn()
    }
    assert.equal((await resealed).waiting, 0)
  }
  assert.deepEqual(log.lines, [])
})

test('two at it at once, in two processes, do it once', async () => {
  await using made = await onDisk()
  const { keys, store, directory } = made
  await fill(made)
  await keys.change()
  await using reader = await store.open(ACCOUNT, keys.reading())
  const before = await view(reader)
  const { used } = await store.quota(ACCOUNT)
  const { path: dataDir } = directory
  const log = createFakeLog()
  // A thread of its own waits for locks as a process of its own does.
  await using other = createStorePool({ dataDir, workers: 1, sealing: keys.sealing, clock: systemClock, logger: log })
  await using one = await store.open(ACCOUNT, keys.reading())
  await using two = await other.open(ACCOUNT, keys.reading())
  const done = await Promise.all([one, two].map((mail) => mail.reseal(1000)))
  assert.ok(done.some(({ waiting }) => waiting === 0))
  assert.deepEqual(await view(reader), before)
  assert.equal((await store.quota(ACCOUNT)).used, used)
  assert.equal((await readdir(directory.join('accounts', ACCOUNT, 'blobs'))).length, 3)
})

test('cut short at any moment, every message is the old one or the new one, whole', async () => {
  const copies: string[] = []
  let snapshot = async () => {}
  await using made = await onDisk({
    async sync(wal) {
      await snapshot()
      await wal.datasync()
    },
  })
  const { keys, store, directory, open } = made
  for (const size of [0, 150_000, 400]) await store.append(ACCOUNT, 'INBOX', message(`of-${size}`, size))
  let before: unknown
  {
    await using mail = await store.open(ACCOUNT, keys.reading())
    await mail.copy(await mailboxOf(mail, 'INBOX'), [1, 2], await mailboxOf(mail, 'Archive'))
    before = await view(mail)
  }
  await keys.change()
  const mail = await store.open(ACCOUNT, keys.reading())
  await nextTurn()
  snapshot = async () => {
    const to = directory.join(`copy ${copies.length}`)
    copies.push(to)
    await cp(directory.join('accounts'), `${to}/accounts`, { recursive: true })
  }
  const { write, remove } = BlobFiles.prototype
  try {
    BlobFiles.prototype.write = async function (octets) {
      const name = await write.call(this, octets)
      await snapshot()
      return name
    }
    BlobFiles.prototype.remove = async function (names) {
      await snapshot()
      await remove.call(this, names)
      await snapshot()
    }
    await snapshot()
    for (let waiting = 1; waiting > 0; ) ({ waiting } = await mail.reseal(1))
  } finally {
    Object.assign(BlobFiles.prototype, { write, remove })
  }
  await mail[Symbol.asyncDispose]()
  assert.ok(copies.length >= 6, `${copies.length} moments`)
  const current = new Set<number>()
  for (const copy of copies) {
    await using cut = createSealedMailStore(open(copy), {
      sealing: keys.sealing,
      logger: createFakeLog(),
      clock: systemClock,
    })
    await using session = await cut.open(ACCOUNT, keys.reading())
    assert.deepEqual(await view(session), before)
    current.add((await session.coverage()).current)
    assert.equal((await session.reseal(10)).current, 3, 'and it goes on from there')
    assert.deepEqual(await view(session), before)
  }
  assert.deepEqual([...current].sort(), [0, 1, 2, 3])
})

test('a disk that is full stops it, nothing is lost, and it goes on when there is room', async () => {
  let full = false
  await using made = await onDisk({
    sync: async (wal) => {
      if (full) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
      await wal.datasync()
    },
  })
  const { keys, store } = made
  await fill(made)
  await using session = await store.open(ACCOUNT, keys.reading())
  const before = await view(session)
  await keys.change()
  await session.resealing('running')
  full = true
  await assert.rejects(session.reseal(1000), isDiskFull)
  full = false
  assert.deepEqual(await view(session), before)
  assert.equal((await session.reseal(1000)).waiting, 0)
  assert.deepEqual(await view(session), before)
})

test('a full quota does not stop it', async () => {
  await using made = await onDisk()
  const { keys, store } = made
  await fill(made)
  await store.setQuota(ACCOUNT, (await store.quota(ACCOUNT)).used)
  await keys.change('v6-curve25519')
  await using session = await store.open(ACCOUNT, keys.reading())
  assert.equal((await session.reseal(1000)).waiting, 0)
})

test('a content that is missing makes its message unreadable, and is counted so', async () => {
  await using made = await onDisk()
  const { keys, store, inner, directory } = made
  for (const name of ['one', 'two']) await store.append(ACCOUNT, 'INBOX', message(name, 150_000))
  const { mailbox, uid } = await store.append(ACCOUNT, 'INBOX', message('three'))
  const [blob] = await readdir(directory.join('accounts', ACCOUNT, 'blobs'))
  await rm(directory.join('accounts', ACCOUNT, 'blobs', blob!))
  const database = new DatabaseSync(directory.join('accounts', ACCOUNT, 'mail.db'))
  database.exec('delete from content where content_id = 3')
  database.close()
  await keys.change()
  await using raw = await inner.open(ACCOUNT, null)
  await using session = await store.open(ACCOUNT, keys.reading())
  for (const mail of [raw, session]) await assert.rejects(mail.read(mailbox, uid), MessageUnreadable)
  const { contents, current, unreadable } = await session.reseal(100)
  assert.deepEqual([contents, current, unreadable], [2, 1, 1])
})
