import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountMail, MessageRow, ReadMessage, Wanted } from '#custody/store/mail-store.ts'
import { decodeSummary, encodeSummary, summarize } from '#formats/message/summary.ts'
import type { SelectedMailbox } from '../selected.ts'
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
  const selected = {
    mail,
    id: 1,
    rows: async (uids: readonly number[]) => uids.map((uid) => rows[uid - 1]!),
  } as unknown as SelectedMailbox
  return { selected, reading, uids: rows.map(({ uid }) => uid) }
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
