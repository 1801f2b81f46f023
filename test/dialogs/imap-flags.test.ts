/** Flags and keywords: which there may be, how many, and two clients that fight over them. */
import { test } from 'node:test'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, startImap } from '../support/imap-server.ts'

test('keywords have their limits, and system flags that nobody knows are not kept', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await imap.login()
  const many = Array.from({ length: 65 }, (_, index) => `k${index}`).join(' ')
  await talk.play(`
    C: 1 SELECT INBOX
    S: ...
    S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] …
    S: ...
    S: 1 OK …
    C: 2 STORE 1 +FLAGS (${'k'.repeat(101)})
    S: 2 NO [LIMIT] …
    C: 3 STORE 1 +FLAGS (${many})
    S: 3 NO [LIMIT] …
    C: 4 APPEND INBOX (${many}) {1+}
    C: x
    S: 4 NO [LIMIT] …
    C: 5 STORE 1 FLAGS (\\Seen \\Recent $Junk $NonJunk $Forwarded $MDNSent $Phishing)
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk $NonJunk $Forwarded $MDNSent $Phishing)
    S: * 1 FETCH (FLAGS (\\Seen $Junk $NonJunk $Forwarded $MDNSent $Phishing \\Recent))
    S: 5 OK …
    C: 6 STORE 1 -FLAGS ($JUNK $nonjunk $Forwarded)
    S: * 1 FETCH (FLAGS (\\Seen $MDNSent $Phishing \\Recent))
    S: 6 OK …
    C: 7 EXAMINE INBOX
    S: ...
    S: * OK [PERMANENTFLAGS ()] …
    S: ...
    S: 7 OK [READ-ONLY] …
    C: 8 STORE 1 FLAGS ()
    S: 8 NO [CANNOT] …
  `)
})

test('two clients fight over flags, and both know who won', async () => {
  await using imap = await startImap()
  for (let i = 0; i < 2; i++) await imap.desk.deliver(ALICE, PLAIN)
  await using one = await imap.login()
  await using other = await imap.login()
  await one.play('C: 1 EXAMINE INBOX\nS: ...\nS: 1 OK …\nC: 1 SELECT INBOX\nS: ...\nS: 1 OK …')
  await other.play('C: 1 SELECT INBOX\nS: ...\nS: 1 OK …')
  await one.play('C: 2 STORE 1:2 +FLAGS.SILENT (\\Flagged)\nS: 2 OK …')
  await other.play(`
    C: 2 STORE 1 FLAGS.SILENT (\\Seen)
    S: * 1 FETCH (FLAGS (\\Seen))
    S: * 2 FETCH (FLAGS (\\Flagged))
    S: 2 OK …
    C: 3 STORE 2 -FLAGS.SILENT (\\Flagged)
    S: 3 OK …
  `)
  await one.play(`
    C: 3 STORE 2 +FLAGS.SILENT (\\Draft)
    S: * 2 FETCH (FLAGS (\\Draft \\Recent))
    S: * 1 FETCH (FLAGS (\\Seen \\Recent))
    S: 3 OK …
    C: 4 STORE 2 +FLAGS (\\Deleted)
    S: * 2 FETCH (FLAGS (\\Deleted \\Draft \\Recent))
    S: 4 OK …
    C: 5 EXPUNGE
    S: * 2 EXPUNGE
    S: 5 OK …
  `)
  await other.play(`
    C: 4 STORE 2 FLAGS (\\Seen)
    S: 4 NO [EXPUNGEISSUED] …
    C: 5 UID STORE 2 FLAGS (\\Seen)
    S: * 2 EXPUNGE
    S: 5 OK …
  `)
})
