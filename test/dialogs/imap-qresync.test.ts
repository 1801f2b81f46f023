/** QRESYNC (RFC 7162 §3.2): a client that comes back hears only what happened while it was away. */
import { test } from 'node:test'
import type { Dialog } from '../support/dialog.ts'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, type ImapFixture, startImap } from '../support/imap-server.ts'

const INBOX = 1

/** Six messages (MODSEQ 7 to 12); then 1 is flagged (13), 2 and 3 go (14, 15), and 7 comes (16). */
async function changed(): Promise<ImapFixture> {
  const imap = await startImap()
  for (let i = 0; i < 6; i++) await imap.desk.deliver(ALICE, PLAIN, { flags: ['\\Seen'] })
  const mail = await imap.desk.mail(ALICE)
  await mail.setFlags(INBOX, [1], { mode: 'add', flags: ['\\Flagged'] })
  await mail.setFlags(INBOX, [2, 3], { mode: 'add', flags: ['\\Deleted'] })
  await mail.expunge(INBOX)
  await imap.desk.deliver(ALICE, PLAIN)
  return imap
}

async function enabled(imap: ImapFixture): Promise<Dialog> {
  const talk = await imap.login()
  await talk.play('C: 0 ENABLE QRESYNC\nS: * ENABLED QRESYNC\nS: 0 OK …')
  return talk
}

test('SELECT tells what changed since', async () => {
  await using imap = await changed()
  await using talk = await enabled(imap)
  await talk.play(`
    C: 1 SELECT INBOX (QRESYNC (1 12))
    S: * FLAGS …
    S: * 5 EXISTS
    S: * 5 RECENT
    S: * OK [UNSEEN 5] …
    S: * OK [PERMANENTFLAGS …
    S: * OK [UIDVALIDITY 1] …
    S: * OK [UIDNEXT 8] …
    S: * OK [HIGHESTMODSEQ 16] …
    S: * OK [MAILBOXID …
    S: * VANISHED (EARLIER) 2:3
    S: * 1 FETCH (UID 1 FLAGS (\\Seen \\Flagged \\Recent) MODSEQ (13))
    S: * 5 FETCH (UID 7 FLAGS (\\Recent) MODSEQ (16))
    S: 1 OK [READ-WRITE] …
    C: 2 EXAMINE INBOX (QRESYNC (1 16))
    S: * OK [CLOSED] …
    S: * FLAGS …
    S: ...
    S: * OK [MAILBOXID …
    S: 2 OK [READ-ONLY] …
  `)
})

test('known uids bound what is told, another UIDVALIDITY or a MODSEQ from the future makes it start afresh', async () => {
  await using imap = await changed()
  await using talk = await enabled(imap)
  await talk.play(`
    C: 1 SELECT INBOX (QRESYNC (1 12 3:6))
    S: ...
    S: * OK [MAILBOXID …
    S: * VANISHED (EARLIER) 3
    S: 1 OK …
    C: 2 SELECT INBOX (QRESYNC (1 12 1,3,7 (1:3 1,2,3)))
    S: ...
    S: * OK [MAILBOXID …
    S: * VANISHED (EARLIER) 3
    S: * 1 FETCH (UID 1 FLAGS (\\Seen \\Flagged) MODSEQ (13))
    S: * 5 FETCH (UID 7 FLAGS () MODSEQ (16))
    S: 2 OK …
    C: 3 SELECT INBOX (QRESYNC (999 12))
    S: ...
    S: * OK [MAILBOXID …
    S: 3 OK …
    C: 4 SELECT INBOX (QRESYNC (1 5000 2:7))
    S: ...
    S: * OK [MAILBOXID …
    S: * VANISHED (EARLIER) 2:3
    S: * 2 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (10))
    S: * 3 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (11))
    S: * 4 FETCH (UID 6 FLAGS (\\Seen) MODSEQ (12))
    S: * 5 FETCH (UID 7 FLAGS () MODSEQ (16))
    S: 4 OK …
    C: 5 SELECT INBOX (QRESYNC (1))
    S: 5 BAD …
    C: 6 SELECT Sent (QRESYNC (6 1))
    S: ...
    S: 6 OK …
  `)
})

test('before it is enabled there is none of it', async () => {
  await using imap = await changed()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 SELECT INBOX (QRESYNC (1 12))
    S: 1 BAD Enable QRESYNC first
    C: 2 SELECT INBOX (CONDSTORE)
    S: ...
    S: 2 OK …
    C: 3 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12 VANISHED)
    S: 3 BAD Enable QRESYNC first
    C: 4 SELECT Sent
    S: * FLAGS …
    S: ...
    S: 4 OK …
  `)
})

test('UID FETCH tells what vanished of what was asked for', async () => {
  await using imap = await changed()
  await using talk = await enabled(imap)
  const mail = await imap.desk.mail(ALICE)
  await mail.setFlags(INBOX, [7], { mode: 'add', flags: ['\\Deleted'] })
  await mail.expunge(INBOX)
  await talk.play(`
    C: 1 SELECT INBOX
    S: ...
    S: 1 OK …
    C: 2 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12 VANISHED)
    S: * VANISHED (EARLIER) 2:3,7
    S: * 1 FETCH (UID 1 FLAGS (…) MODSEQ (13))
    S: 2 OK …
    C: 3 UID FETCH 3:6 (FLAGS) (VANISHED CHANGEDSINCE 12)
    S: * VANISHED (EARLIER) 3
    S: 3 OK …
    C: 4 UID FETCH 4 (FLAGS) (CHANGEDSINCE 1 VANISHED)
    S: * 2 FETCH (UID 4 FLAGS (…) MODSEQ (10))
    S: 4 OK …
    C: 5 FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)
    S: 5 BAD …
  `)
})

test('what goes has VANISHED, and changes carry the UID', async () => {
  await using imap = await changed()
  await using talk = await enabled(imap)
  const mail = await imap.desk.mail(ALICE)
  await talk.play('C: 1 SELECT INBOX\nS: ...\nS: 1 OK …')
  await mail.setFlags(INBOX, [4, 6], { mode: 'add', flags: ['\\Deleted'] })
  await mail.expunge(INBOX, [4])
  await talk.play(`
    C: 2 FETCH 1 UID
    S: * 1 FETCH (UID 1)
    S: * 4 FETCH (UID 6 FLAGS (\\Seen \\Deleted \\Recent) MODSEQ (17))
    S: 2 OK …
    C: 3 UID FETCH 1 UID
    S: * 1 FETCH (UID 1)
    S: * VANISHED 4
    S: 3 OK …
    C: 4 STORE 1:2 +FLAGS.SILENT (\\Deleted)
    S: * 1 FETCH (UID 1 MODSEQ (19))
    S: * 2 FETCH (UID 5 MODSEQ (19))
    S: 4 OK …
    C: 5 UID EXPUNGE 1
    S: * VANISHED 1
    S: 5 OK [HIGHESTMODSEQ 20] Expunged
    C: 6 EXPUNGE
    S: * VANISHED 5:6
    S: 6 OK [HIGHESTMODSEQ 21] Expunged
    C: 7 MOVE 1 Archive
    S: * OK [COPYUID … 7 1] Moved
    S: * VANISHED 7
    S: 7 OK [HIGHESTMODSEQ 23] Moved
    C: 8 IDLE
    S: + …
  `)
  const { uid } = await imap.desk.deliver(ALICE, PLAIN)
  await talk.play('S: * 1 EXISTS\nS: * 1 RECENT\nS: * OK [HIGHESTMODSEQ 24] Highest')
  await mail.setFlags(INBOX, [uid], { mode: 'add', flags: ['\\Deleted'] })
  await talk.play('S: * 1 FETCH (UID 8 FLAGS (\\Deleted \\Recent) MODSEQ (25))')
  await mail.expunge(INBOX)
  await talk.play('S: * VANISHED 8\nC: DONE\nS: 8 OK …')
})

test('CLOSE names the MODSEQ only when nothing else happened', async () => {
  await using imap = await changed()
  await using talk = await enabled(imap)
  const mail = await imap.desk.mail(ALICE)
  await talk.play(`
    C: 1 SELECT INBOX
    S: ...
    S: 1 OK …
    C: 2 STORE 1 +FLAGS (\\Deleted)
    S: * 1 FETCH (UID 1 FLAGS …
    S: 2 OK …
    C: 3 CLOSE
    S: 3 OK [HIGHESTMODSEQ 18] Closed
    C: 4 SELECT INBOX
    S: * FLAGS …
    S: ...
    S: 4 OK …
  `)
  await mail.setFlags(INBOX, [4], { mode: 'add', flags: ['\\Deleted'] })
  await talk.play('C: 5 CLOSE\nS: 5 OK Closed')
})
