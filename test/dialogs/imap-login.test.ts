import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectDialog } from '../support/dialog.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { ALICE, PASSWORD, startImap } from '../support/imap-server.ts'

const plain = (text: string) => Buffer.from(text).toString('base64')

test('before TLS there is no login, and STARTTLS changes what works', async () => {
  await using imap = await startImap()
  await using talk = await connectDialog({ port: imap.port })
  await talk.play(`
    S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL- ID ENABLE SASL-IR STARTTLS LOGINDISABLED] Letterlock is ready
    C: 1 LOGIN ${ALICE} "${PASSWORD}"
    S: 1 NO [PRIVACYREQUIRED] …
    C: 2 AUTHENTICATE PLAIN ${plain(`\0${ALICE}\0${PASSWORD}`)}
    S: 2 NO [PRIVACYREQUIRED] …
    C: 3 SELECT INBOX
    S: 3 BAD Log in first
    C: 4 STARTTLS
    S: 4 OK …
    TLS
    C: 5 CAPABILITY
    S: * CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL- ID ENABLE SASL-IR AUTH=PLAIN AUTH=LOGIN AUTH=SCRAM-SHA-256
    S: 5 OK …
    C: 6 STARTTLS
    S: 6 BAD …
    C: 7 LOGIN ${ALICE} "${PASSWORD}"
    S: 7 OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL- ID ENABLE IDLE NAMESPACE UIDPLUS …] Welcome
    C: 8 LOGIN ${ALICE} "${PASSWORD}"
    S: 8 BAD You are logged in already
    C: 9 LOGOUT
    S: * BYE …
    S: 9 OK …
    CLOSED
  `)
  assert.equal(imap.desk.attempts.length, 1)
  assert.equal(imap.desk.open, 0)
})

test('what was sent before the handshake is not obeyed after it', async () => {
  await using imap = await startImap()
  await using talk = await connectDialog({ port: imap.port })
  await talk.play(`
    S: * OK …
    C: 1 STARTTLS
    C: 2 LOGIN ${ALICE} "${PASSWORD}"
    S: 1 OK …
    TLS
    C: 3 NOOP
    S: 3 OK …
    SILENCE
  `)
  assert.equal(imap.desk.attempts.length, 0)
})

test('every way to log in', async () => {
  await using imap = await startImap()
  const ways = [
    `C: 1 LOGIN "${ALICE}" "${PASSWORD}"\nS: 1 OK …`,
    `C: 1 login ${ALICE} {13}\nS: + …\nC: ${PASSWORD}\nS: 1 OK …`,
    `C: 1 LOGIN {16}\nS: + …\nC: ${ALICE} {13}\nS: + …\nC: ${PASSWORD}\nS: 1 OK …`,
    `C: 1 AUTHENTICATE PLAIN ${plain(`\0${ALICE}\0${PASSWORD}`)}\nS: 1 OK …`,
    `C: 1 authenticate plain\nS: + \nC: ${plain(`\0${ALICE}\0${PASSWORD}`)}\nS: 1 OK …`,
    `C: 1 AUTHENTICATE PLAIN ${plain(`${ALICE}\0${ALICE}\0${PASSWORD}`)}\nS: 1 OK …`,
    `C: 1 AUTHENTICATE LOGIN\nS: + ${plain('Username:')}\nC: ${plain(ALICE)}\nS: + ${plain('Password:')}\nC: ${plain(PASSWORD)}\nS: 1 OK …`,
    `C: 1 authenticate login ${plain(ALICE)}\nS: + ${plain('Password:')}\nC: ${plain(PASSWORD)}\nS: 1 OK …`,
  ]
  for (const way of ways) {
    await using talk = await imap.connect()
    await talk.play(way)
  }
  assert.equal(imap.desk.attempts.length, ways.length)
  for (const attempt of imap.desk.attempts)
    assert.deepEqual(attempt, { user: ALICE, credentialLength: 13, ip: '127.0.0.1' })
})

test('a wrong password and an unknown user hear the same, and not for ever', async () => {
  await using imap = await startImap({ limits: { loginAttempts: 4 } })
  await using talk = await imap.connect()
  const refusal = 'NO [AUTHENTICATIONFAILED] User or password is wrong'
  await talk.play(`
    C: 1 LOGIN ${ALICE} wrong
    S: 1 ${refusal}
    C: 2 LOGIN nobody@alpha.test wrong
    S: 2 ${refusal}
    C: 3 AUTHENTICATE PLAIN ${plain(`\0${ALICE}\0wrong`)}
    S: 3 ${refusal}
    C: 4 LOGIN ${ALICE} wrong
    S: 4 ${refusal}
    S: * BYE Too many failed logins
    CLOSED
  `)
})

test('trouble at the desk is not a wrong password', async () => {
  await using imap = await startImap()
  imap.desk.answer = 'unavailable'
  await using talk = await imap.connect()
  await talk.play(`C: 1 LOGIN ${ALICE} "${PASSWORD}"\nS: 1 NO [UNAVAILABLE] …`)
})

test('broken AUTHENTICATE exchanges', async () => {
  await using imap = await startImap()
  await using talk = await imap.connect()
  await talk.play(`
    C: 1 AUTHENTICATE PLAIN
    S: + …
    C: *
    S: 1 BAD …
    C: 2 AUTHENTICATE CRAM-MD5
    S: 2 NO …
    C: 3 AUTHENTICATE PLAIN ${plain(`${ALICE}\0${PASSWORD}`)}
    S: 3 BAD …
    C: 4 AUTHENTICATE PLAIN ${plain(`boss@alpha.test\0${ALICE}\0${PASSWORD}`)}
    S: 4 NO [AUTHORIZATIONFAILED] …
  `)
  assert.equal(imap.desk.attempts.length, 0)
})

test('who never logs in has to go, and who falls silent too', async () => {
  const clock = createFakeClock()
  await using imap = await startImap({ clock })
  await using stranger = await imap.connect()
  await using silent = await imap.login()
  await using idle = await imap.login()
  await idle.play('C: 1 IDLE\nS: + …')
  await clock.advance(121_000)
  await stranger.play('S: * BYE Login took too long\nCLOSED')
  await silent.play('C: 2 NOOP\nS: 2 OK …')
  await clock.advance(30 * 60_000)
  // RFC 3501 §5.4: not before 30 minutes.
  await silent.play('C: 3 NOOP\nS: 3 OK …')
  await clock.advance(32 * 60_000)
  await silent.play('S: * BYE Nothing was heard for too long\nCLOSED')
  await idle.play('S: * BYE Nothing was heard for too long\nCLOSED')
})

test('a session that ends elsewhere says goodbye', async () => {
  await using imap = await startImap()
  await using idle = await imap.login()
  await using other = await imap.login()
  await idle.play('C: 1 SELECT INBOX\nS: ...\nS: 1 OK …\nC: 2 IDLE\nS: + …')
  imap.desk.endSessions(ALICE)
  await idle.play('S: * BYE The session has ended, please log in again\nCLOSED')
  await other.play('S: * BYE The session has ended, please log in again\nCLOSED')
})

test('a server that stops says goodbye to all', async () => {
  const imap = await startImap()
  await using idle = await imap.login()
  await using stranger = await imap.connect()
  await idle.play('C: 1 IDLE\nS: + …')
  await imap.server.stop(1000)
  await idle.play('S: * BYE The server is shutting down\nCLOSED')
  await stranger.play('S: * BYE The server is shutting down\nCLOSED')
  await assert.rejects(connectDialog({ port: imap.port }))
  assert.equal(imap.desk.open, 0)
})

test('ID, NAMESPACE and ENABLE', async () => {
  await using imap = await startImap()
  await using talk = await imap.login()
  await talk.play(`
    C: 1 ID ("name" "Thunderbird" "version" "140")
    S: * ID ("name" "Letterlock")
    S: 1 OK …
    C: 2 ID NIL
    S: * ID ("name" "Letterlock")
    S: 2 OK …
    C: 3 NAMESPACE
    S: * NAMESPACE (("" "/")) NIL NIL
    S: 3 OK …
    C: 4 ENABLE CONDSTORE X-UNKNOWN
    S: * ENABLED CONDSTORE
    S: 4 OK …
    # What is on already is named all the same: a client that reads the answer must not think that it failed.
    C: 5 ENABLE X-UNKNOWN CONDSTORE condstore
    S: * ENABLED CONDSTORE
    S: 5 OK …
  `)
})

test('a password may come as a literal, with or without waiting for the go-ahead', async () => {
  await using imap = await startImap()
  await using talk = await imap.connect()
  await talk.play(`
    C: 1 LOGIN {${ALICE.length}+}
    C: ${ALICE} {${PASSWORD.length}+}
    C: ${PASSWORD}
    S: 1 OK …
  `)
  await using careful = await imap.connect()
  await careful.play(`
    C: 1 LOGIN {${ALICE.length}}
    S: + …
    C: ${ALICE} {${PASSWORD.length}}
    S: + …
    C: ${PASSWORD}
    S: 1 OK …
  `)
})

test('an account with a passphrase says what its owner needs, as often as any failed login', async () => {
  await using imap = await startImap({ limits: { loginAttempts: 2 } })
  imap.desk.answer = 'passphrase'
  await using talk = await imap.connect()
  const wanted = 'This account also wants its passphrase, which mail programs cannot ask for: use an app password'
  await talk.play(`
    C: 1 LOGIN ${ALICE} "${PASSWORD}"
    S: 1 NO [AUTHORIZATIONFAILED] ${wanted}
    C: 2 AUTHENTICATE PLAIN ${plain(`\0${ALICE}\0${PASSWORD}`)}
    S: 2 NO [AUTHORIZATIONFAILED] ${wanted}
    S: * BYE Too many failed logins
    CLOSED
  `)
})

test('what an owner must be told comes with the login, as an alert in ASCII (RFC 3501 §7.1)', async () => {
  await using imap = await startImap()
  imap.desk.notices = ['This account was opened, ticket: Grüße', 'And once more']
  await using talk = await imap.connect()
  await talk.play(`
    C: 1 LOGIN ${ALICE} "${PASSWORD}"
    S: * OK [ALERT] This account was opened, ticket: Gr??e
    S: * OK [ALERT] And once more
    S: 1 OK [CAPABILITY …] Welcome
  `)
})
