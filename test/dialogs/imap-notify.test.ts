/** NOTIFY (RFC 5465): news of all mailboxes at any time, as far as a client asked for them. */
import { test } from 'node:test'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, type ImapFixture, startImap } from '../support/imap-server.ts'

const SMALL = 'Subject: news\r\n\r\nhere\r\n'

/** The store is asked for a status (`asking`) and waits with it (until `answering`). */
function holdStatus(imap: ImapFixture) {
  const asking = Promise.withResolvers<void>()
  const answering = Promise.withResolvers<void>()
  imap.desk.wrap = (mail) => {
    const status = mail.status.bind(mail)
    return Object.assign(mail, {
      async status(id: number) {
        asking.resolve()
        await answering.promise
        return status(id)
      },
    })
  }
  return { asking, answering }
}

test('the selected mailbox is told of while no command is done', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await imap.login()
  await using other = await imap.login()
  await talk.play(`
    C: 1 SELECT INBOX
    S: ...
    S: 1 OK …
    C: 2 NOTIFY SET (SELECTED (MessageNew (UID BODY.PEEK[HEADER.FIELDS (Subject)]) MessageExpunge FlagChange))
    S: 2 OK …
  `)
  await imap.desk.deliver(ALICE, SMALL)
  await talk.play(`
    S: * 2 EXISTS
    S: * 2 RECENT
    S: * 2 FETCH (UID 2 BODY[HEADER.FIELDS (Subject)] {17}
    S: Subject: news
    S: 
    S: )
  `)
  await other.play('C: 1 SELECT INBOX\nS: ...\nS: 1 OK …\nC: 2 STORE 1 +FLAGS.SILENT (\\Deleted)\nS: 2 OK …')
  await talk.play('S: * 1 FETCH (UID 1 FLAGS (…\\Deleted…))')
  await other.play('C: 3 EXPUNGE\nS: ...\nS: 3 OK …')
  await talk.play(`
    S: * 1 EXPUNGE
    C: 3 UID FETCH 2 (UID)
    S: * 1 FETCH (UID 2)
    S: 3 OK …
  `)
})

test('SELECTED-DELAYED keeps EXPUNGE back until a command allows it', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await imap.login()
  await talk.play(`
    C: 1 SELECT INBOX
    S: ...
    S: 1 OK …
    C: 2 NOTIFY SET (SELECTED-DELAYED (MessageNew MessageExpunge))
    S: 2 OK …
  `)
  const mail = await imap.desk.mail(ALICE)
  const { id } = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!
  // Flags were not asked for.
  await mail.setFlags(id, [1], { mode: 'add', flags: ['\\Deleted'] })
  await mail.expunge(id)
  await imap.desk.deliver(ALICE, SMALL)
  await talk.play(`
    S: * 2 EXISTS
    S: * 2 RECENT
    C: 3 FETCH 2 (UID)
    S: * 2 FETCH (UID 2)
    S: 3 OK …
    C: 4 NOOP
    S: * 1 EXPUNGE
    S: 4 OK …
  `)
})

test('other mailboxes are told of by STATUS', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 SELECT INBOX
    S: ...
    S: 1 OK …
    C: 2 CREATE Lists/imap
    S: 2 OK …
    C: 3 NOTIFY SET STATUS (MAILBOXES Junk NONE) (SUBTREE Lists (MessageNew MessageExpunge FlagChange)) (MAILBOXES (Sent missing) (MessageNew MessageExpunge))
    S: * STATUS "Lists" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY … UNSEEN 0 HIGHESTMODSEQ …)
    S: * STATUS "Lists/imap" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY … UNSEEN 0 HIGHESTMODSEQ …)
    S: * STATUS "Sent" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY …)
    S: 3 OK …
  `)
  await imap.desk.deliver(ALICE, SMALL, { mailbox: 'Junk' })
  await imap.desk.deliver(ALICE, SMALL)
  await imap.desk.deliver(ALICE, SMALL, { mailbox: 'Sent' })
  await talk.play('S: * STATUS "Sent" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY …)')
  const mail = await imap.desk.mail(ALICE)
  const idOf = async (wanted: string) => (await mail.mailboxes()).find(({ name }) => name === wanted)!.id
  // Flags of Sent were not asked for.
  await mail.setFlags(await idOf('Sent'), [1], { mode: 'add', flags: ['\\Seen'] })
  await imap.desk.deliver(ALICE, SMALL, { mailbox: 'Lists/imap' })
  await talk.play('S: * STATUS "Lists/imap" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY … UNSEEN 1 HIGHESTMODSEQ …)')
  await mail.setFlags(await idOf('Lists/imap'), [1], { mode: 'add', flags: ['\\Seen'] })
  await talk.play(`
    S: * STATUS "Lists/imap" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY … UNSEEN 0 HIGHESTMODSEQ …)
    # Of the selected mailbox nothing was asked for.
    C: 4 NOOP
    S: 4 OK …
    C: 5 NOTIFY NONE
    S: * 1 EXISTS
    S: * 1 RECENT
    S: 5 OK …
  `)
  await imap.desk.deliver(ALICE, SMALL, { mailbox: 'Sent' })
  await talk.play('C: 6 NOOP\nS: 6 OK …')
})

test('names, subscriptions and annotations', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await using other = await imap.login()
  await talk.play(`
    C: 1 NOTIFY SET (PERSONAL (MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange))
    S: 1 OK …
  `)
  await other.play('C: 1 CREATE a/b\nS: 1 OK …')
  await talk.play('S: * LIST (\\HasChildren) "/" "a"\nS: * LIST (\\HasNoChildren) "/" "a/b"')
  await other.play('C: 2 RENAME a/b c\nS: 2 OK …')
  await talk.play('S: * LIST (\\HasNoChildren) "/" "c" ("OLDNAME" ("a/b"))')
  await other.play('C: 3 SUBSCRIBE c\nS: 3 OK …')
  await talk.play('S: * LIST (\\HasNoChildren \\Subscribed) "/" "c"')
  await other.play('C: 4 SETMETADATA c (/private/comment "x" /shared/comment "y")\nS: 4 OK …')
  await talk.play('S: * METADATA "c" /private/comment /shared/comment')
  await other.play('C: 5 SETMETADATA "" (/private/comment "x")\nS: 5 OK …')
  await talk.play('S: * METADATA "" /private/comment')
  await other.play('C: 6 DELETE c\nS: 6 OK …')
  await talk.play('S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" "c"')
  await other.play('C: 7 UNSUBSCRIBE c\nS: 7 OK …')
  await talk.play(`
    S: * LIST (\\NonExistent \\HasNoChildren) "/" "c"
    # What the client did itself needs not be told.
    C: 2 CREATE d/e
    S: 2 OK …
    C: 3 SUBSCRIBE d/e
    S: 3 OK …
    C: 4 SETMETADATA "" (/private/comment NIL)
    S: 4 OK …
    C: 5 NOOP
    S: 5 OK …
  `)
})

test('what was asked for is told in IDLE too', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await imap.login()
  await talk.play(`
    C: 1 SELECT INBOX
    S: ...
    S: 1 OK …
    C: 2 NOTIFY SET (SELECTED-DELAYED (MessageNew (UID) MessageExpunge)) (MAILBOXES Sent (MessageNew MessageExpunge))
    S: 2 OK …
    C: 3 IDLE
    S: + …
  `)
  await imap.desk.deliver(ALICE, SMALL)
  await talk.play('S: * 2 EXISTS\nS: * 2 RECENT\nS: * 2 FETCH (UID 2)')
  await imap.desk.deliver(ALICE, SMALL, { mailbox: 'Sent' })
  await talk.play('S: * STATUS "Sent" (MESSAGES 1 …)')
  const mail = await imap.desk.mail(ALICE)
  const { id } = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!
  await mail.setFlags(id, [1], { mode: 'add', flags: ['\\Deleted'] })
  await mail.expunge(id)
  await talk.play('S: * 1 EXPUNGE\nC: DONE\nS: 3 OK …')
})

test('in IDLE a client that asked for nothing hears nothing', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 SELECT INBOX
    S: ...
    S: 1 OK …
    C: 2 NOTIFY NONE
    S: 2 OK …
    C: 3 IDLE
    S: + …
  `)
  await imap.desk.deliver(ALICE, SMALL)
  await talk.play('C: DONE\nS: 3 OK …')
})

test('a client that leaves with news untold is let go', async () => {
  await using imap = await startImap()
  const { asking, answering } = holdStatus(imap)
  const talk = await imap.login()
  await talk.play(`
    C: 1 NOTIFY SET (PERSONAL (MessageNew MessageExpunge MailboxName))
    S: 1 OK …
  `)
  await imap.desk.deliver(ALICE, SMALL)
  await asking.promise
  await imap.desk.deliver(ALICE, SMALL, { mailbox: 'Sent' })
  await talk[Symbol.asyncDispose]()
  while (imap.desk.open > 0) await new Promise(setImmediate)
  answering.resolve()
  await using again = await imap.login()
  await again.play('C: 1 NOOP\nS: 1 OK …')
})

test('a client that cannot be told all is told so, and then nothing', async () => {
  await using imap = await startImap()
  const { asking, answering } = holdStatus(imap)
  await using talk = await imap.login()
  await talk.play(`
    C: 1 NOTIFY SET (PERSONAL (MailboxName ServerMetadataChange))
    S: 1 OK …
    C: 2 STATUS INBOX (MESSAGES)
  `)
  await asking.promise
  const mail = await imap.desk.mail(ALICE)
  const value = Buffer.from('x')
  for (let n = 0; n <= 1000; n++) {
    await mail.annotate(null, [[`/private/${n}`, value]])
    await mail.annotate(null, [[`/private/${n}`, null]])
  }
  answering.resolve()
  await talk.play('S: * STATUS "INBOX" (MESSAGES 0)\nS: 2 OK …\nS: * OK [NOTIFICATIONOVERFLOW] …')
  await mail.createMailbox('unheard')
  await talk.play('C: 3 NOOP\nS: 3 OK …')
})

test('what makes no sense, and what is not supported', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  const events =
    'MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange'
  await talk.play(`
    C: 1 NOTIFY SET (PERSONAL (MessageNew))
    S: 1 BAD …
    C: 2 NOTIFY SET (PERSONAL (FlagChange))
    S: 2 BAD …
    C: 3 NOTIFY SET (SELECTED (MessageNew MessageExpunge MailboxName))
    S: 3 BAD …
    C: 4 NOTIFY SET (SELECTED (MessageNew MessageExpunge)) (SELECTED-DELAYED (MessageNew MessageExpunge))
    S: 4 BAD …
    C: 5 NOTIFY SET (PERSONAL (MessageNew MessageExpunge AnnotationChange))
    S: 5 NO [BADEVENT (${events})] …
  `)
})
