import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountMail, ReadMessage, Wanted } from '#custody/store/mail-store.ts'
import type { Dialog } from '../support/dialog.ts'
import { createFakeLog } from '../support/fake-log.ts'
import { BROKEN, MULTIPART, PLAIN } from '../support/imap-messages.ts'
import { ALICE, type ImapFixture, startImap } from '../support/imap-server.ts'

const DATE = Date.UTC(2026, 10, 2, 9, 0, 5)

async function selected(imap: ImapFixture): Promise<Dialog> {
  const talk = await imap.login()
  await talk.play('C: s SELECT INBOX\nS: ...\nS: s OK [READ-WRITE] …')
  return talk
}

/** Sends a FETCH and answers the octets of its one response, between the braces of the literal if it has one. */
async function fetchOctets(talk: Dialog, command: string): Promise<{ line: string; octets: Buffer }> {
  const chunks: Buffer[] = []
  const hear = (chunk: Buffer) => chunks.push(chunk)
  talk.socket.on('data', hear)
  await talk.play(`C: f ${command}\nS: ...\nS: f OK Fetched`)
  talk.socket.off('data', hear)
  const all = Buffer.concat(chunks)
  const announced = /\{(\d+)\}\r\n/.exec(all.toString('latin1'))
  const line = all.toString('latin1', 0, all.indexOf('\r\n'))
  if (!announced) return { line, octets: Buffer.alloc(0) }
  const start = announced.index + announced[0].length
  return { line, octets: all.subarray(start, start + Number(announced[1])) }
}

test('the items that need no content', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, MULTIPART, { internalDate: DATE, flags: ['\\Flagged', '$Work'] })
  imap.desk.wrap = withoutRead
  await using talk = await selected(imap)
  const address = (name: string, mailbox: string) => `(${name} NIL "${mailbox}" "beta.test")`
  const from = `(${address('"=?utf-8?Q?J=C3=BCrgen?="', 'jurgen')})`
  const to = `((NIL NIL "alice" "alpha.test")(NIL NIL "Team" NIL)${address('NIL', 'carol')}${address('NIL', 'dave')}(NIL NIL NIL NIL))`
  await talk.play(`
    C: 1 FETCH 1 (FLAGS UID INTERNALDATE RFC822.SIZE)
    S: * 1 FETCH (FLAGS (\\Flagged $Work) UID 1 INTERNALDATE " 2-Nov-2026 09:00:05 +0000" RFC822.SIZE ${MULTIPART.length})
    S: 1 OK Fetched
    C: 2 FETCH 1 ENVELOPE
    S: * 1 FETCH (ENVELOPE ("Tue, 3 Nov 2026 23:30:00 -0800" "=?utf-8?Q?Gr=C3=BC=C3=9Fe?= und Bilder" ${from} ${from} ${from} ${to} (${address('"Smith, Eve"', 'eve')}) NIL "<1@beta.test>" "<2@beta.test>"))
    S: 2 OK Fetched
    C: 3 FETCH 1 BODY
    S: * 1 FETCH (BODY (("text" "plain" ("charset" "iso-8859-1") NIL NIL "quoted-printable" 19 0)("image" "png" ("name" "a.png") NIL NIL "base64" 12)("message" "rfc822" NIL NIL NIL "7bit" 246 … (("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 12 0)("text" "html" ("charset" "utf-8") NIL NIL "base64" 28 0) "alternative") 13) "mixed"))
    S: 3 OK Fetched
    C: 4 UID FETCH 1 (BODY.PEEK[HEADER.FIELDS (Subject MESSAGE-ID)])
    S: * 1 FETCH (UID 1 BODY[HEADER.FIELDS (Subject MESSAGE-ID)] {78}
    S: Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= und Bilder
    S: Message-ID: <2@beta.test>
    S:${' '}
    S: )
    S: 4 OK Fetched
    C: 5 FETCH 1 FAST
    S: * 1 FETCH (FLAGS (\\Flagged $Work) INTERNALDATE " 2-Nov-2026 09:00:05 +0000" RFC822.SIZE ${MULTIPART.length})
    S: 5 OK Fetched
    C: 6 FETCH 1 BODY.PEEK[HEADER.FIELDS (X-Missing)]
    S: * 1 FETCH (BODY[HEADER.FIELDS (X-Missing)] {2}
    S:${' '}
    S: )
    S: 6 OK Fetched
  `)
})

/** A store whose contents nobody may open. */
function withoutRead(mail: AccountMail): AccountMail {
  return Object.assign(mail, {
    read: async () => assert.fail('the content was opened'),
    messages: watched(mail, (_, wanted) => assert.ok(!wanted.content, 'the content was opened')),
  })
}

function watched(mail: AccountMail, see: (uids: readonly number[], wanted: Wanted) => void): AccountMail['messages'] {
  const messages = mail.messages.bind(mail)
  return async (mailbox, uids, wanted) => {
    see(uids, wanted)
    return messages(mailbox, uids, wanted)
  }
}

test('sections are exact slices', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, MULTIPART)
  await using talk = await selected(imap)
  const whole = Buffer.from(MULTIPART)
  const slice = (from: string, to: string) => whole.subarray(whole.indexOf(from), whole.indexOf(to))
  const headerEnd = whole.indexOf('\r\n\r\n') + 4
  const inner = slice('From: carol', '\r\n--outer--')
  const expected: readonly (readonly [string, Buffer])[] = [
    ['BODY.PEEK[]', whole],
    ['RFC822', whole],
    ['BODY.PEEK[HEADER]', whole.subarray(0, headerEnd)],
    ['RFC822.HEADER', whole.subarray(0, headerEnd)],
    ['BODY.PEEK[TEXT]', whole.subarray(headerEnd)],
    ['RFC822.TEXT', whole.subarray(headerEnd)],
    ['BODY.PEEK[1]', Buffer.from('Stra=DFe und K=E4se')],
    ['BODY.PEEK[1.MIME]', slice('Content-Type: text/plain; charset=iso', 'Stra=DF')],
    ['BODY.PEEK[2]', Buffer.from('iVBORw0KGgo=')],
    ['BODY.PEEK[3]', inner],
    ['BODY.PEEK[3.HEADER]', inner.subarray(0, inner.indexOf('\r\n\r\n') + 4)],
    ['BODY.PEEK[3.TEXT]', inner.subarray(inner.indexOf('\r\n\r\n') + 4)],
    ['BODY.PEEK[3.1]', Buffer.from('plain inside')],
    ['BODY.PEEK[3.HEADER.FIELDS (subject)]', Buffer.from('Subject: Inner\r\n\r\n')],
    ['BODY.PEEK[3.HEADER.FIELDS.NOT (SUBJECT Content-Type)]', Buffer.from('From: carol@beta.test\r\n\r\n')],
    ['BODY.PEEK[]<0.10>', whole.subarray(0, 10)],
    ['BODY.PEEK[TEXT]<3.7>', whole.subarray(headerEnd + 3, headerEnd + 10)],
    ['BODY.PEEK[2]<10.100>', Buffer.from('o=')],
  ]
  for (const [item, octets] of expected) {
    const fetched = await fetchOctets(talk, `FETCH 1 ${item}`)
    assert.deepEqual(fetched.octets.toString('latin1'), octets.toString('latin1'), item)
  }
  await talk.play(`
    C: 1 FETCH 1 (BODY.PEEK[9] BODY.PEEK[1.1] BODY.PEEK[2.HEADER] BODY.PEEK[]<99999.5>)
    S: * 1 FETCH (BODY[9] NIL BODY[1.1] NIL BODY[2.HEADER] NIL BODY[]<99999> {0}
    S: )
    S: 1 OK Fetched
  `)
})

test('the one part of a message that is no multipart', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await selected(imap)
  assert.equal((await fetchOctets(talk, 'FETCH 1 BODY.PEEK[1]')).octets.toString(), 'Noon at the usual place?\r\n')
  assert.match((await fetchOctets(talk, 'FETCH 1 BODY.PEEK[1.MIME]')).octets.toString(), /^Date: .*\r\n\r\n$/s)
  await talk.play(
    'C: 1 FETCH 1 (BODY.PEEK[2] BODY.PEEK[1.HEADER])\nS: * 1 FETCH (BODY[2] NIL BODY[1.HEADER] NIL)\nS: 1 OK …',
  )
})

test('what is broken is given back octet by octet, but for NUL', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, BROKEN)
  await using talk = await selected(imap)
  const { octets } = await fetchOctets(talk, 'FETCH 1 BODY.PEEK[]')
  const sendable = BROKEN.map((octet) => (octet === 0 ? 0x80 : octet))
  assert.ok(octets.equals(sendable))
  await talk.play(`
    C: 1 FETCH 1 (ENVELOPE BODYSTRUCTURE RFC822.SIZE)
    S: ...
    S: 1 OK Fetched
  `)
})

test('a header too long for the summary is read from the content', async () => {
  await using imap = await startImap()
  const long = `Subject: long\r\nX-Long: ${'x'.repeat(20_000)}\r\nX-Last: 1\r\n\r\nbody\r\n`
  await imap.desk.deliver(ALICE, long)
  await using talk = await selected(imap)
  const { octets } = await fetchOctets(talk, 'FETCH 1 BODY.PEEK[HEADER.FIELDS (X-Last)]')
  assert.equal(octets.toString(), 'X-Last: 1\r\n\r\n')
})

test('reading sets \\Seen once, peeking and EXAMINE never', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await imap.login()
  await talk.play(`
    C: 1 EXAMINE INBOX
    S: ...
    S: 1 OK [READ-ONLY] …
    C: 2 FETCH 1 BODY[TEXT]
    S: * 1 FETCH (BODY[TEXT] {26}
    S: Noon at the usual place?
    S: )
    S: 2 OK …
    C: 3 SELECT INBOX
    S: ...
    S: 3 OK …
    C: 4 FETCH 1 (BODY.PEEK[1] RFC822.HEADER)
    S: ...
    S: 4 OK …
    C: 5 FETCH 1 FLAGS
    S: * 1 FETCH (FLAGS (\\Recent))
    S: 5 OK …
    C: 6 FETCH 1 BODY[1]<0.4>
    S: * 1 FETCH (BODY[1]<0> {4}
    S: Noon FLAGS (\\Seen \\Recent))
    S: 6 OK …
    C: 7 UID FETCH 1 (FLAGS RFC822.TEXT)
    S: * 1 FETCH (UID 1 FLAGS (\\Seen \\Recent) RFC822.TEXT {26}
    S: ...
    S: 7 OK …
  `)
})

test('sets of messages, and those that are not there', async () => {
  await using imap = await startImap()
  for (let i = 0; i < 4; i++) await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await selected(imap)
  await talk.play(`
    C: 1 FETCH 4,1:2 UID
    S: * 1 FETCH (UID 1)
    S: * 2 FETCH (UID 2)
    S: * 4 FETCH (UID 4)
    S: 1 OK …
    C: 2 FETCH * UID
    S: * 4 FETCH (UID 4)
    S: 2 OK …
    C: 3 UID FETCH 9:* UID
    S: * 4 FETCH (UID 4)
    S: 3 OK …
    C: 4 FETCH 5 UID
    S: 4 BAD …
    C: 5 UID FETCH 7:8 UID
    S: 5 OK …
    C: 6 FETCH 3 (MODSEQ)
    S: ...
    S: * 3 FETCH (MODSEQ (…))
    S: 6 OK …
    C: 7 FETCH 0 UID
    S: 7 BAD …
  `)
})

test('messages that somebody else removed in the meantime', async () => {
  await using imap = await startImap()
  for (let i = 0; i < 3; i++) await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await selected(imap)
  const mail = await imap.desk.mail(ALICE)
  const inbox = (await mail.mailboxes()).find(({ name }) => name === 'INBOX')!.id
  await mail.setFlags(inbox, [2], { mode: 'add', flags: ['\\Deleted'] })
  await mail.expunge(inbox)
  await talk.play(`
    C: 1 FETCH 1:3 (UID RFC822.SIZE)
    S: * 1 FETCH (UID 1 RFC822.SIZE ${PLAIN.length})
    S: * 3 FETCH (UID 3 RFC822.SIZE ${PLAIN.length})
    S: 1 OK [EXPUNGEISSUED] …
    C: 2 FETCH 2 FLAGS
    S: 2 OK [EXPUNGEISSUED] …
    C: 3 UID FETCH 1:3 RFC822.SIZE
    S: * 1 FETCH (UID 1 RFC822.SIZE ${PLAIN.length})
    S: * 3 FETCH (UID 3 RFC822.SIZE ${PLAIN.length})
    S: * 2 EXPUNGE
    S: 3 OK …
    C: 4 FETCH 2 UID
    S: * 2 FETCH (UID 3)
    S: 4 OK …
  `)
})

test('a message that cannot be read is left out and said so, and one line of the log stands for all of a command', async () => {
  const log = createFakeLog()
  await using imap = await startImap({ logger: log })
  for (let i = 0; i < 5; i++) await imap.desk.deliver(ALICE, PLAIN)
  imap.desk.wrap = (mail) => damaging(mail, (one) => one.uid === 2 || one.uid > 3)
  await using talk = await selected(imap)
  const lines = await talk.play(
    'C: 1 FETCH 1:3 BODY[]\nS: ...\nS: 1 NO [CONTACTADMIN] 1 of these messages cannot be read',
  )
  assert.deepEqual(
    lines.filter((line) => line.startsWith('* ')),
    [1, 3].map((number) => `* ${number} FETCH (BODY[] {${PLAIN.length}}`),
  )
  await talk.play('C: 2 FETCH 1:3 FLAGS\nS: ...\nS: * 2 FETCH (FLAGS (\\Recent))\nS: ...\nS: 2 OK …')
  await talk.play('C: 3 FETCH 2,4:5 BODY[]\nS: 3 NO [CONTACTADMIN] 3 of these …')
  assert.equal(log.said('message is unreadable').length, 2)
})

/** A store that cannot open some messages. */
function damaging(mail: AccountMail, isDamaged: (message: ReadMessage) => boolean): AccountMail {
  const messages = mail.messages.bind(mail)
  return Object.assign(mail, {
    messages: async (mailbox: number, uids: readonly number[], wanted: Wanted) =>
      (await messages(mailbox, uids, wanted)).map((one) =>
        one && isDamaged(one) ? { ...one, summary: null, content: null, unreadable: 'damaged' } : one,
      ),
  })
}

test('a large message that is read piece by piece is opened once, until another command comes', async () => {
  await using imap = await startImap()
  const body = 'x'.repeat(100_000)
  await imap.desk.deliver(ALICE, `Subject: large\r\n\r\n${body}`)
  let opened = 0
  imap.desk.wrap = (mail) =>
    Object.assign(mail, { messages: watched(mail, (_, { content }) => (opened += content ? 1 : 0)) })
  await using talk = await selected(imap)
  const pieces: Buffer[] = []
  for (let start = 0; start < body.length; start += 40_000)
    pieces.push((await fetchOctets(talk, `UID FETCH 1 BODY.PEEK[1]<${start}.40000>`)).octets)
  assert.equal(Buffer.concat(pieces).toString(), body)
  assert.equal(opened, 1)
  await talk.play('C: n NOOP\nS: n OK …')
  await fetchOctets(talk, 'UID FETCH 1 BODY.PEEK[1]<0.10>')
  assert.equal(opened, 2)
})

test('messages that are asked for one by one in a pipeline are read together', async () => {
  await using imap = await startImap()
  const large = (i: number) => `Subject: ${i}\r\n\r\n${String(i).repeat(20_000)}\r\n`
  for (let i = 1; i <= 9; i++) await imap.desk.deliver(ALICE, large(i))
  const asked: (readonly number[])[] = []
  imap.desk.wrap = (mail) => Object.assign(mail, { messages: watched(mail, (uids) => asked.push(uids)) })
  await using talk = await selected(imap)
  const uids = [1, 2, 4, 5, 9, 3, 7]
  talk.send(uids.map((uid) => `p UID FETCH ${uid} (BODY.PEEK[])\r\n`).join(''))
  talk.send('q UID STORE 8 FLAGS.SILENT ($Seen)\r\nr UID FETCH 8 (BODY.PEEK[])\r\ns FETCH 8 FLAGS\r\n')
  for (const uid of [...uids, 8]) {
    let line = await talk.line()
    while (!line!.includes(' FETCH (')) line = await talk.line()
    assert.equal(line, `* ${uid} FETCH (UID ${uid} BODY[] {${large(uid).length}}`)
    assert.equal(await talk.line(), `Subject: ${uid}`)
  }
  await talk.play('S: ...\nS: s OK …')
  assert.deepEqual(asked, [[1, 2, 4, 5, 9], [3, 7], [8]])
})

test('a message that is removed after it was read ahead is not told of any more', async () => {
  await using imap = await startImap()
  for (let i = 0; i < 3; i++) await imap.desk.deliver(ALICE, PLAIN)
  const other = await imap.desk.mail(ALICE)
  const inbox = (await other.mailboxes()).find(({ name }) => name === 'INBOX')!.id
  imap.desk.wrap = (mail) => {
    const messages = mail.messages.bind(mail)
    return Object.assign(mail, {
      messages: async (mailbox: number, uids: readonly number[], wanted: Wanted) => {
        const read = await messages(mailbox, uids, wanted)
        await other.setFlags(inbox, [2], { mode: 'add', flags: ['\\Deleted'] })
        await other.expunge(inbox)
        return read
      },
    })
  }
  await using talk = await selected(imap)
  await talk.play(`
    C: 1 UID FETCH 1 BODY.PEEK[]
    C: 2 UID FETCH 2 BODY.PEEK[]
    C: 3 UID FETCH 3 BODY.PEEK[]
    S: * 1 FETCH (UID 1 BODY[] {${PLAIN.length}}
    S: ...
    S: * 2 EXPUNGE
    S: ...
    S: 1 OK …
    S: 2 OK …
    S: * 2 FETCH (UID 3 BODY[] {${PLAIN.length}}
    S: ...
    S: 3 OK …
  `)
})

test('UID FETCH of some of many messages (RFC 9394)', async () => {
  await using imap = await startImap()
  for (let i = 0; i < 5; i++) await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await selected(imap)
  await talk.play(`
    C: 1 UID FETCH 1:* (FLAGS) (PARTIAL -1:-2)
    S: * 4 FETCH (UID 4 FLAGS (\\Recent))
    S: * 5 FETCH (UID 5 FLAGS (\\Recent))
    S: 1 OK Fetched
    C: 2 UID FETCH 2:4 UID (PARTIAL 2:9)
    S: * 3 FETCH (UID 3)
    S: * 4 FETCH (UID 4)
    S: 2 OK Fetched
    C: 3 UID STORE 1,3,5 +FLAGS.SILENT (\\Flagged)
    S: 3 OK …
    C: 4 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 11 PARTIAL 2:2)
    S: * OK [HIGHESTMODSEQ …] …
    S: * 3 FETCH (UID 3 FLAGS (\\Flagged \\Recent) MODSEQ (12))
    S: 4 OK Fetched
    C: 5 UID FETCH 1:* UID (PARTIAL 7:9)
    S: 5 OK Fetched
  `)
})
