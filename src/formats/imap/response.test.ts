import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  formatChangedMetadata,
  formatList,
  formatMetadata,
  formatQuota,
  formatQuotaRoot,
  formatStatus,
} from './mailbox-response.ts'
import { formatEsearch, formatNumbers } from './search-response.ts'
import { formatBinaryContent, formatBinarySection } from './writer.ts'

const NOTHING = { uid: false, min: null, max: null, count: null, all: null, partial: null, modseq: null }

test('ESEARCH as RFC 4731, RFC 7162 and RFC 9394 write it', () => {
  const found = [
    { first: 2, last: 2 },
    { first: 10, last: 11 },
  ]
  assert.equal(
    formatEsearch({ ...NOTHING, tag: 'A282', min: 2, count: 3, modseq: 917162500 }),
    'ESEARCH (TAG "A282") MIN 2 COUNT 3 MODSEQ 917162500',
  )
  assert.equal(formatEsearch({ ...NOTHING, tag: 'A283', all: found }), 'ESEARCH (TAG "A283") ALL 2,10:11')
  assert.equal(formatEsearch({ ...NOTHING, tag: 'A283', all: [] }), 'ESEARCH (TAG "A283")')
  const range = { first: -1, last: -100 }
  assert.equal(
    formatEsearch({ ...NOTHING, tag: 'A01', uid: true, partial: { range, found } }),
    'ESEARCH (TAG "A01") UID PARTIAL (-1:-100 2,10:11)',
  )
  assert.equal(
    formatEsearch({ ...NOTHING, tag: 'A04', uid: true, partial: { range: { first: 24000, last: 24500 }, found: [] } }),
    'ESEARCH (TAG "A04") UID PARTIAL (24000:24500 NIL)',
  )
})

test('SEARCH and SORT', () => {
  assert.equal(formatNumbers('SEARCH', [2, 84, 882], null), 'SEARCH 2 84 882')
  assert.equal(formatNumbers('SEARCH', [2, 5], 917162500), 'SEARCH 2 5 (MODSEQ 917162500)')
  assert.equal(formatNumbers('SORT', [], 7), 'SORT')
})

test('what is told of mailboxes', () => {
  assert.equal(
    formatList({
      attributes: ['\\Subscribed'],
      delimiter: '/',
      name: '"a"',
      childInfo: ['SUBSCRIBED'],
      oldName: '"b"',
    }),
    'LIST (\\Subscribed) "/" "a" ("CHILDINFO" ("SUBSCRIBED") "OLDNAME" ("b"))',
  )
  assert.equal(formatList({ attributes: [], delimiter: '/', name: '"a"' }), 'LIST () "/" "a"')
  assert.equal(
    formatStatus('"a"', [
      ['MESSAGES', 231],
      ['MAILBOXID', '(F1)'],
    ]),
    'STATUS "a" (MESSAGES 231 MAILBOXID (F1))',
  )
  assert.equal(formatQuota('', [['STORAGE', 10, 512]]), 'QUOTA "" (STORAGE 10 512)')
  assert.equal(formatQuota('x', []), 'QUOTA "x" ()')
  assert.equal(formatQuotaRoot('"INBOX"', ['']), 'QUOTAROOT "INBOX" ""')
  const value = Buffer.from('a\0')
  assert.deepEqual(
    formatMetadata('"x"', [
      ['/private/a', value],
      ['/private/b', null],
      ['/private/c', Buffer.from('"')],
    ]),
    ['METADATA "x" (', '/private/a ', '~{2}\r\n', value, ' /private/b ', 'NIL', ' /private/c ', '"\\""', ')'],
  )
  assert.equal(formatChangedMetadata('""', ['/shared/a', '/shared/b']), 'METADATA "" /shared/a /shared/b')
})

test('BINARY needs literal8 only for NUL', () => {
  assert.equal(formatBinarySection([1, 2], { start: 5, length: 9 }), 'BINARY[1.2]<5>')
  assert.equal(formatBinaryContent(Buffer.from('a'))[0], '{1}\r\n')
  assert.equal(formatBinaryContent(Buffer.from('\0'))[0], '~{1}\r\n')
  assert.deepEqual(formatBinaryContent(null), ['NIL'])
})
