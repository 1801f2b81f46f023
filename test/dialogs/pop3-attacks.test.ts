import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { connectDialog } from '../support/dialog.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { PLAIN } from '../support/imap-messages.ts'
import { ALICE, PASSWORD, startPop3 } from '../support/pop3-server.ts'
import { endsUnread } from '../support/unread-answers.ts'

test('what was sent before the handshake is never obeyed after it (RFC 2595 §4)', async () => {
  await using pop3 = await startPop3()
  await using talk = await connectDialog({ port: pop3.port })
  await talk.play('S: +OK …')
  talk.send(`USER ${ALICE}\r\nSTLS\r\nUSER mallory@alpha.test\r\nCAPA\r\n`)
  await talk.play(`
    S: -ERR Start TLS first
    S: +OK Begin TLS now
    TLS
    C: PASS ${PASSWORD}
    S: -ERR Send USER first
    C: USER ${ALICE}
    S: +OK …
    C: PASS ${PASSWORD}
    S: +OK Welcome
  `)
  assert.equal(pop3.desk.attempts.length, 1)
})

test('a browser is sent away at its first line', async () => {
  await using pop3 = await startPop3()
  for (const first of ['GET / HTTP/1.1', 'POST /mail HTTP/1.1']) {
    await using talk = await pop3.connect()
    await talk.play(`C: ${first}\nC: Host: alpha.test\nS: -ERR Unknown command\nCLOSED`)
  }
})

test('commands out of their state do nothing', async () => {
  await using pop3 = await startPop3({ limits: { badCommands: 20 } })
  await pop3.desk.deliver(ALICE, PLAIN)
  await using talk = await pop3.connect()
  for (const line of ['STAT', 'LIST', 'UIDL', 'RETR 1', 'TOP 1 0', 'DELE 1', 'RSET', 'NOOP'])
    await talk.play(`C: ${line}\nS: -ERR Log in first`)
  await talk.play(`C: PASS ${PASSWORD}\nS: -ERR Send USER first\nC: QUIT\nS: +OK …\nCLOSED`)
  await using user = await pop3.login()
  for (const line of [`USER ${ALICE}`, `PASS ${PASSWORD}`, 'AUTH PLAIN', 'STLS', 'UTF8'])
    await user.play(`C: ${line}\nS: -ERR You are logged in`)
  await user.play('C: STAT\nS: +OK 1 …')
})

test('nonsense is answered a few times before login, and longer afterwards', async () => {
  await using pop3 = await startPop3({ limits: { badCommands: 3 } })
  await using stranger = await pop3.connect()
  await stranger.play(`
    C: EHLO mail
    S: -ERR Unknown command
    C> \\x16\\x03\\x01\\0\\n
    S: -ERR …
    C: STAT
    S: -ERR Log in first
    CLOSED
  `)
  await using user = await pop3.login()
  const bad = 'C: NONSENSE\nS: -ERR …\n'
  await user.play(`${bad.repeat(29)}C: NOOP\nS: +OK …\n${bad.repeat(30)}CLOSED`)
})

test('long lines are refused and cost nothing', async () => {
  await using pop3 = await startPop3()
  await using talk = await pop3.connect()
  talk.send(`USER ${'x'.repeat(600)}\r\n`)
  await talk.play('S: -ERR The line is too long')
  for (let i = 0; i < 100; i++) talk.send('y'.repeat(100_000))
  talk.send(`\r\nUSER ${ALICE}\r\n`)
  await talk.play(`S: -ERR The line is too long\nS: +OK …\nC: PASS ${PASSWORD}\nS: +OK Welcome`)
})

test('numbers without measure are numbers of no message', async () => {
  await using pop3 = await startPop3()
  await pop3.desk.deliver(ALICE, PLAIN)
  await using talk = await pop3.login()
  for (const number of ['0', '2', '4294967297', '9'.repeat(300)])
    for (const command of ['RETR', 'DELE', 'LIST', 'UIDL'])
      await talk.play(`C: ${command} ${number}\nS: -ERR There is no such message`)
  for (const lines of ['4294967296', '9'.repeat(300)])
    await talk.play(`C: TOP 1 ${lines}\nS: +OK …\nS: ...\nS: Noon at the usual place?\nS: .`)
  for (const broken of ['RETR', 'RETR -1', 'RETR 1.0', 'RETR 1 1', 'TOP 1', 'TOP 1 -1', 'LIST x'])
    await talk.play(`C: ${broken}\nS: -ERR This is not how it is asked`)
})

test('one address, and strangers together, get so many connections', async () => {
  await using pop3 = await startPop3({ limits: { connectionsPerAddress: 2, connectionsBeforeLogin: 3 } })
  await using first = await connectDialog({ port: pop3.port })
  await using second = await connectDialog({ port: pop3.port })
  await using third = await connectDialog({ port: pop3.port })
  await first.play('S: +OK …')
  await second.play('S: +OK …')
  await third.play('S: -ERR [SYS/TEMP] Too many connections\nCLOSED')
  await using neighbour = await connectDialog({ port: pop3.port, localAddress: '127.0.0.2' })
  await neighbour.play('S: +OK …')
  await using another = await connectDialog({ port: pop3.port, localAddress: '127.0.0.3' })
  await another.play('S: -ERR …\nCLOSED')
})

test('a client that pipelines and does not read is not read either, and has to go in the end', async () => {
  const clock = createFakeClock()
  await using pop3 = await startPop3({ clock })
  await pop3.desk.deliver(ALICE, Buffer.alloc(2_000_000, 'x\r\n'))
  await using talk = await pop3.login()
  await endsUnread(talk, clock, 'RETR 1\r\n'.repeat(500), 120_000)
  assert.equal(pop3.desk.open, 0)
})

test('commands after QUIT are not done', async () => {
  await using pop3 = await startPop3()
  await pop3.desk.deliver(ALICE, PLAIN)
  await using talk = await pop3.login()
  await talk.play('C: QUIT\nC: DELE 1\nC: QUIT\nS: +OK …\nCLOSED')
  await using again = await pop3.login()
  await again.play('C: STAT\nS: +OK 1 …')
})

test('what is no TLS handshake ends the connection', async () => {
  await using pop3 = await startPop3()
  await using garbage = await connectDialog({ port: pop3.tlsPort })
  garbage.send('USER alice\r\nPASS secret\r\n')
  while ((await garbage.line().catch(() => '')) !== null && !garbage.socket.destroyed) await setImmediate()
  await using talk = await pop3.login()
  await talk.play('C: NOOP\nS: +OK …')
})

test('no password and no content is ever logged', async () => {
  const logged: string[] = []
  const write = (fields: object, msg: string) => {
    logged.push(JSON.stringify(fields) + msg)
  }
  const logger = { debug: write, info: write, warn: write, error: write, with: () => logger }
  await using pop3 = await startPop3({ logger })
  await pop3.desk.deliver(ALICE, PLAIN)
  await using talk = await pop3.login()
  await talk.play('C: RETR 1\nS: ...\nS: .\nC: TOP 1 9\nS: ...\nS: .\nC: DELE 1\nS: +OK …\nC: QUIT\nS: +OK …\nCLOSED')
  await pop3.server.stop(1000)
  const all = logged.join('\n')
  assert.match(all, /pop3 login/)
  assert.match(all, /"retrieved":1,"removed":1.*pop3 logout/)
  for (const secret of [PASSWORD, 'Lunch', 'usual', 'bob@']) assert.ok(!all.includes(secret), secret)
})
