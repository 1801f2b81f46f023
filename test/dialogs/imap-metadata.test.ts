/** Annotations of mailboxes and of the server (RFC 5464). */
import { test } from 'node:test'
import { BOB, startImap } from '../support/imap-server.ts'

test('annotations are set, told and removed', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 SETMETADATA INBOX (/private/comment "My new comment" /shared/comment "seen by all")
    S: 1 OK …
    C: 2 GETMETADATA INBOX (/PRIVATE/Comment /private/other)
    S: * METADATA "INBOX" (/private/comment "My new comment" /private/other NIL)
    S: 2 OK Told
    C> 3 SETMETADATA INBOX (/private/vendor/x/picture ~{4+}\\r\\n\\x00\\xFFab /private/vendor/x/y "" /private/comment NIL)\\r\\n
    S: 3 OK …
    C: 4 GETMETADATA (DEPTH infinity) INBOX /private
    S: * METADATA "INBOX" (/private/vendor/x/picture ~{4}
    S: …ab /private/vendor/x/y "")
    S: 4 OK …
    C: 5 GETMETADATA (DEPTH 1) INBOX (/private/vendor /shared)
    S: * METADATA "INBOX" (/shared/comment "seen by all")
    S: 5 OK …
    C: 6 GETMETADATA (MAXSIZE 3 DEPTH 1) INBOX /private/vendor/x
    S: * METADATA "INBOX" (/private/vendor/x/y "")
    S: 6 OK [METADATA LONGENTRIES 4] …
    C: 7 GETMETADATA INBOX (MAXSIZE 1) /private/vendor/x/picture
    S: 7 OK [METADATA LONGENTRIES 4] …
    C: 8 GETMETADATA Drafts /private/specialuse
    S: * METADATA "Drafts" (/private/specialuse "\\\\Drafts")
    S: 8 OK …
  `)
})

test('of the server: what is private can be set, and is only its own', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 SETMETADATA "" (/private/comment "mine")
    S: 1 OK …
    C: 2 SETMETADATA "" (/shared/comment "everybody's")
    S: 2 NO [NOPERM] …
    C: 3 GETMETADATA "" (/private/comment /shared/admin /shared/comment)
    S: * METADATA "" (/private/comment "mine" /shared/admin NIL /shared/comment NIL)
    S: 3 OK …
  `)
  await using other = await imap.login(BOB)
  await other.play(`
    C: 1 GETMETADATA "" /private/comment
    S: * METADATA "" (/private/comment NIL)
    S: 1 OK …
  `)
})

test('annotations stay when a mailbox is renamed, and go with it', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 CREATE a
    S: 1 OK …
    C: 2 SETMETADATA a (/private/comment "x")
    S: 2 OK …
    C: 3 RENAME a b
    S: 3 OK …
    C: 4 GETMETADATA b /private/comment
    S: * METADATA "b" (/private/comment "x")
    S: 4 OK …
    C: 5 DELETE b
    S: 5 OK …
    C: 6 CREATE b
    S: 6 OK …
    C: 7 GETMETADATA b /private/comment
    S: * METADATA "b" (/private/comment NIL)
    S: 7 OK …
  `)
})

test('what is refused', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  const many = Array.from({ length: 65 }, (_, n) => `/private/${n} "x"`).join(' ')
  await talk.play(`
    C: 1 GETMETADATA missing /private/comment
    S: 1 NO [NONEXISTENT] …
    C: 2 GETMETADATA INBOX /private//comment
    S: 2 BAD …
    C: 3 GETMETADATA INBOX "/private/*"
    S: 3 BAD …
    C: 4 SETMETADATA INBOX (/vendor/x "y")
    S: 4 BAD …
    C> 5 SETMETADATA INBOX (/private/x {16385}\\r\\n
    S: + …
    C: ${'x'.repeat(16_385)})
    S: 5 NO [METADATA MAXSIZE 16384] …
    C: 6 SETMETADATA INBOX (${many})
    S: 6 NO [METADATA TOOMANY] …
    C: 7 GETMETADATA (DEPTH infinity) INBOX /private
    S: 7 OK Told
    C: 8 SETMETADATA INBOX (/private/specialuse "\\\\Junk")
    S: 8 NO [USEATTR] …
  `)
})
