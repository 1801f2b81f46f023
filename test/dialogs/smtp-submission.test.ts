import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRig, textOf } from '../support/smtp-rig.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const right = base64('\0ann@alpha.test\0correct horse')
const wrong = base64('\0ann@alpha.test\0wrong')

test('nothing without TLS, nothing without login', async () => {
  await using rig = await startRig({ role: 'submission' })
  await using talk = await rig.connect()
  const clear = await talk.play(`
    S: 220 mx.alpha.test ESMTP
    C: EHLO client.test
    S: ...
    S: 250 STARTTLS
  `)
  assert.ok(clear.every((line) => !line.includes('AUTH')))
  const secured = await talk.play(`
    C: AUTH PLAIN ${right}
    S: 538 5.7.11 Encryption required…
    C: MAIL FROM:<ann@alpha.test>
    S: 530 5.7.0 Must issue a STARTTLS command first
    C: STARTTLS
    S: 220 …
    TLS
    C: EHLO client.test
    S: ...
    S: 250 AUTH PLAIN LOGIN SCRAM-SHA-256
    C: MAIL FROM:<ann@alpha.test>
    S: 530 5.7.0 Authentication required
  `)
  assert.ok(secured.every((line) => !/^250.STARTTLS/.test(line)))
  assert.equal(rig.logins.length, 0)
})

test('submission of a message', async () => {
  await using rig = await startRig({ role: 'submission' })
  await using talk = await rig.greeted()
  await talk.play(`
    C: AUTH PLAIN ${right}
    S: 235 2.7.0 Authentication successful
    C: AUTH PLAIN ${right}
    S: 503 5.5.1 Logged in already
    C: MAIL FROM:<somebody@else.test>
    S: 553 5.7.1 Not your address
    C: MAIL FROM:<ann@alpha.test>
    C: RCPT TO:<x@nowhere.test>
    C: RCPT TO:<x@beta.test>
    C: DATA
    S: 250 …
    S: 550 5.1.2 …
    S: 250 …
    S: 354 …
    C: Subject: out
    C:
    C: .
    S: 250 2.0.0 Queued as q1
    C: QUIT
    S: 221 …
    CLOSED
  `)
  const [mail] = rig.received
  assert.equal(textOf(mail), 'Subject: out\r\n\r\n')
  assert.equal(mail?.peer.protocol, 'ESMTPSA')
})

test('TLS from the first octet (RFC 8314)', async () => {
  await using rig = await startRig({ role: 'submission', implicitTls: true })
  await using talk = await rig.connect()
  const lines = await talk.play(`
    S: 220 mx.alpha.test ESMTP
    C: EHLO client.test
    S: ...
    S: 250 AUTH PLAIN LOGIN SCRAM-SHA-256
    C: AUTH LOGIN
    S: 334 VXNlcm5hbWU6
    C: ${base64('ann@alpha.test')}
    S: 334 UGFzc3dvcmQ6
    C: ${base64('correct horse')}
    S: 235 2.7.0 …
    C: EHLO client.test
    S: ...
    S: 250 LIMITS …
  `)
  assert.ok(lines.every((line) => !line.includes('STARTTLS')))
})

test('the forms of AUTH (RFC 4954 §4)', async () => {
  await using rig = await startRig({ role: 'submission', limits: { failedLogins: 10 } })
  await using talk = await rig.greeted()
  await talk.play(`
    C: AUTH PLAIN
    S: 334 …
    C: *
    S: 501 5.7.0 Authentication cancelled
    C: AUTH PLAIN =
    S: 501 5.5.2 …
    C: AUTH PLAIN @@@@
    S: 501 5.5.2 Not base64
    C: AUTH PLAIN
    S: 334 …
    C: ${base64('no nul at all')}
    S: 501 5.5.2 …
    C: AUTH CRAM-MD5
    S: 504 5.5.4 …
    C: AUTH LOGIN ${base64('ann@alpha.test')}
    S: 334 UGFzc3dvcmQ6
    C: *
    S: 501 5.7.0 …
    C: AUTH PLAIN
    S: 334 …
    C: ${'A'.repeat(5000)}
    S: 500 5.5.6 …
    C: AUTH PLAIN ${base64('bob@alpha.test\0ann@alpha.test\0correct horse')}
    S: 535 5.7.8 …
    C: AUTH PLAIN
    S: 334 …
    C: ${right}
    S: 235 2.7.0 …
  `)
  assert.deepEqual(
    rig.logins.map(({ user, credential }) => [user, credential]),
    [['ann@alpha.test', 'correct horse']],
  )
})

test('wrong password and unknown account: the same words; the third time the connection ends', async () => {
  await using rig = await startRig({ role: 'submission' })
  await using talk = await rig.greeted()
  await talk.play(`
    C: AUTH PLAIN ${wrong}
    S: 535 5.7.8 Authentication credentials invalid
    C: AUTH PLAIN ${base64('\0nobody@alpha.test\0wrong')}
    S: 535 5.7.8 Authentication credentials invalid
    C: AUTH PLAIN ${base64('\0slow@alpha.test\0wrong')}
    S: 454 4.7.0 …
    C: AUTH LOGIN
    S: 334 …
    C: ${base64('ann@alpha.test')}
    S: 334 …
    C: ${base64('wrong')}
    S: 535 5.7.8 Authentication credentials invalid
    S: 421 4.7.0 …
    CLOSED
  `)
})

test('failed logins count per address, over connections', async () => {
  await using rig = await startRig({ role: 'submission', limits: { failedLoginsPerAddress: 2 } })
  for (let time = 0; time < 2; time++) {
    await using talk = await rig.greeted()
    await talk.play(`C: AUTH PLAIN ${wrong}\nS: 535 …`)
  }
  await using talk = await rig.greeted()
  await talk.play(`C: AUTH PLAIN ${right}\nS: 454 4.7.0 …`)
  assert.equal(rig.logins.length, 2)
})

test('the buffer of a credential is wiped when the desk has answered, and the log never saw it', async () => {
  await using rig = await startRig({ role: 'submission' })
  await using talk = await rig.greeted()
  await talk.play(`C: AUTH PLAIN ${right}\nS: 235 …`)
  assert.ok(rig.logins[0]?.buffer.every((octet) => octet === 0))
  assert.doesNotMatch(JSON.stringify(rig.log), /correct|Y29ycmVjd/)
})

test('a session that ends elsewhere ends the connection', async () => {
  await using rig = await startRig({ role: 'submission' })
  await using talk = await rig.greeted()
  await talk.play(`C: AUTH PLAIN ${right}\nS: 235 …`)
  rig.endSessions()
  await talk.play('S: 421 4.7.0 … Login has ended\nCLOSED')
  await using second = await rig.greeted()
  await second.play(`C: AUTH PLAIN ${right}\nC: MAIL FROM:<ann@alpha.test>\nS: 235 …\nS: 421 4.7.0 …\nCLOSED`)
})

test('an account with a passphrase says what its owner needs, and is no guesser', async () => {
  await using rig = await startRig({ role: 'submission', limits: { failedLogins: 2 } })
  await using talk = await rig.greeted()
  const both = base64('\0both@alpha.test\0correct horse')
  const wanted = 'This account also wants its passphrase, which mail programs cannot ask for: use an app password'
  await talk.play(`
    C: AUTH PLAIN ${both}
    S: 535 5.7.8 ${wanted}
    C: AUTH PLAIN ${both}
    S: 535 5.7.8 ${wanted}
    S: 421 4.7.0 Too many failed logins
    CLOSED
  `)
})
