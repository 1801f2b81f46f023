import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectDialog, playDialog } from '../support/dialog.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { ALICE, BOB, PASSWORD, startPop3 } from '../support/pop3-server.ts'

const plain = (text: string) => Buffer.from(text).toString('base64')

test('what works is told by state: before TLS, after it, after login', async () => {
  await using pop3 = await startPop3()
  await using talk = await connectDialog({ port: pop3.port })
  const always = [
    'TOP',
    'UIDL',
    'RESP-CODES',
    'AUTH-RESP-CODE',
    'PIPELINING',
    'EXPIRE NEVER',
    'UTF8',
    'IMPLEMENTATION Letterlock',
  ]
  const capa = (...more: string[]) =>
    ['C: CAPA', 'S: +OK …', ...[...always, ...more].map((one) => `S: ${one}`), 'S: .'].join('\n')
  await talk.play(`
    S: +OK Letterlock is ready
    ${capa('STLS')}
    C: USER ${ALICE}
    S: -ERR Start TLS first
    C: PASS ${PASSWORD}
    S: -ERR Start TLS first
    C: AUTH PLAIN ${plain(`\0${ALICE}\0${PASSWORD}`)}
    S: -ERR Start TLS first
    C: AUTH
    S: +OK …
    S: .
    C: stls
    S: +OK Begin TLS now
    TLS
    ${capa('USER', 'SASL PLAIN SCRAM-SHA-256')}
    C: STLS
    S: -ERR TLS is on already
    C: AUTH
    S: +OK …
    S: PLAIN
    S: SCRAM-SHA-256
    S: .
    C: user ${ALICE}
    S: +OK …
    C: pass ${PASSWORD}
    S: +OK Welcome
    ${capa('USER', 'SASL PLAIN SCRAM-SHA-256')}
    C: QUIT
    S: +OK …
    CLOSED
  `)
  assert.equal(pop3.desk.attempts.length, 1)
  assert.equal(pop3.desk.open, 0)
})

test('every way to log in', async () => {
  await using pop3 = await startPop3()
  const ways = [
    `C: USER ${ALICE}\nS: +OK …\nC: PASS ${PASSWORD}\nS: +OK Welcome`,
    `C: USER ${ALICE}\nC: PASS ${PASSWORD}\nC: STAT\nS: +OK …\nS: +OK Welcome\nS: +OK 0 0`,
    `C: AUTH PLAIN ${plain(`\0${ALICE}\0${PASSWORD}`)}\nS: +OK Welcome`,
    `C: auth plain\nS: + \nC: ${plain(`\0${ALICE}\0${PASSWORD}`)}\nS: +OK Welcome`,
    `C: AUTH PLAIN ${plain(`${ALICE}\0${ALICE}\0${PASSWORD}`)}\nS: +OK Welcome`,
    `C: UTF8\nS: +OK …\nC> USER ${ALICE}\\n\nS: +OK …\nC> PASS ${PASSWORD}\\n\nS: +OK Welcome`,
  ]
  for (const way of ways) {
    await using talk = await pop3.connect()
    await talk.play(`${way}\nC: QUIT\nS: +OK …\nCLOSED`)
  }
  assert.equal(pop3.desk.attempts.length, ways.length)
  for (const attempt of pop3.desk.attempts)
    assert.deepEqual(attempt, { user: ALICE, credentialLength: PASSWORD.length, ip: '127.0.0.1' })
})

test('a wrong password and an unknown user hear the same, and not for ever', async () => {
  await using pop3 = await startPop3({ limits: { loginAttempts: 3 } })
  await playDialog(
    { port: pop3.tlsPort, tls: true },
    `
    S: +OK …
    C: USER ${ALICE}
    S: +OK Send the password
    C: PASS wrong
    S: -ERR [AUTH] User or password is wrong
    C: PASS ${PASSWORD}
    S: -ERR Send USER first
    C: USER nobody@alpha.test
    S: +OK Send the password
    C: PASS wrong
    S: -ERR [AUTH] User or password is wrong
    C: AUTH PLAIN ${plain(`\0${ALICE}\0wrong`)}
    S: -ERR [AUTH] User or password is wrong
    CLOSED
  `,
  )
})

test('what else keeps somebody out says what would help', async () => {
  await using pop3 = await startPop3()
  await using talk = await pop3.connect()
  pop3.desk.answer = 'unavailable'
  await talk.play(`C: USER ${ALICE}\nC: PASS ${PASSWORD}\nS: +OK …\nS: -ERR [SYS/TEMP] …`)
  pop3.desk.answer = 'passphrase'
  await talk.play(`C: USER ${ALICE}\nC: PASS ${PASSWORD}\nS: +OK …\nS: -ERR [AUTH] …use an app password`)
  pop3.desk.answer = null
  pop3.desk.wrap = () => {
    throw new Error('the disk is gone')
  }
  await talk.play(`C: USER ${ALICE}\nC: PASS ${PASSWORD}\nS: +OK …\nS: -ERR [SYS/TEMP] …`)
  pop3.desk.wrap = (mail) => mail
  await talk.play(`C: USER ${ALICE}\nC: PASS ${PASSWORD}\nS: +OK …\nS: +OK Welcome`)
})

test('broken AUTH exchanges', async () => {
  await using pop3 = await startPop3({ limits: { badCommands: 20 } })
  await using talk = await pop3.connect()
  await talk.play(`
    C: AUTH PLAIN
    S: +…
    C: *
    S: -ERR Cancelled
    C: AUTH CRAM-MD5
    S: -ERR This mechanism is not supported
    C: AUTH PLAIN ${plain(`${ALICE}\0${PASSWORD}`)}
    S: -ERR Not a PLAIN credential
    C: AUTH PLAIN =
    S: -ERR Not a PLAIN credential
    C: AUTH PLAIN not*base64
    S: -ERR Not base64
    C: AUTH PLAIN ${plain(`${BOB}\0${ALICE}\0${PASSWORD}`)}
    S: -ERR [AUTH] You can act only as yourself
  `)
  talk.send(`AUTH PLAIN\r\n${'A'.repeat(9000)}\r\n`)
  await talk.play(`S: +…\nS: -ERR The response is too long\nC: USER ${ALICE}\nS: +OK …`)
  assert.equal(pop3.desk.attempts.length, 0)
})

test('one client has the maildrop, and the next one when it is gone in any way', async () => {
  await using pop3 = await startPop3()
  await using first = await pop3.login()
  await using bob = await pop3.login(BOB)
  await using second = await pop3.connect()
  const tries = `C: USER ${ALICE}\nC: PASS ${PASSWORD}\nS: +OK …`
  await second.play(`${tries}\nS: -ERR [IN-USE] Another client has this mailbox open`)
  await bob.play('C: STAT\nS: +OK 0 0')
  await first.play('C: QUIT\nS: +OK …')
  await second.play(`${tries}\nS: +OK Welcome`)
  second.socket.destroy()
  await using third = await pop3.connect()
  let said = ''
  while (!said.startsWith('+OK Welcome')) said = (await third.play(`${tries}\nS: …`)).at(-1)!
  pop3.desk.endSessions(ALICE)
  await third.play('CLOSED')
  await using fourth = await pop3.connect()
  for (said = ''; !said.startsWith('+OK Welcome'); ) said = (await fourth.play(`${tries}\nS: …`)).at(-1)!
  assert.equal(pop3.desk.open, 2)
})

test('two servers of one provider share the lock', async () => {
  await using pop3 = await startPop3()
  await using talk = await pop3.login()
  await using other = await connectDialog({ port: pop3.port })
  await other.play(
    `S: +OK …\nC: STLS\nS: +OK …\nTLS\nC: USER ${ALICE}\nC: PASS ${PASSWORD}\nS: +OK …\nS: -ERR [IN-USE] …`,
  )
  await talk.play('C: NOOP\nS: +OK …')
})

test('who never logs in has to go, and who falls silent too, without a word', async () => {
  const clock = createFakeClock()
  await using pop3 = await startPop3({ clock })
  await pop3.desk.deliver(ALICE, 'Subject: x\r\n\r\n')
  await using stranger = await pop3.connect()
  await using silent = await pop3.login()
  await silent.play('C: DELE 1\nS: +OK …')
  await clock.advance(121_000)
  await stranger.play('CLOSED')
  // RFC 1939 §3: not before ten minutes.
  await clock.advance(9 * 60_000 - 121_000)
  await silent.play('C: NOOP\nS: +OK …')
  await clock.advance(10 * 60_000 + 1000)
  await silent.play('CLOSED')
  await using again = await pop3.login()
  await again.play('C: LIST\nS: +OK …\nS: 1 14\nS: .')
})

test('a server that stops lets everybody go', async () => {
  const pop3 = await startPop3()
  await using user = await pop3.login()
  await using stranger = await pop3.connect()
  await pop3.server.stop(1000)
  await user.play('CLOSED')
  await stranger.play('CLOSED')
  await assert.rejects(connectDialog({ port: pop3.port }))
  assert.equal(pop3.desk.open, 0)
})

test('what an owner must be told comes with the login, in ASCII', async () => {
  await using pop3 = await startPop3()
  pop3.desk.notices = [`This account was opened, ticket: Grüße ${'x'.repeat(600)}`]
  await using talk = await pop3.connect()
  const lines = await talk.play(
    `C: USER ${ALICE}\nC: PASS ${PASSWORD}\nS: +OK …\nS: +OK This account was opened, ticket: Gr??e xxx…`,
  )
  assert.ok(lines.every((line) => line.length <= 510))
})
