import { test } from 'node:test'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, startImap } from '../support/imap-server.ts'

test('SELECT says all that RFC 3501 §6.3.1 wants', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN, { flags: ['\\Seen'] })
  await imap.desk.deliver(ALICE, PLAIN, { flags: ['$Junk'] })
  await using talk = await imap.login()
  await talk.play(`
    C: 1 SELECT inbox
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk)
    S: * 2 EXISTS
    S: * 2 RECENT
    S: * OK [UNSEEN 2] …
    S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk \\*)] …
    S: * OK [UIDVALIDITY …] …
    S: * OK [UIDNEXT 3] …
    S: * OK [HIGHESTMODSEQ …] …
    S: * OK [MAILBOXID (F…)] …
    S: 1 OK [READ-WRITE] …
    C: 2 EXAMINE Sent
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
    S: * 0 EXISTS
    S: * 0 RECENT
    S: * OK [PERMANENTFLAGS ()] …
    S: * OK [UIDVALIDITY …] …
    S: * OK [UIDNEXT 1] …
    S: * OK [HIGHESTMODSEQ …] …
    S: * OK [MAILBOXID (F…)] …
    S: 2 OK [READ-ONLY] …
    C: 3 STORE 1:* +FLAGS (\\Seen)
    S: 3 NO [CANNOT] …
    C: 4 EXPUNGE
    S: 4 NO [CANNOT] …
    C: 5 CHECK
    S: 5 OK …
    C: 6 CLOSE
    S: 6 OK …
    C: 7 CLOSE
    S: 7 BAD Select a mailbox first
    C: 8 SELECT INBOX (QRESYNC (1 1))
    S: 8 BAD Enable QRESYNC first
  `)
})

test('a SELECT that fails leaves nothing selected', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 SELECT INBOX
    S: ...
    S: 1 OK …
    C: 2 SELECT missing
    S: 2 NO [NONEXISTENT] …
    C: 3 FETCH 1 FLAGS
    S: 3 BAD Select a mailbox first
  `)
})

test('CLOSE removes what has \\Deleted, UNSELECT and a mere reader do not', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN, { flags: ['\\Deleted'] })
  await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await imap.login()
  for (const [select, leave, left] of [
    ['SELECT', 'UNSELECT', 2],
    ['EXAMINE', 'CLOSE', 2],
    ['SELECT', 'CLOSE', 1],
  ] as const) {
    await talk.play(`
      C: 1 ${select} INBOX
      S: ...
      S: 1 OK …
      C: 2 ${leave}
      S: 2 OK …
      C: 3 STATUS INBOX (MESSAGES)
      S: * STATUS "INBOX" (MESSAGES ${left})
      S: 3 OK …
    `)
  }
})

test('UIDVALIDITY is another one when a name is made again', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  const make = async () => {
    const lines = await talk.play(`
      C: 1 CREATE again
      S: 1 OK …
      C: 2 STATUS again (UIDVALIDITY)
      S: * STATUS "again" (UIDVALIDITY …)
      S: 2 OK …
      C: 3 DELETE again
      S: 3 OK …
    `)
    return lines[1]
  }
  const first = await make()
  const second = await make()
  if (first === second) throw new Error(`UIDVALIDITY came twice: ${first}`)
})

test('a selected mailbox that somebody else deletes', async () => {
  await using imap = await startImap()
  await using other = await imap.login()
  await other.play('C: 1 CREATE doomed\nS: 1 OK …')
  await using talk = await imap.login()
  await using waiting = await imap.login()
  await talk.play('C: 1 SELECT doomed\nS: ...\nS: 1 OK …')
  await waiting.play('C: 1 SELECT doomed\nS: ...\nS: 1 OK …\nC: 2 IDLE\nS: + …')
  await other.play('C: 2 SELECT doomed\nS: ...\nS: 2 OK …\nC: 3 DELETE doomed\nS: 3 OK …\nC: 4 FETCH 1 UID\nS: 4 BAD …')
  await talk.play('C: 2 NOOP\nS: * BYE The selected mailbox was deleted\nCLOSED')
  await waiting.play('S: * BYE The selected mailbox was deleted\nCLOSED')
})

test('a selected mailbox that is renamed stays selected', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN, { mailbox: 'Archive' })
  await using talk = await imap.login()
  await talk.play(`
    C: 1 SELECT Archive
    S: ...
    S: 1 OK …
    C: 2 RENAME Archive Keep
    S: 2 OK …
    C: 3 FETCH 1 UID
    S: * 1 FETCH (UID 1)
    S: 3 OK …
  `)
})
