import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dialog } from '../support/dialog.ts'
import { ALICE, type ImapFixture, startImap } from '../support/imap-server.ts'

const letter = (fields: Readonly<Record<string, string>>, body = 'x') =>
  `${Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n${body}\r\n`

const LETTERS = [
  letter({
    Date: 'Tue, 3 Nov 2026 10:00:00 +0100',
    From: 'Zoe <bob@x.test>',
    To: 'carol@x.test',
    Cc: 'q@x.test',
    Subject: 'Re: Beta',
  }),
  letter(
    { Date: 'Tue, 3 Nov 2026 09:30:00 +0000', From: 'alice@x.test', To: 'Dora <dora@x.test>', Subject: 'alpha' },
    'long',
  ),
  letter(
    { From: '=?utf-8?q?=C3=84nne?= <anne@x.test>', To: 'bob@x.test', Cc: 'a@x.test', Subject: '[list] beta' },
    'longer than',
  ),
  letter({ Date: 'no date at all', Subject: '' }, ''),
]
const ARRIVED = [Date.UTC(2026, 10, 4), Date.UTC(2026, 10, 3), Date.UTC(2026, 10, 5), Date.UTC(2026, 10, 1)]

async function mailbox(): Promise<{ imap: ImapFixture; talk: Dialog }> {
  const imap = await startImap()
  for (const [index, message] of LETTERS.entries())
    await imap.desk.deliver(ALICE, message, { internalDate: ARRIVED[index]!, flags: index === 3 ? ['\\Seen'] : [] })
  const talk = await imap.login()
  await talk.play('C: s SELECT INBOX\nS: ...\nS: s OK …')
  return { imap, talk }
}

test('every field, either way, and the order of the mailbox where fields are equal', async () => {
  const { imap, talk } = await mailbox()
  await using _imap = imap
  await using _talk = talk
  const expected: Readonly<Record<string, string>> = {
    '(ARRIVAL)': '4 2 1 3',
    '(REVERSE ARRIVAL)': '3 1 2 4',
    '(DATE)': '4 1 2 3',
    '(REVERSE DATE)': '3 2 1 4',
    '(SUBJECT)': '4 2 1 3',
    '(REVERSE SUBJECT)': '1 3 2 4',
    '(SUBJECT REVERSE DATE)': '4 2 3 1',
    '(FROM)': '4 2 3 1',
    '(TO)': '4 3 1 2',
    '(CC)': '2 4 3 1',
    '(SIZE)': '4 2 3 1',
    '(DISPLAYFROM)': '4 2 3 1',
    '(DISPLAYTO)': '4 3 1 2',
  }
  for (const [criteria, numbers] of Object.entries(expected)) {
    const [line] = await talk.play(`C: f SORT ${criteria} UTF-8 ALL\nS: * SORT…\nS: f OK …`)
    assert.equal(line, `* SORT ${numbers}`, criteria)
  }
})

test('searching, RETURN, and what is refused', async () => {
  const { imap, talk } = await mailbox()
  await using _imap = imap
  await using _talk = talk
  await talk.play(`
    C: 1 UID SORT (SUBJECT) UTF-8 UNSEEN NOT FROM alice
    S: * SORT 1 3
    S: 1 OK …
    C: 2 SORT (SUBJECT) US-ASCII SEEN UNSEEN
    S: * SORT
    S: 2 OK …
    C: 3 SORT RETURN (ALL COUNT) (ARRIVAL) UTF-8 ALL
    S: * ESEARCH (TAG "3") COUNT 4 ALL 4,2,1,3
    S: 3 OK …
    C: 4 SORT RETURN (MIN MAX) (ARRIVAL) UTF-8 ALL
    S: * ESEARCH (TAG "4") MIN 4 MAX 3
    S: 4 OK …
    C: 5 UID SORT RETURN (PARTIAL 2:3) (ARRIVAL) UTF-8 ALL
    S: * ESEARCH (TAG "5") UID PARTIAL (2:3 2,1)
    S: 5 OK …
    C: 6 SORT RETURN (SAVE) (ARRIVAL) UTF-8 UNSEEN
    S: 6 OK …
    C: 7 SEARCH $
    S: * SEARCH 1 2 3
    S: 7 OK …
    C: 8 SORT (ARRIVAL) UTF-8 MODSEQ 1 SEEN
    S: * OK [HIGHESTMODSEQ …] …
    S: * SORT 4 (MODSEQ …)
    S: 8 OK …
    C: 9 SORT (SUBJECT) KOI8-R ALL
    S: 9 NO [BADCHARSET (US-ASCII UTF-8)] …
    C: 10 SORT (COLOUR) UTF-8 ALL
    S: 10 BAD …
    C: 11 SORT () UTF-8 ALL
    S: 11 BAD …
  `)
})
