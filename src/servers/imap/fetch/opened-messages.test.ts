import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AccountMail, type MessageRow, MessageUnreadable } from '#custody/store/mail-store.ts'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { RecentMarks } from '../recent.ts'
import { SelectedMailbox } from '../selected.ts'
import { type Opened, openedMessages } from './opened-messages.ts'

const message = (uid: number) => Buffer.from(`Subject: ${uid}\r\n\r\nbody ${uid}\r\n`)

/** A mailbox with uids 1 to `count` that counts how many contents are being read at once. */
async function mailboxOf(count: number, broken: Readonly<Record<number, 'gone' | 'summary' | 'content'>>, size = 100) {
  const rows: MessageRow[] = Array.from({ length: count }, (_, index) => ({
    uid: index + 1,
    modseq: 1,
    internalDate: 0,
    flags: [],
    paddedSize: size,
  }))
  const reading = { now: 0, most: 0 }
  const mail = {
    status: async () => ({ uidValidity: 1, uidNext: count + 1, highestModseq: 1 }),
    list: async () => rows,
    async summaries(_: number, uids: readonly number[]) {
      if (uids.some((uid) => broken[uid] === 'summary')) throw new MessageUnreadable('damaged')
      return uids.map((uid) => (broken[uid] === 'gone' ? null : encodeSummary(summarize(message(uid)))))
    },
    async read(_: number, uid: number) {
      reading.most = Math.max(reading.most, ++reading.now)
      await new Promise(setImmediate)
      reading.now--
      if (broken[uid] === 'content') throw new MessageUnreadable('damaged')
      return broken[uid] === 'gone' ? null : message(uid)
    },
  } as unknown as AccountMail
  const selected = await SelectedMailbox.open({
    mail,
    account: 'a',
    changes: { subscribe: () => ({ [Symbol.dispose]() {} }) },
    recent: new RecentMarks(0),
    mailbox: 1,
    readOnly: true,
  })
  return { selected, reading, uids: rows.map(({ uid }) => uid) }
}

async function collect(groups: AsyncIterable<readonly Opened[]>): Promise<Opened[]> {
  const all: Opened[] = []
  for await (const group of groups) all.push(...group)
  return all
}

test('messages come in order, whole, a bounded number at a time', async () => {
  const { selected, reading, uids } = await mailboxOf(50, {})
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
  assert.ok(reading.most > 1 && reading.most <= 16, `${reading.most} at once`)
})

test('large messages are read few at a time', async () => {
  const { selected, reading, uids } = await mailboxOf(10, {}, 30_000_000)
  await collect(openedMessages(selected, uids, { summary: false, content: true }))
  assert.ok(reading.most <= 2, `${reading.most} at once`)
})

test('a damaged message or one that is gone takes no other along', async () => {
  const { selected, uids } = await mailboxOf(6, { 2: 'summary', 3: 'gone', 5: 'content' })
  const opened = await collect(openedMessages(selected, uids, { summary: true, content: true }))
  assert.deepEqual(
    opened.map((one) => one.kind),
    ['open', 'unreadable', 'gone', 'open', 'unreadable', 'open'],
  )
})

test('an error of the store ends it, and nothing is left unhandled', async () => {
  const { selected, uids } = await mailboxOf(30, {})
  let reads = 0
  selected.mail.read = async () => {
    if (++reads > 10) throw new Error('disk')
    return message(1)
  }
  await assert.rejects(collect(openedMessages(selected, uids, { summary: false, content: true })), /disk/)
})
