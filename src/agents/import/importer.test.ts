import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { test } from 'node:test'
import { MailboxRefused, type MailStore } from '#custody/store/mail-store.ts'
import { ACCOUNT, importHouse, message, sourceOf } from '../../../test/support/import-house.ts'
import { SourceFailed } from './import.ts'

const many = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => message(`A: ${from + i}\r\n\r\nbody\r\n`))

test('messages keep octets, flags, dates and order; repeated, nothing comes twice', async () => {
  await using house = await importHouse()
  const inbox = [
    message('A: 1\r\n\r\nx', ['\\Seen', 'work'], 1_600_000_000_000),
    message(`L: ${'x'.repeat(200_000)}`),
    ...many(200),
  ]
  const source = () => sourceOf({ INBOX: inbox, 'Work/Sub': [message('A: 1\r\n\r\nx')] })
  const first = await house.take(source())
  assert.deepEqual([first.imported, first.duplicates, first.failed, first.end.kind], [203, 0, 0, 'complete'])
  const kept = await house.kept()
  assert.deepEqual(
    kept.filter((one) => one.mailbox === 'INBOX').map((one) => one.content),
    inbox.map((one) => one.content.toString('latin1')),
  )
  assert.deepEqual(kept[0], {
    mailbox: 'INBOX',
    content: 'A: 1\r\n\r\nx',
    flags: ['\\Seen', 'work'],
    internalDate: 1_600_000_000_000,
  })
  assert.deepEqual(kept.at(-1)!.mailbox, 'Work/Sub')
  const second = await house.take(source())
  assert.deepEqual([second.imported, second.duplicates], [0, 203])
  assert.deepEqual(await house.kept(), kept)
})

test('the same octets twice in one mailbox are one message', async () => {
  await using house = await importHouse()
  const result = await house.take(
    sourceOf({ INBOX: [message('A: 1'), message('A: 1'), message('A: 2'), message('A: 1')] }),
  )
  assert.deepEqual([result.imported, result.duplicates], [2, 2])
})

test('a view brings only what no mailbox has', async () => {
  await using house = await importHouse()
  await house.take(sourceOf({ INBOX: [message('A: 1'), message('A: 2')] }))
  const all = sourceOf({ All: [message('A: 1'), message('A: 3')] }, { isView: true, specialUse: 'Archive' })
  const result = await house.take(all)
  assert.deepEqual([result.imported, result.duplicates], [1, 1])
  assert.deepEqual(
    (await house.kept()).filter((one) => one.mailbox === 'Archive').map((one) => one.content),
    ['A: 3'],
  )
})

test('after a crash between the append and the ledger the delivery key knows the message', async () => {
  await using house = await importHouse()
  await house.take(sourceOf({ INBOX: many(10) }))
  for (const end of ['', '-wal', '-shm']) await rm(`${house.ledger}${end}`, { force: true })
  await house.take(sourceOf({ INBOX: many(12) }))
  assert.equal((await house.kept()).length, 12)
})

test('a full mailbox ends it; with more room it goes on', async () => {
  await using house = await importHouse()
  await house.store.setQuota(ACCOUNT, 60_000)
  const source = () => sourceOf({ INBOX: many(100) })
  const first = await house.take(source())
  assert.equal(first.end.kind, 'over-quota')
  assert.ok(first.imported > 10 && first.imported < 100)
  assert.equal(first.failed, 0)
  assert.equal((await house.kept()).length, first.imported)
  await house.store.setQuota(ACCOUNT, null)
  const second = await house.take(source())
  assert.deepEqual(
    [second.end.kind, second.imported, second.duplicates],
    ['complete', 100 - first.imported, first.imported],
  )
})

test('a full disk ends it in the same way', async () => {
  let room = 5
  const failing = (store: MailStore): MailStore =>
    new Proxy(store, {
      get: (target, name) =>
        name !== 'open'
          ? Reflect.get(target, name).bind?.(target)
          : async (...args: Parameters<MailStore['open']>) => {
              const mail = await target.open(...args)
              const append = mail.append.bind(mail)
              mail.append = async (...given) => {
                if (room-- <= 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
                return append(...given)
              }
              return mail
            },
    })
  await using house = await importHouse(failing)
  const result = await house.take(sourceOf({ INBOX: many(50) }))
  assert.deepEqual([result.end.kind, result.imported, result.failed], ['disk-full', 5, 0])
  room = 1000
  assert.deepEqual((await house.take(sourceOf({ INBOX: many(50) }))).imported, 45)
})

test('what cannot be kept is named, and the rest goes on', async () => {
  await using house = await importHouse((store) => store)
  const source = sourceOf({
    INBOX: [
      message(''),
      { kind: 'unreadable', name: 'b', why: 'it is broken' },
      { ...message('A: nul \0 and more'), flags: ['bad flag', '\\Recent', 'ok'] },
      message('A: no date', [], null),
      message('A: far date', [], 9e15),
    ],
  })
  const result = await house.take(source)
  assert.deepEqual([result.imported, result.failed, result.end.kind], [3, 2, 'complete'])
  assert.deepEqual(result.failures, [
    { mailbox: 'INBOX', message: '', why: 'it is empty' },
    { mailbox: 'INBOX', message: 'b', why: 'it is broken' },
  ])
  const [nul, none, far] = await house.kept()
  assert.deepEqual(nul, {
    mailbox: 'INBOX',
    content: 'A: nul \0 and more',
    flags: ['ok'],
    internalDate: 1_700_000_000_000,
  })
  for (const kept of [none, far]) assert.ok(kept!.internalDate > 1_700_000_000_000 && kept!.internalDate < 9e12)
})

test('a mailbox that the store refuses is named once', async () => {
  const refusing = (store: MailStore): MailStore => ({
    ...store,
    open: async (...args) => {
      const mail = await store.open(...args)
      mail.createMailbox = async () => {
        throw new MailboxRefused('too many mailboxes')
      }
      return mail
    },
  })
  await using house = await importHouse(refusing)
  const result = await house.take(sourceOf({ New: many(3), INBOX: many(2) }))
  assert.deepEqual(result.failures, [{ mailbox: 'New', message: null, why: 'too many mailboxes' }])
  assert.equal(result.imported, 2)
})

test('a trial stores nothing and makes no mailbox', async () => {
  await using house = await importHouse()
  const result = await house.take(sourceOf({ New: [...many(5), ...many(2)] }), { dryRun: true })
  assert.deepEqual([result.imported, result.duplicates], [5, 2])
  assert.deepEqual(await house.kept(), [])
  await using mail = await house.store.open(ACCOUNT, null)
  assert.ok(!(await mail.mailboxes()).some(({ name }) => name === 'New'))
})

test('interrupted, it finishes what is under way and can be continued', async () => {
  await using house = await importHouse()
  const controller = new AbortController()
  const progress = ({ looked }: { looked: number }) => {
    if (looked === 30) controller.abort()
  }
  const first = await house.take(sourceOf({ INBOX: many(100) }), { signal: controller.signal, progress })
  assert.deepEqual([first.end.kind, first.imported], ['interrupted', 30])
  assert.equal((await house.kept()).length, 30)
  const second = await house.take(sourceOf({ INBOX: many(100) }))
  assert.deepEqual([second.imported, second.duplicates], [70, 30])
})

test('a source that fails halfway leaves what it gave', async () => {
  await using house = await importHouse()
  const source = sourceOf({})
  source.mailboxes = async function* () {
    yield* sourceOf({ INBOX: many(7) }).mailboxes()
    throw new SourceFailed('the far side is gone')
  }
  const result = await house.take(source)
  assert.deepEqual([result.imported, result.end], [7, { kind: 'source-failed', why: 'the far side is gone' }])
})
