import assert from 'node:assert/strict'
import { test } from 'node:test'
import { address } from '../../../test/support/fake-mail.ts'
import { createAuthorDesk } from './author-desk.ts'
import type { Notice } from './notices.ts'

test('authors are told plainly, each thing under a key of its own, in lines that fit', async () => {
  const sent: Notice[] = []
  const desk = createAuthorDesk({ send: async (_, notice) => void sent.push(notice) })
  const mail = {
    account: 'anna',
    queueId: 'q1',
    recipient: address('bob@beta.test'),
    why: 'no certificate is published for this address',
    arrived: Date.UTC(2026, 10, 2, 12),
  }
  await desk.leftInClear(mail)
  await desk.keptForPickup(mail)
  await desk.pickupExpired({ ...mail, id: 'p1' })
  await desk.pickupExpired({ ...mail, id: 'p2', recipient: null })
  assert.deepEqual(
    sent.map(({ key }) => key),
    ['clear.q1.bob@beta.test', 'pickup.q1.bob@beta.test', 'pickup-expired.p1', 'pickup-expired.p2'],
  )
  const [clear, kept, expired, unknown] = sent.map(({ text }) => text)
  assert.match(clear!, /^Your message of 2026-11-02 12:00 UTC \(queue id q1\) waited/)
  assert.match(clear!, /without encryption/)
  assert.match(kept!, /The recipient has not been told/)
  assert.match(kept!.replaceAll('\n', ' '), /no page on which they could/)
  assert.match(expired!.replaceAll('\n', ' '), /to bob@beta\.test was kept here/)
  assert.doesNotMatch(unknown!, /null/)
  await desk.sentInClear({ ...mail, recipients: [mail, { ...mail, recipient: address('carl@beta.test') }] })
  const { key, subject, text: clearAtOnce } = sent.at(-1)!
  assert.deepEqual([key, subject], ['clear.q1', 'Sent without encryption to 2 recipients'])
  assert.match(clearAtOnce, /^bob@beta\.test: no certificate is published for this address\.$/m)
  assert.match(clearAtOnce, /^carl@beta\.test: /m)
  for (const { text } of sent) assert.ok(text.split('\n').every((line) => line.length <= 76))
})
