import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountMail, MessageRow, ReadMessage, Wanted } from '#custody/store/mail-store.ts'
import { decodeSummary, encodeSummary, summarize } from '#formats/message/summary.ts'
import { MemoryShares } from '../memory-shares.ts'
import type { SelectedMailbox } from '../selected.ts'
import { LargeContents } from './large-contents.ts'
import { type Opened, openedMessages } from './opened-messages.ts'

const message = (uid: number) => Buffer.from(`Subject: ${uid}\r\n\r\nbody ${uid}\r\n`)

/** A mailbox with uids 1 to `count` that counts how many contents are being read at once. */
async function mailboxOf(count: number, broken: Readonly<Record<number, 'gone' | 'damaged'>>, size = 100) {
  const rows: MessageRow[] = Array.from({ length: count }, (_, index) => ({
    uid: index + 1,
    modseq: 1,
    internalDate: 0,
    flags: [],
    paddedSize: size,
  }))
  const reading = { now: 0, most: 0 }
  const mail = {
    async messages(_: number, uids: readonly number[], wanted: Wanted): Promise<(ReadMessage | null)[]> {
      reading.now += wanted.content ? uids.length : 0
      reading.most = Math.max(reading.most, reading.now)
      await new Promise(setImmediate)
      reading.now -= wanted.content ? uids.length : 0
      return uids.map((uid) => {
        if (broken[uid] === 'gone') return null
        const isBroken = broken[uid] !== undefined && (wanted.summary || wanted.content)
        return {
          uid,
          row: wanted.row ? rows[uid - 1]! : null,
          summary: wanted.summary && !isBroken ? encodeSummary(summarize(message(uid))) : null,
          content: wanted.content && !isBroken ? message(uid) : null,
          unreadable: isBroken ? 'damaged' : null,
        }
      })
    },
  } as unknown as AccountMail
  const shares = new MemoryShares(100_000_000)
  const selected = {
    mail,
    id: 1,
    contents: new LargeContents(shares, 'alice', 50_000_000),
    rows: async (uids: readonly number[]) => uids.map((uid) => rows[uid - 1]!),
  } as unknown as SelectedMailbox
  return { selected, shares, reading, uids: rows.map(({ uid }) => uid) }
}

async function collect(groups: AsyncIterable<readonly Opened[]>): Promise<Opened[]> {
  const all: Opened[] = []
  for await (const group of groups) all.push(...group)
  return all
}

test('messages come in order, whole, a bounded number at a time', async () => {
  const { selected, reading, uids } = await mailboxOf(300, {})
  const opened = await collect(openedMessages(selected, uids, { summary: true, content: true }))
  assert.deepEqual(
    opened.map((one) => one.uid),
    uids,
  )
  for (const one of opened) {
    assert.ok(one.kind === 'open')
    assert.deepEqual(one.content, message(one.uid))
    assert.equal(one.summary?.root.envelope?.subject, String(one.uid))
  }
  assert.ok(reading.most > 64 && reading.most <= 128, `${reading.most} at once`)
})

test('large messages are read few at a time', async () => {
  const { selected, reading, uids } = await mailboxOf(10, {}, 30_000_000)
  await collect(openedMessages(selected, uids, { summary: false, content: true }))
  assert.ok(reading.most <= 2, `${reading.most} at once`)
})

test('a damaged message or one that is gone takes no other along', async () => {
  const { selected, uids } = await mailboxOf(6, { 2: 'damaged', 3: 'gone', 5: 'damaged' })
  const opened = await collect(openedMessages(selected, uids, { summary: true, content: true }))
  assert.deepEqual(
    opened.map((one) => one.kind),
    ['open', 'unreadable', 'gone', 'open', 'unreadable', 'open'],
  )
})

test('an error of the store ends it, and nothing is left unhandled', async () => {
  const { selected, uids } = await mailboxOf(300, {})
  const { messages } = selected.mail
  let asked = 0
  selected.mail.messages = async (...question) => {
    if (++asked > 2) throw new Error('disk')
    return messages(...question)
  }
  await assert.rejects(collect(openedMessages(selected, uids, { summary: false, content: true })), /disk/)
})

test('what old summaries lack comes from the content, which is not kept', async () => {
  const { selected, uids } = await mailboxOf(5, { 4: 'damaged' })
  const { messages } = selected.mail
  selected.mail.messages = async (mailbox, of, wanted) =>
    (await messages(mailbox, of, wanted)).map(
      (one) =>
        one && { ...one, summary: one.summary && encodeSummary({ ...decodeSummary(one.summary), preview: null }) },
    )
  const opened = await collect(openedMessages(selected, uids, { summary: true, content: 'preview' }))
  assert.deepEqual(
    opened.map((one) => (one.kind === 'open' ? [one.summary?.preview, one.content] : one.kind)),
    [['body 1', null], ['body 2', null], ['body 3', null], 'unreadable', ['body 5', null]],
  )
})

test('summaries of messages with thousands of parts are read few at a time', async () => {
  const { selected, uids } = await mailboxOf(200, {})
  const { messages } = selected.mail
  const asked: number[] = []
  const large = Buffer.concat([encodeSummary(summarize(message(1))), Buffer.alloc(100_000)])
  selected.mail.messages = async (mailbox, of, wanted) => {
    asked.push(of.length)
    return (await messages(mailbox, of, wanted)).map((one) => one && { ...one, summary: large })
  }
  const opened = await collect(openedMessages(selected, uids, { summary: true, content: false }))
  assert.equal(opened.length, 200)
  // The first two are on their way before the size of one is known.
  assert.ok(
    asked.slice(2).every((count) => count <= 11),
    asked.join(),
  )
})

test('large contents are in memory as many as the account may have, for all of its readers', async () => {
  const { selected, shares } = await mailboxOf(3, {}, 40_000_000)
  const { messages } = selected.mail
  let most = 0
  let now = 0
  selected.mail.messages = async (...question) => {
    most = Math.max(most, ++now)
    return (await messages(...question)).map((one) => one && { ...one, content: Buffer.allocUnsafeSlow(40_000_000) })
  }
  const readAll = async (uids: readonly number[]) => {
    for await (const group of openedMessages(selected, uids, { summary: false, content: true })) {
      await new Promise(setImmediate)
      now -= group.length
    }
  }
  await Promise.all([readAll([1, 2, 3]), readAll([1]), readAll([2]), readAll([2, 3]), readAll([3])])
  assert.equal(most, 2)
  // Whoever stops in the middle gives back what was read for it.
  for await (const _ of openedMessages(selected, [1, 2, 3], { summary: false, content: true })) break
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  assert.ok(shares.take('alice', 100_000_000))
})

test('small contents wait for nobody', async () => {
  const { selected, shares } = await mailboxOf(3, {})
  assert.ok(shares.take('alice', 100_000_000))
  const some = await collect(openedMessages(selected, [1], { summary: false, content: true }))
  const all = await collect(openedMessages(selected, [1, 2, 3], { summary: false, content: true }))
  assert.equal(some.length + all.length, 4)
})
