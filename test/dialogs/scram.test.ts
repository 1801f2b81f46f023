/** Login by SCRAM-SHA-256 (RFC 7677), as IMAP, POP3 and submission carry it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALICE, PASSWORD, startImap } from '../support/imap-server.ts'
import { startPop3 } from '../support/pop3-server.ts'
import { base64, playScram, ScramClient } from '../support/scram.ts'
import { startRig } from '../support/smtp-rig.ts'

const IMAP = { command: '1 AUTHENTICATE', prompt: '+ ' }
const POP3 = { command: 'AUTH', prompt: '+ ' }
const SMTP = { command: 'AUTH', prompt: '334 ' }
const ANN = 'ann@alpha.test'
const FIRST = base64(`n,,n=${ALICE},r=abc`)

test('IMAP: the whole exchange, and the session works', async () => {
  await using imap = await startImap()
  await using talk = await imap.connect()
  assert.match(
    await playScram(talk, new ScramClient(ALICE, PASSWORD), IMAP),
    /^1 OK \[CAPABILITY IMAP4rev1 .*\] Welcome$/,
  )
  await talk.play('C: 2 SELECT INBOX\nS: ...\nS: 2 OK …')
  await talk.play('C: 3 LOGOUT\nS: * BYE …\nS: 3 OK …\nCLOSED')
  assert.equal(imap.desk.open, 0)
})

test('IMAP: step by step without an initial response (RFC 3501 §6.2.2)', async () => {
  await using imap = await startImap()
  await using talk = await imap.connect()
  const client = new ScramClient(ALICE, PASSWORD, `y,a=${ALICE},`)
  await talk.play(`
    C: 1 authenticate scram-sha-256
    S: + 
    C: ${client.first}
  `)
  talk.send(`${client.final((await talk.line())!.slice(2))}\r\n`)
  assert.ok(client.believes((await talk.line())!.slice(2)))
  await talk.play('C:\nS: 1 OK …')
})

test('IMAP: a wrong password and an unknown user hear the same, and not for ever', async () => {
  await using imap = await startImap({ limits: { loginAttempts: 3 } })
  await using talk = await imap.connect()
  const refusal = '1 NO [AUTHENTICATIONFAILED] User or password is wrong; by SCRAM only app passwords log in'
  assert.equal(await playScram(talk, new ScramClient(ALICE, 'wrong'), IMAP), refusal)
  assert.equal(await playScram(talk, new ScramClient('nobody@alpha.test', PASSWORD), IMAP), refusal)
  assert.equal(await playScram(talk, new ScramClient('nobody@alpha.test', ''), IMAP), refusal)
  await talk.play('S: * BYE …\nCLOSED')
})

test('IMAP: what is no exchange ends it, and nothing was tried', async () => {
  await using imap = await startImap({ limits: { badCommands: 20 } })
  await using talk = await imap.connect()
  await talk.play(`
    C: 1 AUTHENTICATE SCRAM-SHA-256 ${base64(`p=tls-exporter,,n=${ALICE},r=abc`)}
    S: 1 BAD SCRAM: channel-binding-not-supported
    C: 2 AUTHENTICATE SCRAM-SHA-256 ${base64(`n,,m=x,n=${ALICE},r=abc`)}
    S: 2 BAD SCRAM: extensions-not-supported
    C: 3 AUTHENTICATE SCRAM-SHA-256 ${base64(`n,a=bob@alpha.test,n=${ALICE},r=abc`)}
    S: 3 BAD SCRAM: other-error
    C: 4 AUTHENTICATE SCRAM-SHA-256 =
    S: 4 BAD SCRAM: invalid-encoding
    C: 5 AUTHENTICATE SCRAM-SHA-256 ${FIRST}
    S: + …
    C: *
    S: 5 BAD Cancelled
    C: 6 AUTHENTICATE SCRAM-SHA-256 ${FIRST}
    S: + …
    C: ${base64('c=biws,r=abc,p=AAAA')}
    S: 6 BAD SCRAM: other-error
    C: 7 AUTHENTICATE SCRAM-SHA-256-PLUS ${FIRST}
    S: 7 NO [CANNOT] …
  `)
  assert.equal(imap.desk.attempts.length, 0)
})

test('a client that does not believe the server is not logged in', async () => {
  for (const word of ['*', 'AAAA', '@']) {
    await using imap = await startImap()
    await using talk = await imap.connect()
    const client = new ScramClient(ALICE, PASSWORD)
    talk.send(`1 AUTHENTICATE SCRAM-SHA-256 ${client.first}\r\n`)
    talk.send(`${client.final((await talk.line())!.slice(2))}\r\n`)
    await talk.line()
    await talk.play(`C: ${word}\nS: 1 BAD …\nC: 2 SELECT INBOX\nS: 2 BAD Log in first`)
    assert.equal(imap.desk.open, 0)
  }
  const imap = await startImap()
  await using talk = await imap.connect()
  const client = new ScramClient(ALICE, PASSWORD)
  talk.send(`1 AUTHENTICATE SCRAM-SHA-256 ${client.first}\r\n`)
  talk.send(`${client.final((await talk.line())!.slice(2))}\r\n`)
  await talk.line()
  await talk[Symbol.asyncDispose]()
  await imap[Symbol.asyncDispose]()
  assert.equal(imap.desk.open, 0)
})

test('POP3: the whole exchange, and what is no exchange', async () => {
  await using pop3 = await startPop3()
  await using talk = await pop3.connect()
  await talk.play(`
    C: AUTH SCRAM-SHA-256 ${base64('n,,n=a')}
    S: -ERR SCRAM: invalid-encoding
    C: AUTH SCRAM-SHA-256
    S: + 
    C: *
    S: -ERR Cancelled
    C: AUTH SCRAM-SHA-256 ${FIRST}
    S: + …
    C: @@@@
    S: -ERR Not base64
  `)
  const refusal = '-ERR [AUTH] User or password is wrong; by SCRAM only app passwords log in'
  assert.equal(await playScram(talk, new ScramClient(ALICE, 'no'), POP3), refusal)
  assert.equal(await playScram(talk, new ScramClient(ALICE, PASSWORD), POP3), '+OK Welcome')
  await talk.play('C: STAT\nS: +OK 0 0\nC: QUIT\nS: +OK …\nCLOSED')
})

test('submission: the whole exchange, and what is no exchange', async () => {
  await using rig = await startRig({ role: 'submission', limits: { failedLogins: 10 } })
  await using talk = await rig.greeted()
  await talk.play(`
    C: AUTH SCRAM-SHA-256 ${base64(`p=tls-exporter,,n=${ANN},r=abc`)}
    S: 501 5.5.2 SCRAM: channel-binding-not-supported
    C: AUTH SCRAM-SHA-256
    S: 334 …
    C: *
    S: 501 5.7.0 Authentication cancelled
  `)
  assert.match(
    await playScram(talk, new ScramClient(ANN, 'wrong'), SMTP),
    /^535 5\.7\.8 .* by SCRAM only app passwords/,
  )
  assert.match(
    await playScram(talk, new ScramClient('eve@alpha.test', 'wrong'), SMTP),
    /^535 5\.7\.8 .* by SCRAM only app passwords/,
  )
  assert.match(await playScram(talk, new ScramClient(ANN, 'correct horse'), SMTP), /^235 2\.7\.0 /)
  await talk.play(`C: MAIL FROM:<${ANN}>\nS: 250 …`)
})

test('where nobody has an app password it is not offered, and taken all the same', async () => {
  await using imap = await startImap()
  await using pop3 = await startPop3()
  for (const { desk } of [imap, pop3]) desk.offers = false
  await using byImap = await imap.connect()
  await byImap.play(`
    C: 0 CAPABILITY
    S: * CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL- ID ENABLE SASL-IR AUTH=PLAIN AUTH=LOGIN
    S: 0 OK …
  `)
  assert.match(await playScram(byImap, new ScramClient(ALICE, PASSWORD), IMAP), /^1 OK /)
  await using byPop3 = await pop3.connect()
  await byPop3.play('C: AUTH\nS: +OK …\nS: PLAIN\nS: .\nC: CAPA\nS: ...\nS: SASL PLAIN\nS: .')
  assert.equal(await playScram(byPop3, new ScramClient(ALICE, PASSWORD), POP3), '+OK Welcome')
})

test('not before TLS', async () => {
  await using rig = await startRig({ role: 'submission' })
  await using talk = await rig.connect()
  await talk.play(`
    S: 220 …
    C: EHLO client.test
    S: ...
    S: 250 …
    C: AUTH SCRAM-SHA-256 ${FIRST}
    S: 538 5.7.11 …
  `)
})
