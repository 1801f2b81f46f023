import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AccountMail, MessageUnreadable } from '#custody/store/mail-store.ts'
import { BROKEN, MULTIPART, PLAIN } from '../support/imap-messages.ts'
import { ALICE, type Pop3Fixture, startPop3 } from '../support/pop3-server.ts'

const SHORT = 'Subject: dots\r\n\r\n.\r\n..x\r\n. end\r\nlast'

async function inboxOf(
  pop3: Pop3Fixture,
): Promise<{ mail: AccountMail; inbox: number; uids: () => Promise<number[]> }> {
  const mail = await pop3.desk.mail(ALICE)
  const inbox = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!.id
  return { mail, inbox, uids: async () => (await mail.list(inbox)).map(({ uid }) => uid) }
}

/** Some calls of the session's mail do something else. */
function replaced(mail: AccountMail, calls: Partial<AccountMail>): AccountMail {
  return new Proxy(mail, {
    get(target, name) {
      const member = Reflect.get(name in calls ? calls : target, name)
      return typeof member === 'function' ? member.bind(name in calls ? calls : target) : member
    },
  })
}

test('a session: sizes, ids, retrieving, removing', async () => {
  await using pop3 = await startPop3()
  for (const message of [PLAIN, MULTIPART, SHORT]) await pop3.desk.deliver(ALICE, message)
  const { mail, inbox, uids } = await inboxOf(pop3)
  const { uidValidity } = await mail.status(inbox)
  const sizes = [PLAIN, MULTIPART, SHORT].map((message) => Buffer.byteLength(message))
  const all = sizes.reduce((sum, size) => sum + size)
  await using talk = await pop3.login()
  await talk.play(`
    C: STAT
    S: +OK 3 ${all}
    C: LIST
    S: +OK …
    S: 1 ${sizes[0]}
    S: 2 ${sizes[1]}
    S: 3 ${sizes[2]}
    S: .
    C: LIST 2
    S: +OK 2 ${sizes[1]}
    C: UIDL
    S: +OK …
    S: 1 ${uidValidity}.1
    S: 2 ${uidValidity}.2
    S: 3 ${uidValidity}.3
    S: .
    C: UIDL 3
    S: +OK 3 ${uidValidity}.3
    C: RETR 3
    S: +OK ${sizes[2]} octets
    S: Subject: dots
    S:${' '}
    S: ..
    S: ...x
    S: .. end
    S: last
    S: .
    C: TOP 3 0
    S: +OK …
    S: Subject: dots
    S:${' '}
    S: .
    C: TOP 3 2
    S: +OK …
    S: Subject: dots
    S:${' '}
    S: ..
    S: ...x
    S: .
    C: DELE 1
    S: +OK …
    C: DELE 3
    S: +OK …
    C: DELE 3
    S: -ERR The message is marked as deleted
    C: RETR 1
    S: -ERR The message is marked as deleted
    C: LIST 1
    S: -ERR …
    C: UIDL 1
    S: -ERR …
    C: TOP 1 0
    S: -ERR …
    C: STAT
    S: +OK 1 ${sizes[1]}
    C: LIST
    S: +OK …
    S: 2 ${sizes[1]}
    S: .
    C: RSET
    S: +OK …
    C: STAT
    S: +OK 3 ${all}
    C: DELE 1
    S: +OK …
    C: NOOP
    S: +OK …
    C: QUIT
    S: +OK Goodbye, 1 messages removed
    CLOSED
  `)
  const rows = await mail.list(inbox)
  assert.deepEqual(
    rows.map(({ uid, flags }) => [uid, flags]),
    [
      [2, []],
      [3, ['\\Seen']],
    ],
  )
  assert.deepEqual(await uids(), [2, 3])
})

test('content comes octet by octet, and an unended line is ended', async () => {
  await using pop3 = await startPop3()
  const large = Buffer.from(`Subject: large\r\n\r\n${`.${'x'.repeat(70)}\r\n`.repeat(30_000)}`)
  for (const message of [MULTIPART, BROKEN, large, '']) await pop3.desk.deliver(ALICE, message)
  await using talk = await pop3.login()
  const received = async (number: number) => {
    await talk.play(`C: RETR ${number}\nS: +OK …`)
    let text = ''
    for (let line = await talk.line(); line !== '.'; line = await talk.line()) text += `${line!.replace(/^\./, '')}\r\n`
    return text
  }
  assert.equal(await received(1), MULTIPART)
  assert.equal(await received(2), `${BROKEN.toString()}\r\n`)
  assert.equal(await received(3), large.toString())
  assert.equal(await received(4), '')
})

test('messages that others remove meanwhile are gone, and no number means another message', async () => {
  await using pop3 = await startPop3()
  for (const name of ['a', 'b', 'c', 'd']) await pop3.desk.deliver(ALICE, `Subject: ${name}\r\n\r\n`)
  const { mail, inbox, uids } = await inboxOf(pop3)
  await using talk = await pop3.login()
  await mail.remove(inbox, [1, 3])
  await pop3.desk.deliver(ALICE, 'Subject: new\r\n\r\n')
  await talk.play(`
    C: RETR 1
    S: -ERR There is no such message
    C: RETR 2
    S: ...
    S: Subject: b
    S: ...
    S: .
    C: LIST
    S: +OK …
    S: 2 14
    S: 4 14
    S: .
    C: STAT
    S: +OK 2 28
    C: RETR 5
    S: -ERR There is no such message
    C: DELE 3
    S: -ERR There is no such message
    C: DELE 2
    S: +OK …
    C: RSET
    S: +OK …
    C: TOP 3 0
    S: -ERR There is no such message
    C: DELE 4
    S: +OK …
  `)
  await mail.remove(inbox, [4])
  await talk.play('C: QUIT\nS: +OK Goodbye, 0 messages removed\nCLOSED')
  assert.deepEqual(await uids(), [2, 5])
})

test('a connection that ends without QUIT removes nothing', async () => {
  await using pop3 = await startPop3()
  await pop3.desk.deliver(ALICE, PLAIN)
  const { uids } = await inboxOf(pop3)
  await using talk = await pop3.login()
  await talk.play('C: DELE 1\nS: +OK …\nCLOSE\nCLOSED')
  assert.deepEqual(await uids(), [1])
  await using again = await pop3.login()
  await again.play('C: DELE 1\nS: +OK …')
  pop3.desk.endSessions(ALICE)
  await again.play('CLOSED')
  assert.deepEqual(await uids(), [1])
})

test('what cannot be removed stays, all of it, and the client hears so', async () => {
  await using pop3 = await startPop3()
  for (const message of [PLAIN, SHORT]) await pop3.desk.deliver(ALICE, message)
  const { uids } = await inboxOf(pop3)
  const full = Object.assign(new Error('disk full'), { code: 'ENOSPC' })
  pop3.desk.wrap = (mail) => replaced(mail, { remove: () => Promise.reject(full) })
  await using talk = await pop3.login()
  await talk.play(`
    C: DELE 1
    S: +OK …
    C: DELE 2
    S: +OK …
    C: QUIT
    S: -ERR [SYS/TEMP] …; no message was removed
    CLOSED
  `)
  assert.deepEqual(await uids(), [1, 2])
})

test('a message that cannot be opened says so; one that cannot be listed is none', async () => {
  await using pop3 = await startPop3()
  for (const message of [PLAIN, SHORT, MULTIPART]) await pop3.desk.deliver(ALICE, message)
  pop3.desk.wrap = (mail) =>
    replaced(mail, {
      summaries: async (mailbox, uids) =>
        (await mail.summaries(mailbox, uids)).map((summary, index) => (uids[index] === 2 ? null : summary)),
      read: async (mailbox, uid) => {
        if (uid < 3) throw new MessageUnreadable('sealed to a key that is not here')
        return await mail.read(mailbox, uid)
      },
    })
  await using talk = await pop3.login()
  await talk.play(`
    C: RETR 1
    S: -ERR [SYS/PERM] The message cannot be opened
    C: LIST 2
    S: -ERR There is no such message
    C: STAT
    S: +OK 2 ${PLAIN.length + Buffer.byteLength(MULTIPART)}
    C: TOP 1 0
    S: ...
    S: .
    C: RETR 3
    S: ...
    S: .
  `)
})

test('what breaks in the middle of a response ends the connection, not the response', async () => {
  await using pop3 = await startPop3()
  for (let i = 0; i < 300; i++) await pop3.desk.deliver(ALICE, SHORT)
  pop3.desk.wrap = (mail) =>
    replaced(mail, {
      summaries: (mailbox, uids) =>
        uids.includes(300) ? Promise.reject(new Error('the disk is gone')) : mail.summaries(mailbox, uids),
    })
  await using talk = await pop3.login()
  talk.send('LIST\r\nNOOP\r\n')
  for (let line = await talk.line().catch(() => null); line !== null; line = await talk.line().catch(() => null))
    assert.ok(line !== '.' && !line.startsWith('-ERR') && !line.includes('Nothing was done'), line)
})

test('that messages cannot be marked as read keeps nobody from leaving', async () => {
  await using pop3 = await startPop3()
  await pop3.desk.deliver(ALICE, PLAIN)
  pop3.desk.wrap = (mail) => replaced(mail, { setFlags: () => Promise.reject(new Error('read-only')) })
  await using talk = await pop3.login()
  await talk.play('C: RETR 1\nS: ...\nS: .\nC: QUIT\nS: +OK Goodbye, 0 messages removed\nCLOSED')
})

test('sizes that are known are not asked for again, and those of new messages are', async () => {
  await using pop3 = await startPop3()
  for (const message of [PLAIN, SHORT]) await pop3.desk.deliver(ALICE, message)
  const { mail, inbox } = await inboxOf(pop3)
  const asked: number[] = []
  pop3.desk.wrap = (own) =>
    replaced(own, {
      summaries: async (mailbox, uids) => {
        asked.push(...uids)
        return await own.summaries(mailbox, uids)
      },
    })
  const sizes = (...messages: string[]) =>
    `+OK ${messages.length} ${messages.reduce((sum, message) => sum + Buffer.byteLength(message), 0)}`
  const look = async (...messages: string[]) => {
    await using talk = await pop3.login()
    await talk.play(`C: STAT\nS: ${sizes(...messages)}\nC: QUIT\nS: +OK …\nCLOSED`)
  }
  await look(PLAIN, SHORT)
  await mail.remove(inbox, [1])
  await pop3.desk.deliver(ALICE, MULTIPART)
  await look(SHORT, MULTIPART)
  assert.deepEqual(asked, [1, 2, 3])
})
