import { test } from 'node:test'
import { NoCertificate } from '#custody/store/mail-store.ts'
import type { Dialog } from '../support/dialog.ts'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, type ImapFixture, startImap } from '../support/imap-server.ts'

async function selected(imap: ImapFixture, mailbox = 'INBOX'): Promise<Dialog> {
  const talk = await imap.login()
  await talk.play(`C: s SELECT ${mailbox}\nS: ...\nS: s OK [READ-WRITE] …`)
  return talk
}

async function deliver(imap: ImapFixture, count: number): Promise<void> {
  // Long ago, so that nothing is \Recent.
  for (let i = 0; i < count; i++) await imap.desk.deliver(ALICE, PLAIN, { internalDate: 0 })
}

test('STORE in all its forms', async () => {
  await using imap = await startImap()
  await deliver(imap, 2)
  await using talk = await selected(imap)
  await talk.play(`
    C: 1 STORE 1 +FLAGS (\\Seen $Work)
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)
    S: * 1 FETCH (FLAGS (\\Seen $Work))
    S: 1 OK Stored
    C: 2 STORE 1:2 FLAGS \\Flagged
    S: * 1 FETCH (FLAGS (\\Flagged))
    S: * 2 FETCH (FLAGS (\\Flagged))
    S: 2 OK Stored
    C: 3 STORE 1 -FLAGS (\\flagged)
    S: * 1 FETCH (FLAGS ())
    S: 3 OK Stored
    C: 4 STORE 2 +FLAGS.SILENT (\\Answered)
    S: 4 OK Stored
    C: 5 UID STORE 2 FLAGS ()
    S: * 2 FETCH (UID 2 FLAGS ())
    S: 5 OK Stored
    C: 6 UID STORE 99 +FLAGS (\\Seen)
    S: 6 OK Stored
    C: 7 STORE 3 +FLAGS (\\Seen)
    S: 7 BAD …
    C: 8 STORE 1 +FLAGS (\\Recent)
    S: * 1 FETCH (FLAGS ())
    S: 8 OK Stored
  `)
})

test('a silent STORE still tells what somebody else did', async () => {
  await using imap = await startImap()
  await deliver(imap, 2)
  await using talk = await selected(imap)
  await using other = await selected(imap)
  await other.play('C: 1 STORE 1 +FLAGS.SILENT (\\Answered)\nS: 1 OK …')
  await talk.play(`
    C: 1 STORE 1:2 +FLAGS.SILENT (\\Seen)
    S: * 1 FETCH (FLAGS (\\Seen \\Answered))
    S: 1 OK Stored
  `)
})

test('EXPUNGE and UID EXPUNGE', async () => {
  await using imap = await startImap()
  await deliver(imap, 5)
  await using talk = await selected(imap)
  await using other = await selected(imap)
  await talk.play(`
    C: 1 STORE 1,3,5 +FLAGS.SILENT (\\Deleted)
    S: 1 OK …
    C: 2 UID EXPUNGE 1:2,5
    S: * 5 EXPUNGE
    S: * 1 EXPUNGE
    S: 2 OK …
    C: 3 FETCH 1:* UID
    S: * 1 FETCH (UID 2)
    S: * 2 FETCH (UID 3)
    S: * 3 FETCH (UID 4)
    S: 3 OK …
    C: 4 EXPUNGE
    S: * 2 EXPUNGE
    S: 4 OK …
  `)
  await other.play(`
    C: 1 SEARCH ALL
    S: * SEARCH 1 2 3 4 5
    S: 1 OK …
    C: 2 UID SEARCH ALL
    S: * SEARCH 1 2 3 4 5
    S: * 5 EXPUNGE
    S: * 3 EXPUNGE
    S: * 1 EXPUNGE
    S: 2 OK …
    C: 3 NOOP
    S: 3 OK …
  `)
})

test('STORE and COPY of what somebody else removed (RFC 2180)', async () => {
  await using imap = await startImap()
  await deliver(imap, 3)
  await using talk = await selected(imap)
  await using other = await selected(imap)
  await other.play('C: 1 STORE 2 +FLAGS (\\Deleted)\nS: ...\nS: 1 OK …\nC: 2 EXPUNGE\nS: ...\nS: 2 OK …')
  await talk.play(`
    C: 1 STORE 1:3 +FLAGS (\\Seen)
    S: * 1 FETCH (FLAGS (\\Seen))
    S: * 3 FETCH (FLAGS (\\Seen))
    S: 1 NO [EXPUNGEISSUED] …
    C: 2 COPY 1:3 Archive
    S: * 2 EXPUNGE
    S: 2 NO [EXPUNGEISSUED] …
    C: 3 STATUS Archive (MESSAGES)
    S: * STATUS "Archive" (MESSAGES 0)
    S: 3 OK …
    C: 4 UID COPY 1:3 Archive
    S: 4 OK [COPYUID … 1,3 1:2] Copied
  `)
})

test('COPY and MOVE', async () => {
  await using imap = await startImap()
  await deliver(imap, 4)
  await imap.desk.deliver(ALICE, PLAIN, { mailbox: 'Archive', internalDate: 0 })
  await using talk = await selected(imap)
  await talk.play(`
    C: 1 STORE 2 FLAGS.SILENT (\\Seen $Work)
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)
    S: 1 OK …
    C: 2 COPY 1:2 Archive
    S: 2 OK [COPYUID … 1:2 2:3] Copied
    C: 3 COPY 1 Nowhere
    S: 3 NO [TRYCREATE] …
    C: 4 UID COPY 99 Archive
    S: 4 OK No messages to take
    C: 5 MOVE 1,3:4 Archive
    S: * OK [COPYUID … 1,3:4 4:6] Moved
    S: * 4 EXPUNGE
    S: * 3 EXPUNGE
    S: * 1 EXPUNGE
    S: 5 OK Moved
    C: 6 UID MOVE 2 Trash
    S: * OK [COPYUID … 2 1] Moved
    S: * 1 EXPUNGE
    S: 6 OK Moved
    C: 7 MOVE 1 Trash
    S: 7 BAD …
    C: 8 SELECT Trash
    S: ...
    S: 8 OK …
    C: 9 FETCH 1 (FLAGS INTERNALDATE)
    S: * 1 FETCH (FLAGS (\\Seen $Work \\Recent) INTERNALDATE " 1-Jan-1970 00:00:00 +0000")
    S: 9 OK …
    C: 10 COPY 1 Trash
    S: * 2 EXISTS
    S: * …RECENT
    S: 10 OK [COPYUID … 1 2] Copied
  `)
})

test('APPEND', async () => {
  await using imap = await startImap({ limits: { messageSize: 1000 } })
  await using talk = await imap.login()
  await talk.play(`
    C: 1 APPEND Drafts (\\Draft \\Seen $Later) "17-Jul-1996 02:44:25 -0700" {12}
    S: + …
    C: Subject: abc
    S: 1 OK [APPENDUID … 1] Appended
    C: 2 SELECT Drafts
    S: ...
    S: 2 OK …
    C: 3 FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])
    S: * 1 FETCH (FLAGS (\\Seen \\Draft $Later \\Recent) INTERNALDATE "17-Jul-1996 09:44:25 +0000" RFC822.SIZE 12 BODY[] {12}
    S: Subject: abc)
    S: 3 OK …
    C> 4 APPEND Drafts {7+}\\r\\nX: \\n\\xff\\0\\r\\r\\n
    S: * 2 EXISTS
    S: * …RECENT
    S: 4 OK [APPENDUID … 2] Appended
    C: 5 FETCH 2 RFC822.SIZE
    S: * 2 FETCH (RFC822.SIZE 7)
    S: 5 OK …
    C: 6 APPEND Nowhere {3}
    S: + …
    C: a:b
    S: 6 NO [TRYCREATE] …
    C: 7 APPEND Drafts {1001}
    S: 7 NO [TOOBIG] …
    C: 8 APPEND Drafts {0}
    S: + …
    C:
    S: 8 NO [CANNOT] …
    C: 9 APPEND Drafts "not a date" {3}
    S: …
  `)
})

test('an account that is full', async () => {
  await using imap = await startImap()
  await imap.desk.store.setQuota('alice', 1)
  await using talk = await imap.login()
  await talk.play(`
    C: 1 APPEND Drafts {5+}
    C: a: bc
    S: 1 NO [OVERQUOTA] …
  `)
})

test('an account that has no keys yet', async () => {
  await using imap = await startImap()
  imap.desk.wrap = (mail) =>
    Object.assign(mail, {
      append: async () => {
        throw new NoCertificate('no key')
      },
    })
  await using talk = await imap.login()
  await talk.play(`
    C: 1 APPEND Drafts {5+}
    C: a: bc
    S: 1 NO [UNAVAILABLE] Nothing can be kept here until you have set up your keys
  `)
})
