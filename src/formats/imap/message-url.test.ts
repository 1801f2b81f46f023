import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseMessageUrl } from './message-url.ts'

const WHOLE = { part: [], text: null }

test('URLs of messages and their parts', () => {
  // The first and the second are of the examples of RFC 4469.
  assert.deepEqual(parseMessageUrl('/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER'), {
    mailbox: 'Drafts',
    uidValidity: 385759045,
    uid: 20,
    section: { part: [], text: { kind: 'header' } },
    partial: null,
  })
  assert.deepEqual(parseMessageUrl('/Drafts;UIDVALIDITY=385759045/;UID=30/;section=1.2.MIME')?.section, {
    part: [1, 2],
    text: { kind: 'mime' },
  })
  assert.deepEqual(parseMessageUrl('/inbox/;uid=7'), {
    mailbox: 'INBOX',
    uidValidity: null,
    uid: 7,
    section: WHOLE,
    partial: null,
  })
  assert.deepEqual(parseMessageUrl(';UID=1/;PARTIAL=5.10')?.partial, { start: 5, length: 10 })
  assert.equal(parseMessageUrl('/R%C3%A9sum%C3%A9s/2026;UID=1')?.mailbox, 'R\u00e9sum\u00e9s/2026')
  const fields = parseMessageUrl('/a/;UID=1/;SECTION=HEADER.FIELDS%20(Subject%20To)')?.section.text
  assert.deepEqual(fields, { kind: 'fields', names: ['Subject', 'To'], not: false })
})

test('what is none', () => {
  for (const url of [
    'imap://other.test/INBOX;UID=1',
    '//other.test/INBOX;UID=1',
    '/INBOX',
    '/INBOX;UID=0',
    '/INBOX;UID=4294967296',
    '/INBOX;UID=1;UIDVALIDITY=x',
    '/INBOX;UID=1/;SECTION=1]',
    '/INBOX;UID=1/;SECTION=NONSENSE',
    '/INBOX;UID=1/;PARTIAL=1.0',
    '/INBOX;UID=1;URLAUTH=anonymous:INTERNAL:ff',
    '/%ff;UID=1',
    '',
  ])
    assert.equal(parseMessageUrl(url), null, url)
})

test('any text is a URL or none', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'/;=%.[]{}"(a1UIDSECTO ') }), (url) => {
      const parsed = parseMessageUrl(url)
      assert.ok(parsed === null || parsed.uid > 0)
    }),
  )
})
