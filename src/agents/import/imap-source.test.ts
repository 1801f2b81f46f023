import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { systemClock } from '#lib/clock.ts'
import { startCuttingProxy } from '../../../test/support/cutting-proxy.ts'
import { ALICE, type ImapFixture, PASSWORD, startImap } from '../../../test/support/imap-server.ts'
import { importHouse, readAll } from '../../../test/support/import-house.ts'
import type { ImapAccess } from './imap-connection.ts'
import { createImapSource } from './imap-source.ts'
import { parseImapUrl } from './imap-url.ts'

let fixture: ImapFixture
const notices: string[] = []
const COUNT = 250

const letter = (at: number) => `Subject: ${at}\r\n\r\n${'body '.repeat(at % 50)}\r\n`
const sourceOf = (access: Partial<ImapAccess>, signal = new AbortController().signal) =>
  createImapSource(
    {
      implicitTls: true,
      user: ALICE,
      host: 'localhost',
      port: fixture.tlsPort,
      mailbox: null,
      password: Buffer.from(PASSWORD),
      ca: fixture.ca,
      messageLimit: 1_000_000,
      ...access,
    },
    { clock: systemClock, signal, notice: (text) => notices.push(text) },
  )

before(async () => {
  fixture = await startImap()
  const deliver = (mailbox: string, at: number, flags: readonly string[] = []) =>
    fixture.desk.deliver(ALICE, letter(at), { mailbox, flags, internalDate: 1_600_000_000_000 + at * 1000 })
  await using mail = await fixture.desk.mail(ALICE)
  await mail.createMailbox('Päck/Sub')
  for (let at = 0; at < COUNT; at++) await deliver('INBOX', at, at % 2 ? ['\\Seen', '$Label1'] : [])
  for (let at = 0; at < 3; at++) await deliver('Päck/Sub', at)
  await deliver('Sent', 7, ['\\Seen'])
})
after(() => fixture[Symbol.asyncDispose]())

test('all mailboxes come with flags and dates; a second time nothing is fetched', async () => {
  await using house = await importHouse()
  const first = await house.take(sourceOf({}))
  assert.deepEqual([first.imported, first.failed, first.end.kind], [COUNT + 4, 0, 'complete'])
  const kept = await house.kept()
  const inbox = kept.filter(({ mailbox }) => mailbox === 'INBOX')
  assert.deepEqual(
    inbox.map(({ content, internalDate }) => [content, internalDate]),
    Array.from({ length: COUNT }, (_, at) => [letter(at), 1_600_000_000_000 + at * 1000]),
  )
  assert.deepEqual(inbox[1]!.flags, ['\\Seen', '$Label1'])
  assert.deepEqual(kept.filter(({ mailbox }) => mailbox === 'Päck/Sub').length, 3)
  assert.deepEqual(kept.filter(({ mailbox }) => mailbox === 'Sent').length, 1)
  const second = await house.take(sourceOf({ messageLimit: 1 }))
  assert.deepEqual([second.imported, second.duplicates, second.failed], [0, COUNT + 4, 0])
})

test('one mailbox only, and one that is not there', async () => {
  assert.equal((await readAll(sourceOf({ mailbox: 'Päck/Sub' }))).length, 3)
  await assert.rejects(readAll(sourceOf({ mailbox: 'Missing' })), /has no mailbox Missing/)
})

test('a connection that is cut goes on where it was', async () => {
  await using proxy = await startCuttingProxy('127.0.0.1', fixture.tlsPort, [40_000, 20_000, 9000])
  await using house = await importHouse()
  const result = await house.take(sourceOf({ port: proxy.port }))
  assert.deepEqual([result.imported, result.failed, result.end.kind], [COUNT + 4, 0, 'complete'])
  assert.equal(proxy.cuts, 3)
  assert.equal((await house.kept()).length, COUNT + 4)
  assert.match(notices.join('\n'), /the connection to localhost was lost; trying again/)
})

test('a message over the limit is named', async () => {
  const found = await readAll(sourceOf({ mailbox: 'INBOX', messageLimit: 200 }))
  assert.equal(found.length, COUNT)
  assert.ok(found.some(({ why }) => /larger than limits\.messageSize/.test(why ?? '')))
  assert.ok(found.some(({ content }) => content !== ''))
})

test('wrong passwords, certificates and ports are refused in words', async () => {
  const says = (access: Partial<ImapAccess>, words: RegExp) => assert.rejects(readAll(sourceOf(access)), words)
  await says({ password: Buffer.from('wrong') }, /localhost refuses the login of alice@alpha\.test/)
  await says({ ca: null }, /certificate of localhost is not to be trusted .*--ca FILE/)
  await says({ port: 1 }, /localhost cannot be reached \(ECONNREFUSED\)/)
})

test('STARTTLS comes before the password, whatever the server says', async () => {
  assert.equal((await readAll(sourceOf({ implicitTls: false, port: fixture.port, mailbox: 'Sent' }))).length, 1)
  const said: string[] = []
  await using far = await scripted((line, socket) => {
    said.push(line)
    const [tag, word] = line.split(' ')
    socket.write(word === 'CAPABILITY' ? `* CAPABILITY IMAP4rev1\r\n${tag} OK done\r\n` : `${tag} OK done\r\n`)
  })
  await assert.rejects(readAll(sourceOf({ implicitTls: false, port: far.port })), /offers no STARTTLS/)
  assert.ok(!said.some((line) => /LOGIN|AUTHENTICATE/i.test(line)), said.join('\n'))
})

/** A server without TLS that answers line by line. */
async function scripted(answer: (line: string, socket: Socket) => void, greeting = '* OK ready\r\n') {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.write(greeting)
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      for (let end = text.indexOf('\r\n'); end >= 0; end = text.indexOf('\r\n')) {
        const line = text.slice(0, end)
        text = text.slice(end + 2)
        answer(line, socket)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Answers for one mailbox with UIDs 1 to 3; `fetched` says what is sent for the content of each. */
function lying(fetched: (uid: number) => string) {
  return (line: string, socket: Socket) => {
    const [tag, word = '', sub = ''] = line.split(' ')
    const done = `${tag} OK done\r\n`
    const verb = word === 'UID' ? sub : word
    if (verb === 'CAPABILITY') socket.write(`* CAPABILITY IMAP4rev1\r\n${done}`)
    else if (verb === 'LIST' || verb === 'LSUB') socket.write(`* ${verb} () "/" INBOX\r\n${done}`)
    else if (verb === 'EXAMINE' || verb === 'SELECT')
      socket.write(`* 3 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 4] ok\r\n${tag} OK [READ-ONLY] done\r\n`)
    else if (verb === 'SEARCH') socket.write(`* SEARCH 1 2 3 3\r\n${done}`)
    else if (verb === 'FETCH' && !line.includes('BODY')) {
      for (const uid of [1, 2, 3])
        socket.write(`* ${uid} FETCH (UID ${uid} FLAGS (\\Seen "x") INTERNALDATE "junk" RFC822.SIZE 10)\r\n`)
      socket.write(done)
    } else if (verb === 'FETCH') {
      const set = line.split(' ')[3]!
      const uids = [1, 2, 3].filter((uid) => {
        const ranges = set.split(',').map((range) => range.split(':').map(Number))
        return ranges.some(([first, last = first]) => uid >= first! && uid <= last!)
      })
      for (const uid of uids) {
        const sent = fetched(uid)
        if (sent === 'close') return void socket.destroy()
        socket.write(sent)
      }
      socket.write(done)
    } else socket.write(done)
  }
}
const plain = { implicitTls: false, host: '127.0.0.1', ca: null } as const
const literal = (uid: number, text: string, size = text.length) =>
  `* ${uid} FETCH (UID ${uid} BODY[] {${size}}\r\n${text})\r\n`

test('a server that lies about sizes, sends too much, or breaks at a message', async () => {
  const cases: readonly (readonly [name: string, fetched: (uid: number) => string, second: string | RegExp])[] = [
    [
      'more than it said',
      (uid) => literal(uid, `A: ${uid}\r\n\r\n${'x'.repeat(500)}`),
      `A: 2\r\n\r\n${'x'.repeat(500)}`,
    ],
    [
      'over the limit',
      (uid) => (uid === 2 ? literal(uid, 'A: 2', 50_000_000) : literal(uid, 'A: b')),
      /^the connection breaks when it/,
    ],
    [
      'closes at it',
      (uid) => (uid === 2 ? 'close' : literal(uid, 'A: b')),
      /^the connection breaks when it is fetched/,
    ],
    ['hands out nothing', (uid) => (uid === 2 ? '' : literal(uid, 'A: b')), 'the server did not hand it out'],
  ]
  for (const [name, fetched, second] of cases) {
    await using far = await scripted(lying(fetched))
    const found = await readAll(sourceOf({ ...plain, port: far.port, messageLimit: 10_000 }))
    assert.deepEqual(found.map((one) => one.name).sort(), ['UID 1', 'UID 2', 'UID 3'], name)
    const two = found.find((one) => one.name === 'UID 2')!
    if (typeof second === 'string') assert.equal(two.why ?? two.content, second, name)
    else assert.match(two.why ?? two.content, second, name)
    for (const one of found) if (one !== two) assert.match(one.content, /^A: /, name)
  }
})

test('a mailbox that may not be opened is named, and the others come', async () => {
  const honest = lying((uid) => literal(uid, 'A: b'))
  await using far = await scripted((line, socket) => {
    const [tag, word] = line.split(' ')
    if (word === 'LIST') socket.write(`* LIST () "/" Closed\r\n`)
    if (/^(EXAMINE|SELECT)$/.test(word!) && line.includes('Closed')) socket.write(`${tag} NO [NOPERM] not yours\r\n`)
    else honest(line, socket)
  })
  const found = await readAll(sourceOf({ ...plain, port: far.port }))
  assert.deepEqual(found.map(({ why }) => why ?? '').sort(), ['', '', '', '127.0.0.1 refuses: not yours'])
})

test('what is no IMAP server ends in words', async () => {
  await using far = await scripted((_, socket) => socket.destroy(), '* BYE no\r\n')
  await assert.rejects(readAll(sourceOf({ ...plain, port: far.port })), { name: 'SourceFailed' })
})

test('URLs', () => {
  assert.deepEqual(parseImapUrl('imaps://anna@example.org@mail.example.org/Work%2Fa%20b'), {
    implicitTls: true,
    user: 'anna@example.org',
    host: 'mail.example.org',
    port: 993,
    mailbox: 'Work/a b',
  })
  assert.deepEqual(parseImapUrl('imap://a%3Ab@[::1]:1143'), {
    implicitTls: false,
    user: 'a:b',
    host: '::1',
    port: 1143,
    mailbox: null,
  })
  for (const bad of [
    'imaps://host',
    'imaps://@host',
    'imaps://a@',
    'imaps://a@h:99999',
    'imaps://a@h/%zz',
    'http://a@h',
    'imaps:a@h',
  ])
    assert.throws(() => parseImapUrl(bad), { name: 'SourceFailed' }, bad)
  assert.throws(
    () => parseImapUrl('imaps://anna:hunter2@example.org/'),
    (error: Error) => /leave the password out of the URL/.test(error.message) && !error.message.includes('hunter2'),
  )
})
