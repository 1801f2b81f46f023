/** APPEND of several messages, of parts of others, and in UTF-8 (RFC 3502, 4469, 6855, 3516, 7889). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALICE, startImap } from '../support/imap-server.ts'

test('several messages are appended all or not at all', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 SELECT INBOX
    S: ...
    S: 1 OK …
    C> 2 APPEND INBOX (\\\\Seen) {1+}\\r\\na "01-Jan-2026 10:00:00 +0000" {1+}\\r\\nb ($Later) {1+}\\r\\nc\\r\\n
    S: ...
    S: * 3 EXISTS
    S: ...
    S: 2 OK [APPENDUID … 1:3] Appended
    C: 3 FETCH 1:* (FLAGS BODY.PEEK[])
    S: * FLAGS (… $Later)
    S: * 1 FETCH (FLAGS (…\\Seen…) BODY[] {1}
    S: a)
    S: * 2 FETCH (FLAGS (…) BODY[] {1}
    S: b)
    S: * 3 FETCH (FLAGS (…$Later…) BODY[] {1}
    S: c)
    S: 3 OK …
    C> 4 APPEND INBOX {1+}\\r\\nd {0+}\\r\\n\\r\\n
    S: 4 NO [CANNOT] …
    C> 5 APPEND missing {1+}\\r\\nd {1+}\\r\\ne\\r\\n
    S: 5 NO [TRYCREATE] …
    C: 6 STATUS INBOX (MESSAGES)
    S: * STATUS "INBOX" (MESSAGES 3)
    S: 6 OK …
  `)
  await imap.desk.store.setQuota('alice', 6_000)
  await talk.play(`
    C> 7 APPEND INBOX {1+}\\r\\nd {4000+}\\r\\n${'x'.repeat(4000)}\\r\\n
    S: 7 NO [OVERQUOTA] …
    C: 8 STATUS INBOX (MESSAGES)
    S: * STATUS "INBOX" (MESSAGES 3)
    S: 8 OK …
  `)
})

test('a message is put together from parts of others', async () => {
  await using imap = await startImap({ limits: { messageSize: 300 } })
  const forwarded = 'Subject: one\r\nTo: a@alpha.test\r\n\r\nfirst line\r\n'
  const { uidValidity } = await imap.desk.deliver(ALICE, forwarded, { mailbox: 'Drafts' })
  await using talk = await imap.login()
  const said = (url: string) => `/Drafts;UIDVALIDITY=${uidValidity}/;UID=1${url}`
  await talk.play(`
    C> 1 APPEND Sent CATENATE (URL "${said('/;SECTION=HEADER')}" TEXT {6+}\\r\\nnew \\r\\n URL "${said('/;SECTION=TEXT')}")\\r\\n
    S: 1 OK [APPENDUID … 1] Appended
    C: 2 EXAMINE Sent
    S: ...
    S: 2 OK …
    C: 3 FETCH 1 BODY[]
    S: * 1 FETCH (BODY[] {${forwarded.length + 6}}
    S: Subject: one
    S: To: a@alpha.test
    S: 
    S: new 
    S: first line
    S: )
    S: 3 OK …
    # Of the mailbox that is selected, and some octets of it.
    C: 4 APPEND Trash CATENATE (URL ";UID=1/;PARTIAL=9.3" URL "/Drafts;UID=1/;SECTION=HEADER.FIELDS%20(To)")
    S: 4 OK [APPENDUID … 1] Appended
    C: 5 APPEND Sent CATENATE (URL "/Drafts;UIDVALIDITY=1/;UID=1")
    S: 5 NO [BADURL "/Drafts;UIDVALIDITY=1/;UID=1"] …
    C: 6 APPEND Sent CATENATE (URL "/Drafts;UID=2")
    S: 6 NO [BADURL "/Drafts;UID=2"] …
    C: 7 APPEND Sent CATENATE (URL "/Drafts;UID=1/;SECTION=7")
    S: 7 NO [BADURL …] …
    C: 8 APPEND Sent CATENATE (URL "imap://other.test/INBOX;UID=1")
    S: 8 NO [BADURL …] …
    C: 9 APPEND Sent CATENATE (${Array(8).fill('URL "/Drafts;UID=1"').join(' ')})
    S: 9 NO [TOOBIG] …
    C: 10 STATUS Sent (MESSAGES)
    S: * STATUS "Sent" (MESSAGES 1)
    S: 10 OK …
  `)
  const trash = await imap.desk.mail(ALICE)
  const { id } = (await trash.mailboxes()).find(({ name }) => name === 'Trash')!
  assert.equal(Buffer.from((await trash.read(id, 1))!).toString(), 'oneTo: a@alpha.test\r\n\r\n')
})

test('headers and names of mailboxes in UTF-8', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 CREATE "Entw&APw-rfe"
    S: 1 OK …
    C> 2 APPEND INBOX UTF8 (~{15+}\\r\\nSubject: \\xC3\\xA9\\r\\n\\r\\n)\\r\\n
    S: 2 BAD …
    C: 3 ENABLE UTF8=ACCEPT
    S: * ENABLED UTF8=ACCEPT
    S: 3 OK …
    C> 4 APPEND INBOX UTF8 (~{15+}\\r\\nSubject: \\xC3\\xA9\\r\\n\\r\\n)\\r\\n
    S: 4 OK [APPENDUID … 1] Appended
    C: 5 LIST "" "Entw*"
    S: * LIST (\\HasNoChildren) "/" "Entwürfe"
    S: 5 OK …
    C: 6 STATUS "Entwürfe" (MESSAGES)
    S: * STATUS "Entwürfe" (MESSAGES 0)
    S: 6 OK …
    # Modified UTF-7 means nothing now.
    C: 7 CREATE "&APw-"
    S: 7 OK …
    C: 8 LIST "" "&*"
    S: * LIST (\\HasNoChildren) "/" "&APw-"
    S: 8 OK …
  `)
})

test('a message larger than the limit is refused before it is sent', async () => {
  await using imap = await startImap({ limits: { messageSize: 100 } })
  await using talk = await imap.login()
  await talk.play(`
    C: 1 APPEND INBOX {101}
    S: 1 NO [TOOBIG] …
    # RFC 7889 counts each message; what all of one command hold together is bounded too.
    C: 2 APPEND INBOX ~{3}
    S: + …
    C> \\x00\\xFF\\x01\\r\\n
    S: 2 OK …
  `)
})
