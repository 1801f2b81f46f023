import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  dayOf,
  formatDate,
  formatImapDay,
  formatInternalDate,
  parseDate,
  parseImapDay,
  parseInternalDate,
  parseSentDate,
} from './date.ts'

const NOON = Date.UTC(2026, 10, 3, 12, 0, 0)

test('reads Date fields as they are found', () => {
  const texts = [
    'Tue, 3 Nov 2026 12:00:00 +0000',
    'Tue, 03 Nov 2026 13:00:00 +0100 (CET)',
    '3 Nov 2026 12:00 GMT',
    'tue,3 nov 2026 07:00:00 est',
    'Tue,  3 Nov 26 12:00:00',
    'Tuesday, 3 November 2026 12:00:00 Z',
    'Tue Nov  3 12:00:00 2026',
    '3-Nov-2026 12:00:00 -0000',
    'Tue, (week(day)) 3 Nov 2026 12:00:00 +0000',
  ]
  for (const text of texts) assert.equal(parseDate(text)?.time, NOON, text)
  assert.deepEqual(parseDate('Fri, 21 Nov 97 09:55:06 -0600'), {
    time: Date.UTC(1997, 10, 21, 15, 55, 6),
    offset: -360,
  })
})

test('a day without a time is midnight where messages are sorted by it', () => {
  const midnight = { time: Date.UTC(2026, 10, 3), offset: 0 }
  for (const text of ['3 Nov 2026', 'Tue, 3 Nov 2026', '3 Nov 2026 25:99 +0100', '3-Nov-2026'])
    assert.deepEqual(parseSentDate(text), midnight, text)
  assert.deepEqual(parseSentDate('3 Nov 2026 12:00 +0100'), parseDate('3 Nov 2026 12:00 +0100'))
  for (const text of ['', 'x', '31 Feb 2026', '3 Foo 2026 12:00', 'Nov 2026'])
    assert.equal(parseSentDate(text), null, text)
})

test('refuses what is no date', () => {
  const texts = [
    '',
    'x',
    '31 Feb 2026 12:00:00 +0000',
    '3 Nov 2026',
    '3 Foo 2026 12:00',
    '3 Nov 2026 25:00',
    '3 Nov 1 1:00',
  ]
  for (const text of [...texts, `3 Nov 2026 12:00 ${' '.repeat(300)}`]) assert.equal(parseDate(text), null, text)
  for (const text of ['1-Feb-94', '30-Feb-1994', '1 Feb 1994', '']) assert.equal(parseImapDay(text), null, text)
  for (const text of ['003-Nov-2026 12:00:00 +0000', '03-Nov-2026 12:00:00', ''])
    assert.equal(parseInternalDate(text), null)
})

test('writes INTERNALDATE with the width that RFC 3501 asks for', () => {
  assert.equal(formatInternalDate(NOON), ' 3-Nov-2026 12:00:00 +0000')
  assert.equal(parseInternalDate('17-Jul-1996 02:44:25 -0700'), Date.UTC(1996, 6, 17, 9, 44, 25))
  for (const day of [' 3', '3', '03']) assert.equal(parseInternalDate(`${day}-Nov-2026 12:00:00 +0000`), NOON)
})

test('a day is the day where the date was written', () => {
  assert.equal(dayOf(parseDate('Tue, 3 Nov 2026 01:00:00 +0300')!), parseImapDay('3-Nov-2026'))
  assert.equal(dayOf(parseDate('Tue, 3 Nov 2026 23:00:00 -0300')!), parseImapDay('3-Nov-2026'))
})

const second = fc.integer({ min: Date.UTC(1900, 0) / 1000, max: Date.UTC(9999, 11) / 1000 }).map((time) => time * 1000)

test('what is written is read as the same instant', () => {
  fc.assert(
    fc.property(second, fc.integer({ min: -14 * 60, max: 14 * 60 }), (time, offset) => {
      assert.deepEqual(parseDate(formatDate(time, offset)), { time, offset })
      assert.equal(parseInternalDate(formatInternalDate(time)), time)
      const day = dayOf({ time, offset })
      assert.equal(parseImapDay(formatImapDay(day)), day)
    }),
  )
})

test('any text is a date or not', () => {
  const pieces = fc.constantFrom('3', 'Nov', '2026', '12:00', '+0100', '(', ')', '-', ',', ' ', 'Tue', 'é', '\0')
  fc.assert(
    fc.property(fc.array(pieces), (words) => {
      const read = parseDate(words.join(' '))
      assert.ok(read === null || Number.isSafeInteger(read.time))
    }),
  )
})
