/** IMAP4rev2 (RFC 9051 Appendix E): what is different once a client has enabled it, and only then. */
import { test } from 'node:test'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, startImap } from '../support/imap-server.ts'

const INBOX = 1

test('SELECT tells the name and no \\Recent, and says when the mailbox before is closed', async () => {
  await using imap = await startImap()
  for (let i = 0; i < 2; i++) await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await imap.login()
  await talk.play(`
    C: 1 ENABLE IMAP4rev2
    S: * ENABLED IMAP4rev2
    S: 1 OK …
    C: 2 SELECT inbox
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
    S: * 2 EXISTS
    S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] …
    S: * OK [UIDVALIDITY 1] …
    S: * OK [UIDNEXT 3] …
    S: * OK [HIGHESTMODSEQ 8] …
    S: * OK [MAILBOXID …
    S: * LIST () "/" "INBOX"
    S: 2 OK [READ-WRITE] …
    C: 3 FETCH 1 FLAGS
    S: * 1 FETCH (FLAGS ())
    S: 3 OK …
    C: 4 SEARCH UNSEEN
    S: * ESEARCH (TAG "4") ALL 1:2
    S: 4 OK …
    C: 5 SEARCH RETURN () SEEN
    S: * ESEARCH (TAG "5")
    S: 5 OK …
  `)
  const mail = await imap.desk.mail(ALICE)
  await mail.setFlags(INBOX, [2], { mode: 'add', flags: ['$Forwarded', '$MDNSent', '$Phishing'] })
  await imap.desk.deliver(ALICE, PLAIN)
  await talk.play(`
    C: 6 NOOP
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded $MDNSent $Phishing)
    S: * 2 FETCH (UID 2 FLAGS ($Forwarded $MDNSent $Phishing))
    S: * 3 EXISTS
    S: 6 OK …
    C: 7 STORE 1 +FLAGS (\\Deleted)
    S: * 1 FETCH (UID 1 FLAGS (\\Deleted))
    S: 7 OK …
    C: 8 EXPUNGE
    S: * 1 EXPUNGE
    S: 8 OK Expunged
    C: 9 SELECT missing
    S: * OK [CLOSED] …
    S: 9 NO [NONEXISTENT] …
    C: 10 FETCH 1 UID
    S: 10 BAD Select a mailbox first
    C: 11 EXAMINE Sent
    S: ...
    S: * LIST () "/" "Sent"
    S: 11 OK [READ-ONLY] …
    C: 12 UNSELECT
    S: 12 OK …
  `)
})

test('names are UTF-8 in both directions', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await using other = await imap.login()
  await talk.play(`
    C: 1 ENABLE IMAP4REV2 CONDSTORE
    S: * ENABLED IMAP4rev2 CONDSTORE
    S: 1 OK …
    C> 2 CREATE "Entw\\xc3\\xbcrfe &-"\\r\\n
    S: 2 OK …
    C> 3 EXAMINE "Entw\\xc3\\xbcrfe &-"\\r\\n
    S: ...
    S: * LIST () "/" "Entw…rfe &-"
    S: 3 OK …
  `)
  await other.play(`
    C: 1 LIST "" Entw*
    S: * LIST (…) "/" "Entw&APw-rfe &--"
    S: 1 OK …
    C: 2 SELECT "Entw&APw-rfe &--"
    S: ...
    S: 2 OK …
  `)
})

test('who did not enable it is spoken to as ever', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await imap.login()
  await talk.play(`
    C: 1 SELECT INBOX
    S: ...
    S: * 1 RECENT
    S: * OK [UNSEEN 1] …
    S: ...
    S: 1 OK …
    C: 2 SEARCH ALL
    S: * SEARCH 1
    S: 2 OK …
    C: 3 SELECT Sent
    S: * FLAGS …
    S: ...
    S: 3 OK …
  `)
})
