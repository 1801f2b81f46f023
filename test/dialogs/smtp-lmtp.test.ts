import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reply } from '#formats/smtp/reply.ts'
import { startRig, textOf } from '../support/smtp-rig.ts'

const answers = async () => [reply(250, '2.1.5', 'ann has it'), reply(452, '4.2.2', 'bob is full')]

test('one reply for each recipient that was taken (RFC 2033 §4.2)', async () => {
  await using rig = await startRig({ role: 'lmtp', receive: answers })
  await using talk = await rig.connect()
  await talk.play(`
    S: 220 mx.alpha.test LMTP
    C: EHLO client.test
    S: 500 5.5.1 This is LMTP: say LHLO
    C: HELO client.test
    S: 500 5.5.1 This is LMTP: say LHLO
    C: MAIL FROM:<>
    S: 503 5.5.1 Say LHLO first
    C: LHLO client.test
    S: ...
    S: 250-CHUNKING
    S: ...
    S: 250 STARTTLS
    C: MAIL FROM:<>
    C: RCPT TO:<ann@alpha.test>
    C: RCPT TO:<nobody@alpha.test>
    C: RCPT TO:<bob@alpha.test>
    C: DATA
    S: 250 2.1.0 …
    S: 250 2.1.5 …
    S: 550 5.1.1 …
    S: 250 2.1.5 …
    S: 354 …
    C: hello
    C: .
    S: 250 2.1.5 ann has it
    S: 452 4.2.2 bob is full
    C: MAIL FROM:<>
    C: RCPT TO:<ann@alpha.test>
    C: RCPT TO:<bob@alpha.test>
    C: BDAT 3
    C> ab\\r
    S: 250 …
    S: 250 …
    S: 250 …
    S: 250 2.0.0 3 octets received
    C: BDAT 1 LAST
    C> \\n
    S: 250 2.1.5 ann has it
    S: 452 4.2.2 bob is full
    C: QUIT
    S: 221 …
    CLOSED
  `)
  assert.deepEqual(rig.received.map(textOf), ['hello\r\n', 'ab\r\n'])
  assert.equal(rig.received[0]?.peer.protocol, 'LMTP')
})

test('a refused message is refused for each recipient; without recipients DATA is 503', async () => {
  await using rig = await startRig({ role: 'lmtp', limits: { messageSize: 10 } })
  await using talk = await rig.greeted()
  await talk.play(`
    C: MAIL FROM:<>
    C: RCPT TO:<nobody@alpha.test>
    C: DATA
    S: 250 …
    S: 550 …
    S: 503 5.5.1 No valid recipients
    C: RCPT TO:<ann@alpha.test>
    C: RCPT TO:<bob@alpha.test>
    C: BDAT 12 LAST
    C> 0123456789\\r\\n
    S: 250 …
    S: 250 …
    S: 552 5.3.4 …
    S: 552 5.3.4 …
    C: MAIL FROM:<>
    C: RCPT TO:<ann@alpha.test>
    C: RCPT TO:<bob@alpha.test>
    C: DATA
    S: 250 …
    S: 250 …
    S: 250 …
    S: 354 …
    C> a\\nb\\r\\n.\\r\\n
    S: 550 5.6.11 …
    S: 550 5.6.11 …
  `)
})

test('an agent that breaks costs every recipient a 451', async () => {
  const receive = async () => {
    throw new Error('cause')
  }
  await using rig = await startRig({ role: 'lmtp', receive })
  await using talk = await rig.greeted()
  await talk.play(`
    C: MAIL FROM:<>
    C: RCPT TO:<ann@alpha.test>
    C: RCPT TO:<bob@alpha.test>
    C: BDAT 0 LAST
    S: 250 …
    S: 250 …
    S: 250 …
    S: 451 4.3.0 …
    S: 451 4.3.0 …
  `)
})

test('never on port 25 (RFC 2033 §5)', async () => {
  await using rig = await startRig({ role: 'lmtp' })
  await assert.rejects(rig.server.listen('127.0.0.1', 25), /port 25/)
})
