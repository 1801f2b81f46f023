import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { connectDialog } from '../support/dialog.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, BOB, PASSWORD, startImap } from '../support/imap-server.ts'
import { endsUnread } from '../support/unread-answers.ts'

test('a browser is sent away at its first line', async () => {
  await using imap = await startImap()
  for (const first of ['GET / HTTP/1.1', 'POST /mail HTTP/1.1']) {
    await using talk = await imap.connect()
    await talk.play(
      `C: ${first}\nC: Host: alpha.test\nS: ${first.split(' ')[0]} BAD …\nS: * BYE This is not HTTP\nCLOSED`,
    )
  }
})

test('what is no TLS handshake, or never becomes one, ends the connection', async () => {
  const clock = createFakeClock()
  await using imap = await startImap({ clock })
  await using garbage = await connectDialog({ port: imap.tlsPort })
  garbage.send('1 LOGIN alice secret\r\n')
  while ((await garbage.line().catch(() => '')) !== null && !garbage.socket.destroyed) await setImmediate()
  await using upgrade = await connectDialog({ port: imap.port })
  await upgrade.play('S: * OK …\nC: 1 STARTTLS\nS: 1 OK …')
  upgrade.send('2 CAPABILITY\r\n')
  while ((await upgrade.line().catch(() => '')) !== null && !upgrade.socket.destroyed) await setImmediate()
  await using silent = await connectDialog({ port: imap.tlsPort })
  // A connection after it has been served, so the silent one has been accepted.
  await using after = await imap.connect()
  await clock.advance(121_000)
  await silent.play('CLOSED')
  await after.play('S: * BYE Login took too long\nCLOSED')
})

test('before login there is no literal but a small one of LOGIN', async () => {
  await using imap = await startImap()
  await using talk = await imap.connect()
  await talk.play(`
    C: 1 SELECT {5}
    S: 1 BAD …
    C: 2 LOGIN {2000}
    S: 2 BAD …
    C: 3 SELECT {5+}
    C: INBOX
    S: 3 BAD …
    C: 4 APPEND INBOX {5}
    S: 4 BAD …
    C: 5 LOGIN ${ALICE} "${PASSWORD}"
    S: 5 OK …
  `)
})

test('nonsense is answered a few times before login, and longer afterwards', async () => {
  await using imap = await startImap({ limits: { badCommands: 3 } })
  await using stranger = await imap.connect()
  await stranger.play(`
    C: 1 NONSENSE
    S: 1 BAD …
    C: \x16\x03\x01
    S: * BAD …
    C: 3 SELECT INBOX
    S: 3 BAD …
    S: * BYE Too many bad commands
    CLOSED
  `)
  await using user = await imap.login()
  const bad = 'C: x NONSENSE\nS: x BAD …\n'
  await user.play(`${bad.repeat(29)}C: y NOOP\nS: y OK …\n${bad.repeat(30)}S: * BYE Too many bad commands\nCLOSED`)
})

test('a line without end ends the connection', async () => {
  await using imap = await startImap()
  await using talk = await imap.connect()
  talk.send(`1 LOGIN ${'x'.repeat(70_000)}`)
  await talk.play('S: * BYE …\nCLOSED')
})

test('a search nested without end, or with too many keys, is refused', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play('C: 1 SELECT INBOX\nS: ...\nS: 1 OK …')
  talk.send(`2 SEARCH ${'NOT ('.repeat(5000)}ALL${')'.repeat(5000)}\r\n3 SEARCH ${'NOT '.repeat(5000)}ALL\r\n`)
  const words = Array.from({ length: 201 }, (_, index) => `BODY a${index}`)
  talk.send(`4 SEARCH ${words.join(' ')}\r\n5 SEARCH ${'SEEN '.repeat(5001)}\r\n`)
  await talk.play('S: 2 BAD …\nS: 3 BAD …\nS: 4 NO [LIMIT] …\nS: 5 NO [LIMIT] …')
})

test('sets of four thousand million messages cost nothing', async () => {
  await using imap = await startImap()
  await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await imap.login()
  await talk.play(`
    C: 1 SELECT INBOX
    S: ...
    S: 1 OK …
    C: 2 UID FETCH 1:4294967295 UID
    S: * 1 FETCH (UID 1)
    S: 2 OK …
    C: 3 UID SEARCH UID 1:4294967295
    S: * SEARCH 1
    S: 3 OK …
    C: 4 UID FETCH 4294967296 UID
    S: 4 BAD …
  `)
})

test('one address, and strangers together, get so many connections', async () => {
  await using imap = await startImap({ limits: { connectionsPerAddress: 2 } })
  await using first = await connectDialog({ port: imap.port })
  await using second = await connectDialog({ port: imap.port })
  await using third = await connectDialog({ port: imap.port })
  await first.play('S: * OK …')
  await second.play('S: * OK …')
  await third.play('S: * BYE [UNAVAILABLE] Too many connections\nCLOSED')
  await using neighbour = await connectDialog({ port: imap.port, localAddress: '127.0.0.2' })
  await neighbour.play('S: * OK …')
})

test('one account gets so many connections', async () => {
  await using imap = await startImap({ limits: { connectionsPerAccount: 1 } })
  await using first = await imap.login()
  await using second = await imap.connect()
  await second.play(`C: 1 LOGIN ${ALICE} "${PASSWORD}"\nS: 1 NO [LIMIT] …`)
  await first.play('C: 1 LOGOUT\nS: ...\nS: 1 OK …\nCLOSED')
  // The place is free once the server has seen the end too.
  let answer = ''
  for (let i = 0; i < 100 && !answer.startsWith('2 OK'); i++) {
    ;[answer = ''] = await second.play(`C: 2 LOGIN ${ALICE} "${PASSWORD}"\nS: 2 …`)
  }
  assert.match(answer, /^2 OK/)
})

test('a client that pipelines and does not read is not read either, and has to go in the end', async () => {
  const clock = createFakeClock()
  await using imap = await startImap({ clock })
  await imap.desk.deliver(ALICE, Buffer.alloc(2_000_000, 'x\r\n'))
  await using talk = await imap.login()
  await talk.play('C: 1 SELECT INBOX\nS: ...\nS: 1 OK …')
  await endsUnread(talk, clock, 'f FETCH 1 BODY.PEEK[]\r\n'.repeat(500), 120_000)
})

test('commands after LOGOUT are not done', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play('C: 1 LOGOUT\nC: 2 CREATE x\nS: * BYE …\nS: 1 OK …\nCLOSED')
  const mail = await imap.desk.mail(ALICE)
  assert.ok(!(await mail.mailboxes()).some(({ name }) => name === 'x'))
})

test('a command that is never finished ends the connection', async () => {
  const clock = createFakeClock()
  await using imap = await startImap({ clock })
  await using talk = await imap.login()
  await talk.play('C: 1 APPEND INBOX {100}\nS: + …\nC> half')
  // The four octets have to arrive before time may pass.
  await setImmediate()
  await using other = await imap.login()
  await other.play('C: 1 NOOP\nS: 1 OK …')
  await clock.advance(240_000)
  await talk.play('S: * BYE Nothing was heard for too long\nCLOSED')
})

test('appends of all clients together take only so much memory', async () => {
  await using imap = await startImap({ limits: { appendMemory: 150_000 } })
  await using first = await imap.login()
  await using second = await imap.login()
  await first.play('C: 1 APPEND INBOX {190000}\nS: + …')
  first.send(Buffer.alloc(150_000, 'a'))
  await second.play('C: 1 APPEND INBOX {190000}\nS: + …')
  second.send(Buffer.alloc(150_000, 'a'))
  // Whoever comes second has to go; the other one goes on.
  const lines = await Promise.all([first, second].map((talk) => Promise.race([talk.line(), pauseFor(talk)])))
  assert.equal(lines.filter((line) => line?.startsWith('* BYE [UNAVAILABLE]')).length, 1)
})

test('who fills the memory of appends turns nobody away, and has less of it than there is', async () => {
  const limits = { appendMemory: 250_000, appendMemoryPerAccount: 150_000, messageSize: 200_000 }
  await using imap = await startImap({ limits })
  await using eve = await imap.login()
  await using bob = await imap.login(BOB)
  await eve.play('C: 1 APPEND INBOX {190000}\nS: + …')
  eve.send(Buffer.alloc(180_000, 'a'))
  await using other = await imap.login()
  await other.play('C: 1 APPEND INBOX {190000}\nS: + …')
  other.send(Buffer.alloc(180_000, 'a'))
  const lines = await Promise.all([eve, other].map((talk) => Promise.race([talk.line(), pauseFor(talk)])))
  assert.equal(lines.filter((line) => line?.startsWith('* BYE [UNAVAILABLE]')).length, 1)
  await bob.play(`C: 1 NOOP\nS: 1 OK …\nC: 2 APPEND INBOX {150000}\nS: + …\nC: ${'a'.repeat(150_000)}\nS: 2 OK …`)
})

test('a few URLs do not stand for more than a message may hold', async () => {
  await using imap = await startImap({ limits: { messageSize: 100_000, appendMemoryPerAccount: 150_000 } })
  await imap.desk.deliver(ALICE, Buffer.alloc(60_000, 'x\r\n'))
  await imap.desk.deliver(ALICE, Buffer.alloc(90_000, 'y\r\n'))
  await using talk = await imap.login()
  const once = 'CATENATE (URL "/INBOX;UID=1")'
  await talk.play(`
    C: 1 APPEND INBOX ${once} ${once}
    S: 1 NO [TOOBIG] …
    C: 2 APPEND INBOX CATENATE (URL "/INBOX;UID=2")
    S: 2 NO [LIMIT] …
    C: 3 APPEND INBOX ${once}
    S: 3 OK …
    C: 4 APPEND INBOX ${once}
    S: 4 OK …
  `)
})

test('who has read a large message and waits keeps nobody else from reading', async () => {
  await using imap = await startImap({ limits: { fetchMemory: 2_000_000, fetchMemoryPerAccount: 2_000_000 } })
  await imap.desk.deliver(ALICE, `${'x'.repeat(998)}\r\n`.repeat(1500))
  await using first = await imap.login()
  await using second = await imap.login()
  for (const talk of [first, second])
    await talk.play('C: 1 SELECT INBOX\nS: ...\nS: 1 OK …\nC: 2 FETCH 1 BODY.PEEK[]\nS: ...\nS: 2 OK Fetched')
})

async function pauseFor(talk: { socket: { destroyed: boolean } }): Promise<string> {
  for (let i = 0; i < 2000 && !talk.socket.destroyed; i++) await setImmediate()
  return 'still there'
}

test('no password and no content is ever logged', async () => {
  const logged: string[] = []
  const write = (fields: object, msg: string) => {
    logged.push(JSON.stringify(fields) + msg)
  }
  const logger = { debug: write, info: write, warn: write, error: write, with: () => logger }
  await using imap = await startImap({ logger })
  await imap.desk.deliver(ALICE, PLAIN)
  await using talk = await imap.login()
  await talk.play(`
    C: 1 ID ("name" "Mail" "version" "1")
    S: ...
    S: 1 OK …
    C: 2 SELECT INBOX
    S: ...
    S: 2 OK …
    C: 3 FETCH 1 BODY[]
    S: ...
    S: 3 OK …
    C: 4 SEARCH BODY usual
    S: ...
    S: 4 OK …
    C: 5 LOGOUT
    S: ...
    S: 5 OK …
    CLOSED
  `)
  await imap.server.stop(1000)
  const all = logged.join('\n')
  assert.match(all, /imap login/)
  assert.match(all, /"client":"Mail 1".*"fetched":1.*imap logout/)
  for (const secret of [PASSWORD, 'Lunch', 'usual', 'bob@']) assert.ok(!all.includes(secret), secret)
})
