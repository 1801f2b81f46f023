import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { formatReply, reply } from '#formats/smtp/reply.ts'
import type { Dialog } from '../support/dialog.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { type Rig, startRig, textOf } from '../support/smtp-rig.ts'

const ENVELOPE = `
  C: MAIL FROM:<a@beta.test>
  C: RCPT TO:<ann@alpha.test>
  C: DATA
  S: 250 …
  S: 250 …
  S: 354 …
`

for (const end of ['\\n.\\n', '\\n.\\r\\n', '\\r\\n.\\n', '\\r.\\r', '\\r\\n.\\r', '\\r.\\r\\n']) {
  test(`SMTP smuggling with ${end}: one message, refused, nothing in it obeyed`, async () => {
    await using rig = await startRig()
    await using talk = await rig.greeted()
    await talk.play(`
      ${ENVELOPE}
      C> Subject: outer${end}MAIL FROM:<evil@beta.test>\\r\\nRCPT TO:<bob@alpha.test>\\r\\nDATA\\r\\ninner\\r\\n.\\r\\n
      S: 550 5.6.11 …
      C: NOOP
      S: 250 …
    `)
    assert.equal(rig.received.length, 0)
  })
}

test('a lone CR or LF in a BDAT chunk', async () => {
  await using rig = await startRig()
  await using talk = await rig.greeted()
  await talk.play(`
    C: MAIL FROM:<a@beta.test>
    C: RCPT TO:<ann@alpha.test>
    C: BDAT 8 LAST
    C> a\\r\\nb\\nc\\r\\n
    S: 250 …
    S: 250 …
    S: 550 5.6.11 …
  `)
  assert.equal(rig.received.length, 0)
})

test('commands that follow STARTTLS in clear are thrown away with the connection (CVE-2011-0411)', async () => {
  await using rig = await startRig()
  await using talk = await rig.greeted()
  await talk.play(`
    C: STARTTLS
    C: EHLO evil.test
    C: MAIL FROM:<evil@beta.test>
    S: 554 5.5.1 Nothing may follow STARTTLS
    CLOSED
  `)
})

test('clear octets instead of a handshake are never commands', async () => {
  await using rig = await startRig()
  await using talk = await rig.greeted()
  await talk.play('C: STARTTLS\nS: 220 …\nC: EHLO evil.test\nC: MAIL FROM:<evil@beta.test>')
  // A TLS alert (record type 21), or nothing, but no reply.
  const closed = talk.closed()
  talk.socket.removeAllListeners('data')
  const octets: Buffer[] = []
  talk.socket.on('data', (piece) => octets.push(piece))
  await closed
  const answer = Buffer.concat(octets)
  assert.ok(answer.length === 0 || answer[0] === 21, answer.toString('latin1'))
})

for (const line of ['GET / HTTP/1.1', 'POST /mail HTTP/1.1', 'OPTIONS * HTTP/1.0', 'PRI * HTTP/2.0']) {
  test(`a browser: ${line}`, async () => {
    await using rig = await startRig()
    await using talk = await rig.connect()
    await talk.play(`
      S: 220 …
      C: ${line}
      C: Host: mx.alpha.test
      C:
      C: EHLO evil.test
      S: 554 5.5.1 This is not a web server
      CLOSED
    `)
  })
}

test('control characters, lone line endings and long lines in commands', async () => {
  await using rig = await startRig()
  await using talk = await rig.greeted()
  await talk.play(`
    C> NOOP \\0\\r\\n
    S: 500 5.5.2 …
    C> NOOP \\x1b[2J\\r\\n
    S: 500 5.5.2 …
    C> MAIL FROM:<a@beta.test>\\nRCPT TO:<ann@alpha.test>\\r\\n
    S: 500 5.5.2 Lines end with CRLF
    S: 503 5.5.1 …
    C> MAIL FROM:<a\\r@beta.test>\\r\\n
    S: 500 5.5.2 …
    C> NOOP \\xff\\r\\n
    S: 500 5.5.2 …
    C: NOOP ${'x'.repeat(4089)}
    S: 250 …
    C: NOOP ${'x'.repeat(4090)}
    S: 500 5.5.2 Line is too long
    C: NOOP ${'x'.repeat(300_000)}
    S: 500 5.5.2 Line is too long
    C: NOOP
    S: 250 …
  `)
})

test('too many errors', async () => {
  await using rig = await startRig({ limits: { errors: 3 } })
  await using talk = await rig.greeted()
  await talk.play('C: A\nC: B\nC: C\nC: D\nS: 500 …\nS: 500 …\nS: 500 …\nS: 421 4.7.0 Too many errors\nCLOSED')
})

test('harvesting addresses', async () => {
  await using rig = await startRig({ limits: { refusedRecipients: 3 } })
  await using talk = await rig.greeted()
  await talk.play(`
    C: MAIL FROM:<>
    C: RCPT TO:<a@alpha.test>
    C: RCPT TO:<b@alpha.test>
    C: RCPT TO:<c@alpha.test>
    C: RCPT TO:<ann@alpha.test>
    S: 250 …
    S: 550 5.1.1 …
    S: 550 5.1.1 …
    S: 421 4.7.0 Too many refused recipients
    CLOSED
  `)
})

test('commands that move no mail', async () => {
  await using rig = await startRig({ limits: { idleCommands: 3 } })
  await using talk = await rig.greeted()
  await talk.play('C: NOOP\nC: RSET\nC: NOOP\nS: 250 …\nS: 250 …\nS: 421 4.7.0 Too many commands without mail\nCLOSED')
})

test('caps on connections: in all, per address, before login', async () => {
  const busy = 'S: 421 4.3.2 mx.alpha.test Too many connections\nCLOSED'
  {
    await using rig = await startRig({ limits: { connections: 2 } })
    await using one = await rig.connect('127.0.0.1')
    await using two = await rig.connect('127.0.0.2')
    await two.play('S: 220 …')
    await using three = await rig.connect('127.0.0.3')
    await three.play(busy)
    await one.play('S: 220 …\nC: QUIT\nS: 221 …\nCLOSED')
  }
  {
    await using rig = await startRig({ limits: { connectionsPerAddress: 1 } })
    await using one = await rig.connect('127.0.0.1')
    await one.play('S: 220 …')
    await using two = await rig.connect('127.0.0.1')
    await two.play(busy)
    await using other = await rig.connect('127.0.0.2')
    await other.play('S: 220 …')
  }
  await using rig = await startRig({ role: 'submission', limits: { connectionsBeforeLogin: 1 } })
  await using one = await rig.greeted()
  await using two = await rig.connect()
  await two.play(busy)
  await one.play(`C: AUTH PLAIN ${Buffer.from('\0ann@alpha.test\0correct horse').toString('base64')}\nS: 235 …`)
  await using three = await rig.connect()
  await three.play('S: 220 …')
})

test('a connection that ended leaves its place to another', async () => {
  await using rig = await startRig({ limits: { connectionsPerAddress: 1 } })
  for (let time = 0; time < 3; time++) {
    await using talk = await rig.connect()
    await talk.play('S: 220 …\nC: QUIT\nS: 221 …\nCLOSED')
    talk.socket.end()
    await talk.closed()
    await setImmediate()
  }
})

test('more mail at once than memory: 452, and room again afterwards', async () => {
  await using rig = await startRig({ limits: { memory: 1000 } })
  await using holder = await rig.greeted()
  await holder.play(`
    C: MAIL FROM:<>
    C: RCPT TO:<ann@alpha.test>
    C: BDAT 902
    C> ${'x'.repeat(900)}\\r\\n
    S: 250 …
    S: 250 …
    S: 250 …
  `)
  await using talk = await rig.greeted()
  const message = `${ENVELOPE}\nC: ${'y'.repeat(200)}\nC: .`
  await talk.play(`${message}\nS: 452 4.3.1 …`)
  await holder.play('C: RSET\nS: 250 …')
  await talk.play(`${message}\nS: 250 2.0.0 …`)
})

test('a client that talks before the greeting', async () => {
  const clock = createFakeClock()
  await using rig = await startRig({ limits: { greetingDelayMs: 5000 }, clock })
  await using early = await rig.connect()
  await early.play('C: EHLO spam.test\nS: 554 5.5.1 You talk before the greeting\nCLOSED')
  await using patient = await rig.connect()
  while (clock.waiting === 0) await setImmediate()
  await clock.advance(4999)
  await patient.play('SILENCE')
  await clock.advance(1)
  await patient.play('S: 220 …')
})

test('nothing is waited for without end', async () => {
  const clock = createFakeClock()
  await using rig = await startRig({ clock })
  await using idle = await rig.greeted()
  await idle.play('C> NOO')
  await clock.advance(299_999)
  await idle.play('SILENCE')
  await clock.advance(1)
  await idle.play('S: 421 4.4.2 mx.alpha.test Timeout, closing\nCLOSED')
})

test('a message that comes too slowly: what came buys time at the minimum rate', async () => {
  const clock = createFakeClock()
  await using rig = await startRig({ clock, limits: { dataMs: 10_000, minimumRate: 10 } })
  await using talk = await rig.greeted()
  await talk.play(`
    C: MAIL FROM:<a@beta.test>
    C: RCPT TO:<ann@alpha.test>
    C: DATA
    C: ${'x'.repeat(98)}
    S: 250 …
    S: 250 …
    S: 354 …
  `)
  await clock.advance(19_999)
  await talk.play('SILENCE')
  await clock.advance(1)
  await talk.play('S: 421 4.4.2 …\nCLOSED')
  assert.equal(rig.received.length, 0)
})

test('submission: who does not log in cannot stay', async () => {
  const clock = createFakeClock()
  await using rig = await startRig({ role: 'submission', clock, implicitTls: true, limits: { loginMs: 60_000 } })
  await using talk = await rig.connect()
  await talk.play('S: 220 …')
  for (let minute = 0; minute < 3; minute++) {
    await talk.play('C: NOOP\nS: 250 …')
    await clock.advance(19_000)
  }
  await clock.advance(3000)
  await talk.play('S: 421 4.4.2 …\nCLOSED')
})

test('a handshake that does not come to its end', async () => {
  const clock = createFakeClock()
  await using rig = await startRig({ clock })
  await using talk = await rig.greeted()
  await talk.play('C: STARTTLS\nS: 220 …')
  const closed = talk.closed()
  await clock.advance(30_000)
  await clock.advance(10_000)
  await closed
})

test('a client that does not read its replies is not read from', async () => {
  let asked = 0
  const refusal = reply(452, '4.2.2', 'x'.repeat(470))
  const checkRecipient = async () => {
    asked++
    return refusal
  }
  await using rig = await startRig({ checkRecipient })
  await using talk = await rig.greeted()
  await talk.play('C: MAIL FROM:<>\nS: 250 …')
  talk.socket.removeAllListeners('data')
  talk.socket.pause()
  const commands = Buffer.from(`RCPT TO:<ann@alpha.test>${' '.repeat(500)}\r\n`.repeat(100))
  let sent = 0
  // Until the kernel's buffers on both sides and ours are full: then nothing moves any more.
  while (talk.socket.writableLength < 1_000_000) {
    talk.socket.write(commands)
    sent += 100
    await setImmediate()
    assert.ok(sent < 200_000, 'the server reads on and on')
  }
  assert.ok(asked < sent)
  let left = sent * formatReply(refusal).length
  for await (const replies of talk.socket) {
    left -= replies.length
    if (left <= 0) break
  }
  assert.equal(left, 0)
  assert.equal(asked, sent)
})

test('a message without end is read on only for a while', async () => {
  await using rig = await startRig({ limits: { messageSize: 10 } })
  await using talk = await rig.greeted()
  await talk.play(ENVELOPE)
  talk.send('x'.repeat(1_100_000))
  await talk.play('S: 552 5.3.4 …\nCLOSED')
})

/** The next connection that there is room for. */
async function admitted(rig: Rig): Promise<Dialog> {
  for (;;) {
    const talk = await rig.connect()
    const greeting = await talk.line()
    if (greeting?.startsWith('220')) return talk
    await talk[Symbol.asyncDispose]()
  }
}

test('a client that goes away in the middle leaves nothing behind', async () => {
  await using rig = await startRig({ limits: { connectionsPerAddress: 1 } })
  const hello = 'C: EHLO client.test\nS: ...\nS: 250 …'
  for (const words of ['C: NOOP', 'C> NOO', `${ENVELOPE}\nC: half a message`, 'C: STARTTLS\nS: 220 …']) {
    await using talk = await admitted(rig)
    await talk.play(`${hello}\n${words}`)
    talk.socket.resetAndDestroy()
  }
  await using _last = await admitted(rig)
  assert.equal(rig.received.length, 0)
  assert.deepEqual(rig.log, [])
})

test('stopping: idle connections are told, a message under way is taken', async () => {
  const rig = await startRig()
  await using idle = await rig.greeted()
  await using busy = await rig.greeted()
  await busy.play(ENVELOPE)
  const stopped = rig.server.stop(60_000)
  await idle.play('S: 421 4.3.2 mx.alpha.test Shutting down\nCLOSED')
  await busy.play('C: x\nC: .\nS: 250 2.0.0 Queued as q1\nS: 421 4.3.2 …\nCLOSED')
  idle.socket.end()
  busy.socket.end()
  await stopped
  assert.deepEqual(rig.received.map(textOf), ['x\r\n'])
  await assert.rejects(rig.connect())
})

test('stopping: who has sent no octet of a message yet is told too', async () => {
  const rig = await startRig()
  await using begun = await rig.greeted()
  await begun.play('C: MAIL FROM:<a@b.test>\nS: 250 …\nC: RCPT TO:<ann@alpha.test>\nS: 250 …')
  const stopped = rig.server.stop(60_000)
  await begun.play('S: 421 4.3.2 mx.alpha.test Shutting down\nCLOSED')
  begun.socket.end()
  await stopped
})

test('stopping: what is not done within the grace time is cut', async () => {
  const clock = createFakeClock()
  const rig = await startRig({ clock })
  await using busy = await rig.greeted()
  await busy.play(ENVELOPE)
  const stopped = rig.server.stop(5000)
  await clock.advance(5000)
  await stopped
  await busy.play('CLOSED')
})
