import { test } from 'node:test'
import { TooManyMailboxes } from '#custody/store/mail-store.ts'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, startImap } from '../support/imap-server.ts'

test('LIST, its wildcards and the delimiter', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 LIST "" ""
    S: * LIST (\\Noselect) "/" ""
    S: 1 OK …
    C: 2 CREATE Lists/imap/old
    S: 2 OK …
    C: 3 LIST "" "*"
    S: * LIST (\\HasNoChildren \\Archive) "/" "Archive"
    S: * LIST (\\HasNoChildren \\Drafts) "/" "Drafts"
    S: * LIST (\\HasNoChildren) "/" "INBOX"
    S: * LIST (\\HasNoChildren \\Junk) "/" "Junk"
    S: * LIST (\\HasChildren) "/" "Lists"
    S: * LIST (\\HasChildren) "/" "Lists/imap"
    S: * LIST (\\HasNoChildren) "/" "Lists/imap/old"
    S: * LIST (\\HasNoChildren \\Sent) "/" "Sent"
    S: * LIST (\\HasNoChildren \\Trash) "/" "Trash"
    S: 3 OK …
    C: 4 LIST "Lists/" %
    S: * LIST (\\HasChildren) "/" "Lists/imap"
    S: 4 OK …
    C: 5 LIST "" inbox
    S: * LIST (\\HasNoChildren) "/" "INBOX"
    S: 5 OK …
    C: 6 LIST "" nothing
    S: 6 OK …
    C: 7 DELETE Lists/imap
    S: 7 OK …
    C: 8 LIST "" Lists/%
    S: * LIST (\\Noselect \\HasChildren) "/" "Lists/imap"
    S: 8 OK …
    C: 9 SELECT Lists/imap
    S: 9 NO [NONEXISTENT] …
  `)
})

test('LIST with selection and return options', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 CREATE Work/2026
    S: 1 OK …
    C: 2 SUBSCRIBE Work/2026
    S: 2 OK …
    C: 3 LIST (SUBSCRIBED) "" ("Work*" INBOX)
    S: * LIST (\\HasNoChildren \\Subscribed) "/" "INBOX"
    S: * LIST (\\HasNoChildren \\Subscribed) "/" "Work/2026"
    S: 3 OK …
    C: 4 LIST (SUBSCRIBED RECURSIVEMATCH) "" W%
    S: * LIST (\\HasChildren) "/" "Work" ("CHILDINFO" ("SUBSCRIBED"))
    S: 4 OK …
    C: 5 LIST (SPECIAL-USE) "" *
    S: * LIST (\\HasNoChildren \\Archive) "/" "Archive"
    S: * LIST (\\HasNoChildren \\Drafts) "/" "Drafts"
    S: * LIST (\\HasNoChildren \\Junk) "/" "Junk"
    S: * LIST (\\HasNoChildren \\Sent) "/" "Sent"
    S: * LIST (\\HasNoChildren \\Trash) "/" "Trash"
    S: 5 OK …
    C: 6 LIST "" (INBOX Sent) RETURN (SUBSCRIBED CHILDREN STATUS (MESSAGES UNSEEN))
    S: * LIST (\\HasNoChildren \\Subscribed) "/" "INBOX"
    S: * STATUS "INBOX" (MESSAGES 0 UNSEEN 0)
    S: * LIST (\\HasNoChildren \\Subscribed \\Sent) "/" "Sent"
    S: * STATUS "Sent" (MESSAGES 0 UNSEEN 0)
    S: 6 OK …
    C: 7 LIST (RECURSIVEMATCH) "" *
    S: 7 BAD …
    C: 8 DELETE Work/2026
    S: 8 OK …
    C: 9 LIST (SUBSCRIBED) "" Work*
    S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" "Work/2026"
    S: 9 OK …
  `)
})

test('LIST: superiors of what is looked for, remote mailboxes, several patterns, and rev2', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 DELETE Junk
    S: 1 OK …
    C: 2 CREATE Old/Spam (USE (\\Junk))
    S: 2 OK …
    C: 3 SUBSCRIBE Old/Spam
    S: 3 OK …
    C: 4 LIST (SPECIAL-USE RECURSIVEMATCH) "" O%
    S: * LIST (\\HasChildren) "/" "Old" ("CHILDINFO" ("SPECIAL-USE"))
    S: 4 OK …
    C: 5 LIST (SPECIAL-USE SUBSCRIBED RECURSIVEMATCH) "" (Old Old/*)
    S: * LIST (\\HasChildren) "/" "Old" ("CHILDINFO" ("SUBSCRIBED" "SPECIAL-USE"))
    S: * LIST (\\HasNoChildren \\Subscribed \\Junk) "/" "Old/Spam"
    S: 5 OK …
    # There are none, and the others are listed all the same.
    C: 6 LIST (REMOTE) "" INBOX
    S: * LIST (\\HasNoChildren) "/" "INBOX"
    S: 6 OK …
    C: 7 LIST (REMOTE RECURSIVEMATCH) "" *
    S: 7 BAD …
    C: 8 LIST () "Old/" (%) RETURN (SPECIAL-USE CHILDREN)
    S: * LIST (\\HasNoChildren \\Junk) "/" "Old/Spam"
    S: 8 OK …
    C: 9 DELETE Old
    S: 9 OK …
    C: 10 LIST "" Old
    S: * LIST (\\Noselect \\HasChildren) "/" "Old"
    S: 10 OK …
    C: 11 ENABLE IMAP4rev2
    S: * ENABLED IMAP4rev2
    S: 11 OK …
    C: 12 LIST "" Old
    S: * LIST (\\NonExistent \\HasChildren) "/" "Old"
    S: 12 OK …
    C: 13 SELECT Old/Spam
    S: ...
    S: 13 OK …
    C: 14 DELETE Old/Spam
    S: * OK [CLOSED] …
    S: 14 OK …
    C: 15 CHECK
    S: 15 BAD …
  `)
})

test('LSUB and subscriptions that outlive their mailbox', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 CREATE a/b
    S: 1 OK …
    C: 2 SUBSCRIBE a/b
    S: 2 OK …
    C: 3 SUBSCRIBE missing
    S: 3 NO [NONEXISTENT] …
    C: 4 UNSUBSCRIBE Junk
    S: 4 OK …
    C: 5 LSUB "" *
    S: * LSUB () "/" "Archive"
    S: * LSUB () "/" "Drafts"
    S: * LSUB () "/" "INBOX"
    S: * LSUB () "/" "Sent"
    S: * LSUB () "/" "Trash"
    S: * LSUB () "/" "a/b"
    S: 5 OK …
    C: 6 LSUB "" a%
    S: * LSUB (\\Noselect) "/" "a"
    S: 6 OK …
    C: 7 DELETE a/b
    S: 7 OK …
    C: 8 LSUB "" a/*
    S: * LSUB (\\Noselect) "/" "a/b"
    S: 8 OK …
    C: 9 UNSUBSCRIBE a/b
    S: 9 OK …
    C: 10 LSUB "" a/*
    S: 10 OK …
    C: 11 LSUB "" ""
    S: * LSUB (\\Noselect) "/" ""
    S: 11 OK …
  `)
})

test('CREATE, DELETE and RENAME, and what they refuse', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await imap.desk.deliver(ALICE, PLAIN)
  await talk.play(`
    C: 1 CREATE INBOX
    S: 1 NO [ALREADYEXISTS] …
    C: 2 CREATE Later/
    S: 2 OK …
    C: 3 CREATE later
    S: 3 OK …
    C: 4 CREATE a//b
    S: 4 NO [CANNOT] …
    C: 5 CREATE "a*b"
    S: 5 NO [CANNOT] …
    C: 6 DELETE INBOX
    S: 6 NO [CANNOT] …
    C: 7 DELETE missing
    S: 7 NO [NONEXISTENT] …
    C: 8 RENAME Later Archive
    S: 8 NO [ALREADYEXISTS] …
    C: 9 RENAME missing other
    S: 9 NO [NONEXISTENT] …
    C: 10 RENAME Later "Much later/Still"
    S: 10 OK …
    C: 11 LIST "" M*
    S: * LIST (\\HasChildren) "/" "Much later"
    S: * LIST (\\HasNoChildren) "/" "Much later/Still"
    S: 11 OK …
    C: 12 RENAME INBOX Old
    S: 12 OK …
    C: 13 STATUS Old (MESSAGES)
    S: * STATUS "Old" (MESSAGES 1)
    S: 13 OK …
    C: 14 STATUS INBOX (MESSAGES)
    S: * STATUS "INBOX" (MESSAGES 0)
    S: 14 OK …
    C: 15 CREATE "Rechnungen" (USE (\\Archive))
    S: 15 NO [USEATTR] …
    C: 16 DELETE Archive
    S: 16 OK …
    C: 17 CREATE "Rechnungen" (USE (\\archive))
    S: 17 OK …
    C: 18 LIST "" Rechnungen
    S: * LIST (\\HasNoChildren \\Archive) "/" "Rechnungen"
    S: 18 OK …
    C: 19 CREATE x (USE (\\Flagged))
    S: 19 NO [USEATTR] …
  `)
})

test('names beyond ASCII are modified UTF-7 on the wire', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 CREATE "Entw&APw-rfe"
    S: 1 OK …
    C: 2 LIST "" E*
    S: * LIST (\\HasNoChildren) "/" "Entw&APw-rfe"
    S: 2 OK …
    C: 3 CREATE "R&-D"
    S: 3 OK …
    C: 4 STATUS R&-D (UIDNEXT)
    S: * STATUS "R&-D" (UIDNEXT 1)
    S: 4 OK …
  `)
})

test('a client that knows rev2 hears which name a mailbox really got', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 ENABLE IMAP4rev2
    S: ...
    S: 1 OK …
    C> 2 CREATE "Cafe\\xCC\\x81"\\r\\n
    S: * LIST () "/" "Caf\u00e9" ("OLDNAME" ("Cafe\u0301"))
    S: 2 OK …
    C: 3 CREATE a/
    S: 3 OK …
    C> 4 RENAME a "u\\xCC\\x88/b"\\r\\n
    S: * LIST () "/" "\u00fc/b" ("OLDNAME" ("u\u0308/b"))
    S: 4 OK …
    C> 5 CREATE "a\\xE2\\x80\\xA8b"\\r\\n
    S: 5 BAD …
    C> 6 SELECT "Cafe\\xCC\\x81"\\r\\n
    S: ...
    S: * LIST () "/" "Caf\u00e9" ("OLDNAME" ("Cafe\u0301"))
    S: 6 OK …
  `)
})

test('more mailboxes than there may be', async () => {
  await using imap = await startImap()
  imap.desk.wrap = (mail) =>
    Object.assign(mail, {
      createMailbox: async () => {
        throw new TooManyMailboxes('too many mailboxes')
      },
    })
  await using talk = await imap.login()
  await talk.play('C: 1 CREATE a\nS: 1 NO [LIMIT] …')
})

test('STATUS', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN)
  await imap.desk.deliver(ALICE, PLAIN, { flags: ['\\Seen'] })
  await using talk = await imap.login()
  await talk.play(`
    C: 1 STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)
    S: * STATUS "INBOX" (MESSAGES 2 RECENT 2 UIDNEXT 3 UIDVALIDITY … UNSEEN 1)
    S: 1 OK …
    C: 2 STATUS missing (MESSAGES)
    S: 2 NO [NONEXISTENT] …
    C: 3 STATUS INBOX (NONSENSE)
    S: 3 BAD …
    C: 4 SELECT INBOX
    S: ...
    S: 4 OK …
    C: 5 UNSELECT
    S: 5 OK …
    C: 6 STATUS INBOX (RECENT)
    S: * STATUS "INBOX" (RECENT 0)
    S: 6 OK …
  `)
})
