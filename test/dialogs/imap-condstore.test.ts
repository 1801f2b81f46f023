/** CONDSTORE (RFC 7162 §3.1): changes that are made only where nobody else changed anything, and what changed since. */
import { test } from 'node:test'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, type ImapFixture, startImap } from '../support/imap-server.ts'

async function delivered(imap: ImapFixture, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await imap.desk.deliver(ALICE, PLAIN)
}

/** The memory store counts MODSEQs from 1: six mailboxes, then the messages. */
const FIRST = 7

test('what enables it, and what is told from then on', async () => {
  for (const enabling of [
    'C: 2 ENABLE CONDSTORE\nS: * OK [HIGHESTMODSEQ 8] …\nS: * ENABLED CONDSTORE\nS: 2 OK …',
    'C: 2 STATUS INBOX (HIGHESTMODSEQ)\nS: * OK [HIGHESTMODSEQ 8] …\nS: * STATUS "INBOX" (HIGHESTMODSEQ 8)\nS: 2 OK …',
    'C: 2 FETCH 1 (MODSEQ)\nS: * OK [HIGHESTMODSEQ 8] …\nS: * 1 FETCH (MODSEQ (7))\nS: 2 OK …',
    'C: 2 FETCH 1:2 (UID) (CHANGEDSINCE 7)\nS: * OK [HIGHESTMODSEQ 8] …\nS: * 2 FETCH (UID 2 MODSEQ (8))\nS: 2 OK …',
    'C: 2 SEARCH MODSEQ 8\nS: * OK [HIGHESTMODSEQ 8] …\nS: * SEARCH 2 (MODSEQ 8)\nS: 2 OK …',
    'C: 2 STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)\nS: * OK [HIGHESTMODSEQ 8] …\nS: 2 OK [MODIFIED 1] …',
    'C: 2 SELECT INBOX (CONDSTORE)\nS: ...\nS: * OK [HIGHESTMODSEQ 8] …\nS: ...\nS: 2 OK …',
  ]) {
    await using imap = await startImap()
    await delivered(imap, 2)
    await using talk = await imap.login()
    await talk.play('C: 1 SELECT INBOX\nS: ...\nS: * OK [HIGHESTMODSEQ 8] …\nS: ...\nS: 1 OK …')
    await talk.play(enabling)
    const mail = await imap.desk.mail(ALICE)
    await mail.setFlags(1, [2], { mode: 'add', flags: ['\\Flagged'] })
    await talk.play(`
      C: 3 NOOP
      S: * 2 FETCH (FLAGS (\\Flagged…) MODSEQ (9))
      S: 3 OK …
      C: 4 STORE 1 +FLAGS.SILENT (\\Answered)
      S: * 1 FETCH (MODSEQ (10))
      S: 4 OK …
      C: 5 STORE 1 +FLAGS (\\Draft)
      S: * 1 FETCH (FLAGS (…\\Draft…) MODSEQ (11))
      S: 5 OK …
      C: 6 FETCH 1 BODY[TEXT]<0.1>
      S: * 1 FETCH (BODY[TEXT]<0> {1}
      S: … FLAGS (\\Seen…) MODSEQ (12))
      S: 6 OK …
    `)
  }
})

test('who never heard of it is told no MODSEQ', async () => {
  await using imap = await startImap()
  await delivered(imap, 1)
  await using talk = await imap.login()
  await talk.play(`
    C: 1 SELECT INBOX
    S: ...
    S: 1 OK …
    C: 2 STORE 1 +FLAGS (\\Seen)
    S: * 1 FETCH (FLAGS (\\Seen \\Recent))
    S: 2 OK …
    C: 3 STORE 1 +FLAGS.SILENT (\\Draft)
    S: 3 OK …
    C: 4 STORE 1 +FLAGS (\\Deleted)
    S: * 1 FETCH (FLAGS (\\Seen \\Deleted \\Draft \\Recent))
    S: 4 OK …
    C: 5 EXPUNGE
    S: * 1 EXPUNGE
    S: 5 OK Expunged
  `)
})

test('STORE with UNCHANGEDSINCE leaves alone what somebody else changed, and says so', async () => {
  await using imap = await startImap()
  await delivered(imap, 4)
  await using talk = await imap.login()
  await talk.play('C: 1 SELECT INBOX (CONDSTORE)\nS: ...\nS: * OK [HIGHESTMODSEQ 10] …\nS: ...\nS: 1 OK …')
  const mail = await imap.desk.mail(ALICE)
  await mail.setFlags(1, [2, 4], { mode: 'add', flags: ['\\Seen'] })
  await talk.play(`
    C: 2 STORE 1:4 (UNCHANGEDSINCE 10) +FLAGS (\\Flagged)
    S: * 1 FETCH (FLAGS (\\Flagged \\Recent) MODSEQ (12))
    S: * 3 FETCH (FLAGS (\\Flagged \\Recent) MODSEQ (12))
    S: * 2 FETCH (FLAGS (\\Seen \\Recent) MODSEQ (11))
    S: * 4 FETCH (FLAGS (\\Seen \\Recent) MODSEQ (11))
    S: 2 OK [MODIFIED 2,4] …
    C: 3 UID STORE 2:4 (UNCHANGEDSINCE 11) +FLAGS.SILENT (\\Draft)
    S: * 2 FETCH (UID 2 MODSEQ (13))
    S: * 4 FETCH (UID 4 MODSEQ (13))
    S: 3 OK [MODIFIED 3] …
    C: 4 STORE 1 (UNCHANGEDSINCE 0) +FLAGS.SILENT (\\Draft)
    S: 4 OK [MODIFIED 1] …
    C: 5 STORE 1 (UNCHANGEDSINCE 12) -FLAGS (\\Draft)
    S: * 1 FETCH (FLAGS (\\Flagged \\Recent) MODSEQ (12))
    S: 5 OK Stored
    C: 6 STORE 1 (UNCHANGEDSINCE 12) FLAGS ()
    S: * 1 FETCH (FLAGS (\\Recent) MODSEQ (14))
    S: 6 OK Stored
    C: 7 FETCH 1:* (FLAGS) (CHANGEDSINCE 12)
    S: * 1 FETCH (FLAGS (\\Recent) MODSEQ (14))
    S: * 2 FETCH (FLAGS (\\Seen \\Draft \\Recent) MODSEQ (13))
    S: * 4 FETCH (FLAGS (\\Seen \\Draft \\Recent) MODSEQ (13))
    S: 7 OK …
    C: 8 UID FETCH 1:* (UID) (CHANGEDSINCE 12 VANISHED)
    S: 8 BAD Enable QRESYNC first
  `)
  // RFC 7162 §3.1.3: of messages that are gone the client hears, too.
  await mail.setFlags(1, [2], { mode: 'add', flags: ['\\Deleted'] })
  await mail.expunge(1)
  await talk.play(`
    C: 9 STORE 2:3 (UNCHANGEDSINCE 11) +FLAGS.SILENT (\\Seen)
    S: 9 NO [MODIFIED 3] …
    C: 10 NOOP
    S: * 2 EXPUNGE
    S: 10 OK …
  `)
})

test('EXPUNGE and MOVE say up to where the client knows everything', async () => {
  await using imap = await startImap()
  await delivered(imap, 4)
  await using talk = await imap.login()
  await talk.play('C: 1 SELECT INBOX (CONDSTORE)\nS: ...\nS: 1 OK …')
  const mail = await imap.desk.mail(ALICE)
  await mail.setFlags(1, [2], { mode: 'add', flags: ['\\Deleted'] })
  await mail.setFlags(1, [3], { mode: 'add', flags: ['\\Seen'] })
  await talk.play(`
    C: 2 EXPUNGE
    S: * 2 EXPUNGE
    S: * 2 FETCH (FLAGS (\\Seen \\Recent) MODSEQ (12))
    S: 2 OK [HIGHESTMODSEQ 13] Expunged
    C: 3 MOVE 1 Trash
    S: * OK [COPYUID … 1 1] Moved
    S: * 1 EXPUNGE
    S: 3 OK [HIGHESTMODSEQ 15] Moved
    C: 4 EXPUNGE
    S: 4 OK Expunged
  `)
})

test(`MODSEQs begin at ${FIRST} here and are larger for everything that comes later`, async () => {
  await using imap = await startImap()
  await delivered(imap, 2)
  await using talk = await imap.login()
  await talk.play(`
    C: 1 EXAMINE INBOX (CONDSTORE)
    S: ...
    S: 1 OK …
    C: 2 FETCH 1:* MODSEQ
    S: * 1 FETCH (MODSEQ (${FIRST}))
    S: * 2 FETCH (MODSEQ (${FIRST + 1}))
    S: 2 OK …
    C: 3 SELECT INBOX (CONDSTORE X-OTHER)
    S: 3 BAD …
    C: 4 STORE 1 (UNCHANGEDSINCE -1) FLAGS ()
    S: 4 BAD …
    C: 5 FETCH 1 FLAGS (CHANGEDSINCE 99999999999999999999)
    S: 5 BAD …
  `)
})

test('new messages come with the MODSEQ up to which all is known then, so that who appended them is not told again', async () => {
  await using imap = await startImap()
  await delivered(imap, 1)
  await using talk = await imap.login()
  await talk.play(`
    C: 1 SELECT INBOX (CONDSTORE)
    S: ...
    S: 1 OK …
    C: 2 APPEND INBOX (\\Seen) {${PLAIN.length}}
    S: + …
    C> ${PLAIN.replaceAll('\r\n', '\\r\\n')}\\r\\n
    S: * 2 EXISTS
    S: * 2 RECENT
    S: * OK [HIGHESTMODSEQ ${FIRST + 1}] Highest
    S: 2 OK [APPENDUID 1 2] …
  `)
  const mail = await imap.desk.mail(ALICE)
  await mail.setFlags(1, [1], { mode: 'add', flags: ['\\Deleted'] })
  await mail.expunge(1)
  await imap.desk.deliver(ALICE, PLAIN)
  // FETCH cannot tell what is gone, so not all is known yet.
  await talk.play(`
    C: 3 FETCH 2 UID
    S: * 2 FETCH (UID 2)
    S: * 3 EXISTS
    S: * 3 RECENT
    S: 3 OK …
    C: 4 NOOP
    S: * 1 EXPUNGE
    S: 4 OK …
  `)
})
