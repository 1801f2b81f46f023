/** Our SMTP server with clients that others wrote: swaks, curl and Python's smtplib. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { needs } from '../support/needs.ts'
import { curlSubmit } from '../support/peers/curl.ts'
import { run } from '../support/peers/run.ts'
import { swaks } from '../support/peers/swaks.ts'
import { startRig, textOf } from '../support/smtp-rig.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const message = Buffer.from(
  ['Subject: hello', '', '.a dot', '..', '.', `${'long '.repeat(300)}é`, '', ''].join('\r\n').repeat(30),
)
const sent = { host: '127.0.0.1', from: 'sender@beta.test', to: ['ann@alpha.test', 'bob@alpha.test'], message }
const login = { user: 'ann@alpha.test', password: 'correct horse' }

test('swaks: plain, pipelined', needs('swaks'), async () => {
  await using rig = await startRig()
  const { code, output } = await swaks({ ...sent, port: rig.port })
  assert.equal(code, 0, output)
  assert.equal(textOf(rig.received[0]), message.toString('latin1'))
  assert.equal(rig.received[0]?.envelope.recipients.length, 2)
})

test('swaks: STARTTLS, certificate checked', needs('swaks'), async () => {
  await using directory = await temporaryDirectory('ca')
  await using rig = await startRig()
  await writeFile(directory.join('ca.pem'), rig.certificate)
  const { code, output } = await swaks({ ...sent, port: rig.port, tls: 'starttls', ca: directory.join('ca.pem') })
  assert.equal(code, 0, output)
  assert.equal(textOf(rig.received[0]), message.toString('latin1'))
  assert.equal(rig.received[0]?.peer.protocol, 'ESMTPS')
})

test('swaks: LMTP', needs('swaks'), async () => {
  await using rig = await startRig({ role: 'lmtp' })
  const { code, output } = await swaks({ ...sent, port: rig.port, protocol: 'LMTP' })
  assert.equal(code, 0, output)
  assert.equal(textOf(rig.received[0]), message.toString('latin1'))
})

test('swaks: submission, both kinds of TLS, right and wrong password', needs('swaks'), async () => {
  for (const tls of ['starttls', 'implicit'] as const) {
    await using rig = await startRig({ role: 'submission', implicitTls: tls === 'implicit' })
    const own = { ...sent, from: login.user, port: rig.port, tls }
    const right = await swaks({ ...own, login })
    assert.equal(right.code, 0, right.output)
    assert.equal(rig.received[0]?.peer.protocol, 'ESMTPSA')
    const wrong = await swaks({ ...own, login: { ...login, password: 'wrong' } })
    assert.notEqual(wrong.code, 0)
    assert.match(wrong.output, /535 5\.7\.8 Authentication credentials invalid/)
    assert.equal(rig.received.length, 1)
  }
})

test('curl: submission over TLS', needs('curl'), async () => {
  await using directory = await temporaryDirectory('ca')
  await using rig = await startRig({ role: 'submission', implicitTls: true })
  await writeFile(directory.join('ca.pem'), rig.certificate)
  const target = { host: '127.0.0.1', port: rig.port, ca: directory.join('ca.pem'), ...login }
  const { code, output } = await curlSubmit(target, login.user, ['x@beta.test'], message)
  assert.equal(code, 0, output)
  assert.equal(textOf(rig.received[0]), message.toString('latin1'))
})

const PYTHON = `
import smtplib, ssl, sys
smtp = smtplib.SMTP('127.0.0.1', int(sys.argv[1]), local_hostname='client.test')
smtp.starttls(context=ssl._create_unverified_context())
smtp.login('ann@alpha.test', sys.stdin.readline().strip())
refused = smtp.sendmail('ann@alpha.test', ['x@beta.test', 'x@nowhere.test'], b'Subject: x\\r\\n\\r\\n.dot\\r\\n', mail_options=['SMTPUTF8', 'BODY=8BITMIME'], rcpt_options=['NOTIFY=SUCCESS'])
print(refused['x@nowhere.test'][0])
print(smtp.verify('ann')[0], smtp.noop()[0], smtp.quit()[0])
`

test("Python's smtplib", needs('python3'), async () => {
  await using rig = await startRig({ role: 'submission' })
  const { stdout } = await run('python3', ['-c', PYTHON, String(rig.port)], { input: `${login.password}\n` })
  assert.equal(stdout.toString(), '550\n252 250 221\n')
  assert.equal(textOf(rig.received[0]), 'Subject: x\r\n\r\n.dot\r\n')
  assert.equal(rig.received[0]?.envelope.smtputf8, true)
  assert.deepEqual(rig.received[0]?.envelope.recipients[0]?.notify, ['success'])
})
