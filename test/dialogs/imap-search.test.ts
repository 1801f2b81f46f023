import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AccountMail, MessageUnreadable } from '#custody/store/mail-store.ts'
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
  imap.desk.wrap = (mail) => counted(mail, reads)
  const talk = await imap.login()
  await talk.play('C: s SELECT INBOX\nS: ...\nS: s OK …')
  return { imap, talk, reads }
}

function counted(mail: AccountMail, reads: number[]): AccountMail {
  const read = mail.read.bind(mail)
  return Object.assign(mail, {
    read: (id: number, uid: number) => {
      reads.push(uid)
      return read(id, uid)
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
    C: 6 SEARCH MODSEQ 1
    S: 6 BAD …
    C: 7 SEARCH NONSENSE
    S: 7 BAD …
    C: 8 SEARCH
    S: 8 BAD …
  `)
})

test('a message that cannot be read is passed over', async () => {
  const { imap, talk } = await mailbox()
  await using _imap = imap
  await using _talk = talk
  imap.desk.wrap = (mail) =>
    Object.assign(mail, {
      read: async (_: number, uid: number) => {
        if (uid === 2) throw new MessageUnreadable('damaged')
        return Buffer.from(PLAIN)
      },
    })
  await using other = await imap.login()
  await other.play('C: 1 SELECT INBOX\nS: ...\nS: 1 OK …\nC: 2 SEARCH 1:2 BODY usual\nS: * SEARCH 1\nS: 2 OK …')
})
