import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountMail, Wanted } from '#custody/store/mail-store.ts'
import type { TextQuery } from '#formats/message/message-text.ts'
import type { Dialog } from '../support/dialog.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { BROKEN, MULTIPART, PLAIN } from '../support/imap-messages.ts'
import { ALICE, type ImapFixture, startImap } from '../support/imap-server.ts'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 10, 20, 12)

/** 1: plain, seen, old. 2: multipart. 3: broken, deleted, with a keyword. 4: a long header. */
async function mailbox(): Promise<{ imap: ImapFixture; talk: Dialog; reads: number[] }> {
  const imap = await startImap({ clock: createFakeClock(NOW) })
  await imap.desk.deliver(ALICE, PLAIN, { flags: ['\\Seen'], internalDate: Date.UTC(2026, 10, 2, 23, 59) })
  await imap.desk.deliver(ALICE, MULTIPART, { flags: ['\\Flagged'], internalDate: NOW - DAY })
  await imap.desk.deliver(ALICE, BROKEN, { flags: ['\\Deleted', '$Junk'], internalDate: NOW + 1000 })
  const long = `Subject: long\r\nX-Long: ${'x'.repeat(20_000)}\r\nX-Last: needle\r\n\r\nhaystack\r\n`
  await imap.desk.deliver(ALICE, long, { flags: ['\\Answered', '\\Draft'], internalDate: NOW })
  const reads: number[] = []
  imap.desk.wrap = (mail) => unindexed(mail, reads)
  const talk = await imap.login()
  await talk.play('C: s SELECT INBOX\nS: ...\nS: s OK …')
  return { imap, talk, reads }
}

/** No index knows anything: what summaries do not tell is opened, and noted in `opened`. */
function unindexed(mail: AccountMail, opened: number[]): AccountMail {
  const verifyText = mail.verifyText.bind(mail)
  return Object.assign(mail, {
    textMatches: async (id: number, queries: readonly TextQuery[]) => {
      const open = Uint32Array.from((await mail.list(id)).map(({ uid }) => uid))
      return queries.map(() => ({ yes: new Uint32Array(), open }))
    },
    verifyText: (id: number, uids: readonly number[], query: TextQuery) => {
      opened.push(...uids)
      return verifyText(id, uids, query)
    },
  })
}

async function found(talk: Dialog, keys: string): Promise<string> {
  const lines = await talk.play(`C: f SEARCH ${keys}\nS: * SEARCH…\nS: f OK …`)
  return lines[0]!.slice('* SEARCH'.length).trim()
}

test('keys that the flags, numbers and dates decide', async () => {
  const { imap, talk, reads } = await mailbox()
  await using _imap = imap
  await using _talk = talk
  const expected: Readonly<Record<string, string>> = {
    ALL: '1 2 3 4',
    SEEN: '1',
    UNSEEN: '2 3 4',
    FLAGGED: '2',
    UNFLAGGED: '1 3 4',
    DELETED: '3',
    UNDELETED: '1 2 4',
    ANSWERED: '4',
    UNANSWERED: '1 2 3',
    DRAFT: '4',
    UNDRAFT: '1 2 3',
    'KEYWORD $junk': '3',
    'UNKEYWORD $Junk': '1 2 4',
    RECENT: '3 4',
    NEW: '3 4',
    OLD: '1 2',
    '2:3': '2 3',
    '*': '4',
    '3:9': '3 4',
    'UID 1,4:*': '1 4',
    'SAVEDBEFORE 20-Nov-2026': '1 2',
    'SAVEDON 20-Nov-2026 3': '3',
    'SAVEDSINCE 20-Nov-2026': '3 4',
    SAVEDATESUPPORTED: '1 2 3 4',
    'NOT SAVEDATESUPPORTED': '',
    'EMAILID Mnone': '',
    'NOT 2': '1 3 4',
    'OR SEEN FLAGGED': '1 2',
    'OR (SEEN UNDELETED) (DELETED KEYWORD $Junk)': '1 3',
    'UNSEEN UNDELETED': '2 4',
    'SEEN DELETED': '',
    'BEFORE 3-Nov-2026': '1',
    'ON 2-Nov-2026': '1',
    'SINCE 19-Nov-2026': '2 3 4',
    'CHARSET UTF-8 SEEN': '1',
    'YOUNGER 90000': '2 3 4',
    'OLDER 90000': '1',
  }
  for (const [keys, places] of Object.entries(expected)) assert.equal(await found(talk, keys), places, keys)
  assert.deepEqual(reads, [])
})

test('keys that the summary decides', async () => {
  const { imap, talk, reads } = await mailbox()
  await using _imap = imap
  await using _talk = talk
  const expected: Readonly<Record<string, string>> = {
    'SUBJECT lunch': '1',
    'SUBJECT "und bilder"': '2',
    'FROM miller': '1',
    'FROM "bob@BETA"': '1',
    'TO alice': '1 2',
    'CC eve': '2',
    'BCC eve': '',
    'HEADER Message-ID <2@beta.test>': '2',
    'HEADER In-Reply-To ""': '2',
    'SENTON 3-Nov-2026': '2',
    'SENTBEFORE 3-Nov-2026': '1',
    'SENTSINCE 3-Nov-2026': '2',
    'LARGER 900': '2 4',
    'SMALLER 900': '1 3',
    'SEEN SUBJECT x': '',
  }
  for (const [keys, places] of Object.entries(expected))
    assert.equal(
      await found(talk, `1:3 ${keys}`.replace('1:3 LARGER', 'LARGER').replace('1:3 SMALLER', 'SMALLER')),
      places,
      keys,
    )
  assert.deepEqual(reads, [])
  assert.equal(await found(talk, 'HEADER X-Last NEEDLE'), '4')
  assert.deepEqual(reads, [4], 'only the header that the summary has not')
})

test('text is found decoded, in any case and form', async () => {
  const { imap, talk, reads } = await mailbox()
  await using _imap = imap
  await using _talk = talk
  const utf8 = async (key: string, text: string) => {
    const octets = Buffer.from(text)
    const lines = await talk.play(
      `C: u SEARCH CHARSET UTF-8 ${key} {${octets.length}}\nS: + …\nC: ${text}\nS: * SEARCH…\nS: u OK …`,
    )
    return lines[1]!.slice('* SEARCH'.length).trim()
  }
  assert.equal(await utf8('SUBJECT', 'grüße'), '2')
  assert.equal(await utf8('SUBJECT', 'GRU\u0308ßE'), '2')
  assert.equal(await utf8('FROM', 'JÜRGEN'), '2')
  assert.equal(await utf8('BODY', 'straße und KÄSE'), '2', 'quoted-printable in latin1')
  assert.equal(await utf8('BODY', 'überraschung'), '2', 'base64 in an enclosed message')
  assert.equal(await utf8('TEXT', 'Grüße'), '2')
  assert.equal(await utf8('BODY', 'Grüße'), '')
  assert.equal(await found(talk, 'BODY "usual place"'), '1')
  assert.equal(await found(talk, 'TEXT "Subject: Lunch"'), '1')
  assert.equal(await found(talk, 'BODY "subject: inner"'), '2')
  assert.equal(await found(talk, 'BODY iVBORw0'), '', 'attachments are not text')
  assert.equal(await found(talk, 'BODY bare'), '3')
  reads.length = 0
  assert.equal(await found(talk, 'BODY a SEEN'), '1')
  assert.deepEqual(reads, [1], 'contents are opened only where flags leave it open')
  reads.length = 0
  assert.equal(await found(talk, 'OR ALL BODY a'), '1 2 3 4')
  assert.deepEqual(reads, [])
})

test('UID SEARCH, RETURN, and what is refused', async () => {
  const { imap, talk } = await mailbox()
  await using _imap = imap
  await using _talk = talk
  await talk.play(`
    C: 1 UID SEARCH UNDELETED
    S: * SEARCH 1 2 4
    S: 1 OK …
    C: 2 SEARCH RETURN (MIN MAX COUNT) UNDELETED
    S: * ESEARCH (TAG "2") MIN 1 MAX 4 COUNT 3
    S: 2 OK …
    C: 3 UID SEARCH RETURN () UNDELETED
    S: * ESEARCH (TAG "3") UID ALL 1:2,4
    S: 3 OK …
    C: 4 SEARCH RETURN (MIN COUNT) SEEN DELETED
    S: * ESEARCH (TAG "4") COUNT 0
    S: 4 OK …
    C: 5 SEARCH CHARSET KOI8-R ALL
    S: 5 NO [BADCHARSET (US-ASCII UTF-8)] …
    # As imap-tools and others write it.
    C: 6 SEARCH CHARSET utf8 UNDELETED
    S: * SEARCH 1 2 4
    S: 6 OK …
    C: 7 SEARCH NONSENSE
    S: 7 BAD …
    C: 8 SEARCH
    S: 8 BAD …
  `)
})

test('MODSEQ is told to those who search for it (RFC 7162)', async () => {
  const { imap, talk } = await mailbox()
  await using _imap = imap
  await using _talk = talk
  await talk.play(`
    C: 1 STORE 3 +FLAGS.SILENT (\\Seen)
    S: 1 OK …
    C: 2 SEARCH MODSEQ 1
    S: * OK [HIGHESTMODSEQ …] …
    S: * SEARCH 1 2 3 4 (MODSEQ 11)
    S: 2 OK …
    C: 3 SEARCH RETURN (MIN) MODSEQ "/flags/\\\\seen" all 10
    S: * ESEARCH (TAG "3") MIN 3 MODSEQ 11
    S: 3 OK …
    C: 4 SEARCH MODSEQ 99
    S: * SEARCH
    S: 4 OK …
    C: 5 SEARCH SEEN
    S: * SEARCH 1 3
    S: 5 OK …
  `)
})

test('results are kept for later commands (RFC 5182)', async () => {
  const { imap, talk } = await mailbox()
  await using _imap = imap
  await using _talk = talk
  await talk.play(`
    C: 1 SEARCH RETURN (SAVE) UNDELETED
    S: 1 OK …
    C: 2 UID SEARCH NOT $
    S: * SEARCH 3
    S: 2 OK …
    C: 3 SEARCH UID $ FLAGGED
    S: * SEARCH 2
    S: 3 OK …
    C: 4 UID FETCH $ (UID)
    S: * 1 FETCH (UID 1)
    S: * 2 FETCH (UID 2)
    S: * 4 FETCH (UID 4)
    S: 4 OK …
    C: 5 SEARCH RETURN (SAVE MIN MAX) UNSEEN
    S: * ESEARCH (TAG "5") MIN 2 MAX 4
    S: 5 OK …
    C: 6 SEARCH $
    S: * SEARCH 2 4
    S: 6 OK …
    C: 7 SEARCH RETURN (SAVE COUNT MIN) UNSEEN
    S: * ESEARCH (TAG "7") MIN 2 COUNT 3
    S: 7 OK …
    C: 8 SEARCH RETURN (ALL) $
    S: * ESEARCH (TAG "8") ALL 2:4
    S: 8 OK …
    C: 9 SEARCH RETURN (SAVE) NONSENSE
    S: 9 BAD …
    C: 10 SEARCH RETURN (COUNT) $
    S: * ESEARCH (TAG "10") COUNT 3
    S: 10 OK …
    C: 11 SEARCH RETURN (SAVE) CHARSET KOI8-R ALL
    S: 11 NO [BADCHARSET (US-ASCII UTF-8)] …
    C: 12 SEARCH $
    S: * SEARCH
    S: 12 OK …
    C: 13 FETCH $ (UID)
    S: 13 OK …
    C: 14 SEARCH RETURN (SAVE PARTIAL -1:-2) ALL
    S: * ESEARCH (TAG "14") PARTIAL (-1:-2 3:4)
    S: 14 OK …
    C: 15 STORE $ +FLAGS.SILENT (\\Deleted)
    S: 15 OK …
    C: 16 SEARCH DELETED
    S: * SEARCH 3 4
    S: 16 OK …
    C: 17 EXPUNGE
    S: * 4 EXPUNGE
    S: * 3 EXPUNGE
    S: 17 OK …
    C: 18 SEARCH $
    S: * SEARCH
    S: 18 OK …
    C: 19 SELECT INBOX
    S: ...
    S: 19 OK …
    C: 20 SEARCH RETURN (COUNT) $
    S: * ESEARCH (TAG "20") COUNT 0
    S: 20 OK …
  `)
})

test('pages of results (RFC 9394)', async () => {
  const { imap, talk, reads } = await mailbox()
  await using _imap = imap
  await using _talk = talk
  await talk.play(`
    C: 1 UID SEARCH RETURN (PARTIAL 2:3 COUNT) ALL
    S: * ESEARCH (TAG "1") UID COUNT 4 PARTIAL (2:3 2:3)
    S: 1 OK …
    C: 2 SEARCH RETURN (PARTIAL -3:-2) ALL
    S: * ESEARCH (TAG "2") PARTIAL (-3:-2 2:3)
    S: 2 OK …
    C: 3 SEARCH RETURN (PARTIAL 4:900 MIN) ALL
    S: * ESEARCH (TAG "3") MIN 1 PARTIAL (4:900 4)
    S: 3 OK …
    C: 4 SEARCH RETURN (PARTIAL 5:9) ALL
    S: * ESEARCH (TAG "4") PARTIAL (5:9 NIL)
    S: 4 OK …
    C: 5 SEARCH RETURN (PARTIAL -4:-9) UNSEEN
    S: * ESEARCH (TAG "5") PARTIAL (-4:-9 NIL)
    S: 5 OK …
    C: 6 SEARCH RETURN (PARTIAL 1:2 ALL) UNSEEN
    S: 6 BAD …
  `)
  assert.deepEqual(reads, [])
})

test('with IMAP4rev2 every answer is ESEARCH (RFC 9051)', async () => {
  const { imap, talk } = await mailbox()
  await using _imap = imap
  await using _talk = talk
  await talk.play(`
    C: 1 ENABLE IMAP4rev2
    S: * ENABLED IMAP4rev2
    S: 1 OK …
    C: 2 SEARCH UNSEEN
    S: * ESEARCH (TAG "2") ALL 2:4
    S: 2 OK …
    C: 3 UID SEARCH SEEN DELETED
    S: * ESEARCH (TAG "3") UID
    S: 3 OK …
    C: 4 SEARCH CHARSET UTF-8 SEEN
    S: * ESEARCH (TAG "4") ALL 1
    S: 4 OK …
  `)
})

test('what was enabled changes what may be asked', async () => {
  const { imap, talk } = await mailbox()
  await using _imap = imap
  await using _talk = talk
  await talk.play(`
    C: 1 ENABLE UTF8=ACCEPT
    S: * ENABLED UTF8=ACCEPT
    S: 1 OK …
    C: 2 SEARCH CHARSET UTF-8 SEEN
    S: 2 BAD …
    C: 3 SEARCH SUBJECT "grüße"
    S: * SEARCH 2
    S: 3 OK …
    C: 4 ENABLE UIDONLY
    S: * ENABLED UIDONLY
    S: 4 OK …
    C: 5 SEARCH SEEN
    S: 5 BAD [UIDREQUIRED] …
    C: 6 UID SEARCH NOT 1:2
    S: 6 BAD [UIDREQUIRED] …
    C: 7 UID SEARCH RETURN (SAVE) UID 1:2
    S: 7 OK …
    C: 8 UID SEARCH $
    S: * SEARCH 1 2
    S: 8 OK …
  `)
})

test('a message that cannot be read is passed over', async () => {
  const { imap, talk } = await mailbox()
  await using _imap = imap
  await using _talk = talk
  imap.desk.wrap = (mail) => {
    const messages = mail.messages.bind(mail)
    return Object.assign(unindexed(mail, []), {
      messages: async (id: number, uids: readonly number[], wanted: Wanted) =>
        (await messages(id, uids, wanted)).map((read) =>
          read?.uid === 2 ? { ...read, summary: null, content: null, unreadable: 'damaged' } : read,
        ),
    })
  }
  await using other = await imap.login()
  await other.play(`
    C: 1 SELECT INBOX
    S: ...
    S: 1 OK …
    C: 2 SEARCH 1:2 NOT SUBJECT nowhere
    S: * SEARCH 1
    S: 2 OK …
    C: 3 SEARCH 1:2 NOT SMALLER 1
    S: * SEARCH 1
    S: 3 OK …
    C: 4 SEARCH 2 FLAGGED
    S: * SEARCH 2
    S: 4 OK …
  `)
})
