/** UIDONLY (RFC 9586): messages are named by UID alone, in both directions. */
import { test } from 'node:test'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, startImap } from '../support/imap-server.ts'

const INBOX = 1

test('message sequence numbers are refused, and none is sent', async () => {
  await using imap = await startImap()
  for (let i = 0; i < 4; i++) await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await imap.login()
  await talk.play(`
    C: 1 ENABLE UIDONLY
    S: * ENABLED UIDONLY
    S: 1 OK …
    C: 2 SELECT INBOX
    S: * FLAGS …
    S: * 4 EXISTS
    S: * 4 RECENT
    S: * OK [PERMANENTFLAGS …
    S: * OK [UIDVALIDITY 1] …
    S: * OK [UIDNEXT 5] …
    S: * OK [HIGHESTMODSEQ 10] …
    S: * OK [MAILBOXID …
    S: 2 OK …
    C: 3 FETCH 1 FLAGS
    S: 3 BAD [UIDREQUIRED] …
    C: 3 STORE 1 FLAGS ()
    S: 3 BAD [UIDREQUIRED] …
    C: 3 COPY 1 Trash
    S: 3 BAD [UIDREQUIRED] …
    C: 3 MOVE 1 Trash
    S: 3 BAD [UIDREQUIRED] …
    C: 3 SEARCH ALL
    S: 3 BAD [UIDREQUIRED] …
    C: 3 UID SEARCH 1:2 SEEN
    S: 3 BAD [UIDREQUIRED] …
    C: 4 UID FETCH 2 (UID FLAGS)
    S: * 2 UIDFETCH (UID 2 FLAGS (\\Recent))
    S: 4 OK …
    C: 5 UID STORE 2:3 +FLAGS (\\Deleted)
    S: * 2 UIDFETCH (FLAGS (\\Deleted \\Recent))
    S: * 3 UIDFETCH (FLAGS (\\Deleted \\Recent))
    S: 5 OK …
    C: 6 UID EXPUNGE 2
    S: * VANISHED 2
    S: 6 OK Expunged
    C: 7 EXPUNGE
    S: * VANISHED 3
    S: 7 OK Expunged
    C: 8 UID SEARCH ALL
    S: * SEARCH 1 4
    S: 8 OK …
  `)
  const mail = await imap.desk.mail(ALICE)
  await mail.setFlags(INBOX, [4], { mode: 'add', flags: ['\\Deleted', '\\Seen'] })
  await talk.play(`
    C: 9 NOOP
    S: * 4 UIDFETCH (FLAGS (\\Seen \\Deleted \\Recent))
    S: 9 OK …
  `)
  await mail.expunge(INBOX)
  await talk.play(`
    C: 10 UID FETCH 1 BODY.PEEK[TEXT]<0.2>
    S: * 1 UIDFETCH (BODY[TEXT]<0> {2}
    S: …)
    S: * VANISHED 4
    S: 10 OK …
    C: 11 UID MOVE 1 Archive
    S: * OK [COPYUID … 1 1] Moved
    S: * VANISHED 1
    S: 11 OK Moved
  `)
})

test('with QRESYNC a client comes back without numbers', async () => {
  await using imap = await startImap()
  for (let i = 0; i < 3; i++) await imap.desk.deliver(ALICE, PLAIN)
  const mail = await imap.desk.mail(ALICE)
  await mail.setFlags(INBOX, [1, 2], { mode: 'add', flags: ['\\Deleted'] })
  await mail.expunge(INBOX, [1])
  await using talk = await imap.login()
  await talk.play(`
    C: 1 ENABLE QRESYNC UIDONLY
    S: * ENABLED QRESYNC UIDONLY
    S: 1 OK …
    C: 2 SELECT INBOX (QRESYNC (1 9 1:3 (1 1)))
    S: 2 BAD [UIDREQUIRED] …
    C: 3 SELECT INBOX (QRESYNC (1 9 1:3))
    S: ...
    S: * OK [MAILBOXID …
    S: * VANISHED (EARLIER) 1
    S: * 2 UIDFETCH (FLAGS (\\Deleted \\Recent) MODSEQ (10))
    S: 3 OK …
    C: 4 UID FETCH 1:* FLAGS (CHANGEDSINCE 9 VANISHED)
    S: * VANISHED (EARLIER) 1
    S: * 2 UIDFETCH (FLAGS (\\Deleted \\Recent) MODSEQ (10))
    S: 4 OK …
  `)
})
