import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reply } from '#formats/smtp/reply.ts'
import { startRig, textOf } from '../support/smtp-rig.ts'

test('a message, start to end', async () => {
  await using rig = await startRig()
  await using talk = await rig.connect()
  await talk.play(`
    S: 220 mx.alpha.test ESMTP
    C: EHLO client.test
    S: 250-mx.alpha.test
    S: 250-PIPELINING
    S: 250-SIZE 52428800
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-ENHANCEDSTATUSCODES
    S: 250-CHUNKING
    S: 250-DSN
    S: 250-LIMITS RCPTMAX=1000
    S: 250 STARTTLS
    C: MAIL FROM:<sender@beta.test> SIZE=1000 BODY=8BITMIME
    S: 250 2.1.0 Sender OK
    C: RCPT TO:<ann@alpha.test>
    S: 250 2.1.5 Recipient OK
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>
    C: Subject: hello
    C:
    C: ..a line that begins with a dot
    C: ..
    C: é
    C: .
    S: 250 2.0.0 Queued as q1
    C: QUIT
    S: 221 2.0.0 mx.alpha.test Goodbye
    CLOSED
  `)
  const [mail] = rig.received
  assert.equal(
    textOf(mail),
    Buffer.from('Subject: hello\r\n\r\n.a line that begins with a dot\r\n.\r\né\r\n').toString('latin1'),
  )
  assert.deepEqual(mail?.envelope, {
    reversePath: { local: 'sender', domain: 'beta.test' },
    recipients: [{ address: { local: 'ann', domain: 'alpha.test' }, notify: null, orcpt: null }],
    smtputf8: false,
    ret: null,
    envid: null,
  })
  assert.deepEqual(mail?.peer, { ip: '127.0.0.1', helo: 'client.test', protocol: 'ESMTP', tls: null })
  const [line] = rig.log.filter((one) => one['msg'] === 'message received')
  const { queueId, from, to, size, code, status } = line!
  assert.deepEqual(
    { queueId, from, to, size, code, status },
    {
      queueId: 'q1',
      from: 'sender@beta.test',
      to: ['ann@alpha.test'],
      size: 57,
      code: 250,
      status: '2.0.0',
    },
  )
})

test('pipelining: commands in one write, replies in one write, two messages in a row (RFC 2920)', async () => {
  await using rig = await startRig()
  await using talk = await rig.greeted()
  await talk.play(`
    C: MAIL FROM:<>
    C: RCPT TO:<ann@alpha.test>
    C: RCPT TO:<nobody@alpha.test>
    C: RCPT TO:<someone@else.test>
    C: RCPT TO:<carl@alpha.test>
    C: RCPT TO:<bob@alpha.test>
    C: DATA
    S: 250 2.1.0 …
    S: 250 2.1.5 …
    S: 550 5.1.1 No such mailbox
    S: 550 5.7.1 Relaying denied
    S: 452 4.2.2 Mailbox is full
    S: 250 2.1.5 …
    S: 354 …
    C: one
    C: .
    C: MAIL FROM:<a@beta.test>
    C: RCPT TO:<bob@alpha.test>
    C: DATA
    S: 250 2.0.0 Queued as q1
    S: 250 2.1.0 …
    S: 250 2.1.5 …
    S: 354 …
    C: two
    C: .
    C: QUIT
    S: 250 2.0.0 Queued as q2
    S: 221 …
    CLOSED
  `)
  assert.deepEqual(rig.received.map(textOf), ['one\r\n', 'two\r\n'])
  assert.deepEqual(
    rig.received[0]?.envelope.recipients.map((one) => one.address.local),
    ['ann', 'bob'],
  )
  assert.equal(rig.received[0]?.envelope.reversePath, null)
})

test('DATA when every recipient was refused (RFC 2920 §3.1)', async () => {
  await using rig = await startRig()
  await using talk = await rig.greeted()
  await talk.play(`
    C: MAIL FROM:<a@beta.test>
    C: RCPT TO:<nobody@alpha.test>
    C: DATA
    S: 250 …
    S: 550 5.1.1 …
    S: 554 5.5.1 No valid recipients
    C: RSET
    S: 250 2.0.0 OK
  `)
})

test('the order of commands', async () => {
  await using rig = await startRig()
  await using talk = await rig.connect()
  await talk.play(`
    S: 220 …
    C: MAIL FROM:<a@beta.test>
    S: 503 5.5.1 Say EHLO first
    C: STARTTLS
    S: 503 5.5.1 Say EHLO first
    C: LHLO client.test
    S: 500 5.5.1 This is SMTP: say EHLO
    C: HELO client.test
    S: 250 mx.alpha.test
    C: RCPT TO:<ann@alpha.test>
    S: 503 5.5.1 RCPT needs MAIL first
    C: DATA
    S: 503 5.5.1 DATA needs MAIL first
    C: MAIL FROM:<a@beta.test>
    S: 250 2.1.0 …
    C: MAIL FROM:<a@beta.test>
    S: 503 5.5.1 …
    C: RCPT TO:<ann@alpha.test>
    S: 250 …
    C: RSET
    S: 250 2.0.0 OK
    C: RCPT TO:<ann@alpha.test>
    S: 503 5.5.1 …
    C: MAIL FROM:<a@beta.test>
    S: 250 …
    C: EHLO client.test
    S: ...
    S: 250 …
    C: RCPT TO:<ann@alpha.test>
    S: 503 5.5.1 …
    C: AUTH PLAIN
    S: 502 5.5.1 …
    C: NOOP whatever
    S: 250 2.0.0 OK
    C: VRFY
    S: 501 5.5.4 VRFY needs a name
    C: VRFY ann
    S: 252 2.5.0 …
    C: EXPN staff
    S: 502 5.5.1 …
    C: HELP
    S: 214 2.0.0 …
    C: XYZZY
    S: 500 5.5.1 Unknown command
    C: quit
    S: 221 …
    CLOSED
  `)
})

test('postmaster is ours also at the name of the server', async () => {
  await using rig = await startRig({ postmaster: { local: 'postmaster', domain: 'alpha.test' } })
  await using talk = await rig.greeted()
  await talk.play(`
    C: MAIL FROM:<>
    S: 250 …
    C: RCPT TO:<postmaster>
    S: 250 …
    C: RCPT TO:<PostMaster@MX.Alpha.test>
    S: 250 …
    C: DATA
    S: 354 …
    C: .
    S: 250 …
  `)
  assert.deepEqual(
    rig.received[0]?.envelope.recipients.map((one) => one.address),
    [0, 1].map(() => ({ local: 'postmaster', domain: 'alpha.test' })),
  )
})

test('HELO gives SMTP in Received, and bare postmaster is ours', async () => {
  await using rig = await startRig()
  await using talk = await rig.connect()
  await talk.play(`
    S: 220 …
    C: HELO [192.0.2.7]
    S: 250 mx.alpha.test
    C: MAIL FROM:<@relay.test:a@beta.test>
    S: 250 …
    C: RCPT TO:<Postmaster>
    S: 250 …
    C: DATA
    S: 354 …
    C: .
    S: 250 …
  `)
  const [mail] = rig.received
  assert.equal(mail?.peer.protocol, 'SMTP')
  assert.equal(mail?.peer.helo, '[192.0.2.7]')
  assert.equal(mail?.content.length, 0)
  assert.deepEqual(mail?.envelope.recipients[0]?.address, { local: 'postmaster', domain: 'mx.alpha.test' })
})

test('DSN parameters and SMTPUTF8 reach the envelope', async () => {
  await using rig = await startRig()
  await using talk = await rig.greeted()
  await talk.play(`
    C: MAIL FROM:<é@beta.test>
    S: 553 5.6.7 …
    C: MAIL FROM:<a@beta.test>
    S: 250 …
    C: RCPT TO:<böb@alpha.test>
    S: 553 5.6.7 …
    C: RSET
    S: 250 …
    C: MAIL FROM:<é@beta.test> SMTPUTF8 RET=HDRS ENVID=my+2Bid
    S: 250 …
    C: RCPT TO:<böb@alpha.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob+40x@beta.test
    S: 250 …
    C: RCPT TO:<ann@alpha.test> NOTIFY=NEVER
    S: 250 …
    C: BDAT 3 LAST
    C> a\\r\\n
    S: 250 …
  `)
  assert.deepEqual(rig.received[0]?.envelope, {
    reversePath: { local: 'é', domain: 'beta.test' },
    recipients: [
      {
        address: { local: 'böb', domain: 'alpha.test' },
        notify: ['success', 'failure'],
        orcpt: 'rfc822;bob@x@beta.test',
      },
      { address: { local: 'ann', domain: 'alpha.test' }, notify: [], orcpt: null },
    ],
    smtputf8: true,
    ret: 'hdrs',
    envid: 'my+id',
  })
  assert.equal(rig.received[0]?.peer.protocol, 'UTF8SMTP')
})

test('parameters that are not offered', async () => {
  await using rig = await startRig({ limits: { messageSize: 1000 } })
  await using talk = await rig.greeted()
  await talk.play(`
    C: MAIL FROM:<a@beta.test> BODY=BINARYMIME
    S: 501 5.5.4 …
    C: MAIL FROM:<a@beta.test> REQUIRETLS
    S: 555 5.5.4 …
    C: MAIL FROM:<a@beta.test> SIZE=99999999999999999999
    S: 552 5.3.4 Message is too big
    C: MAIL FROM:<a@beta.test> SIZE=1001
    S: 552 5.3.4 …
    C: MAIL FROM:<a@beta.test> SIZE=1000
    S: 250 …
  `)
})

test('CHUNKING (RFC 3030)', async () => {
  await using rig = await startRig({ limits: { messageSize: 1000 } })
  await using talk = await rig.greeted()
  await talk.play(`
    C: BDAT 6
    C> QUIT\\r\\nNOOP\\r\\n
    S: 503 5.5.1 BDAT needs MAIL first
    S: 250 2.0.0 OK
    C: MAIL FROM:<a@beta.test>
    C: RCPT TO:<nobody@alpha.test>
    C: BDAT 6 LAST
    C> QUIT\\r\\n
    S: 250 …
    S: 550 …
    S: 554 5.5.1 No valid recipients
    C: RCPT TO:<ann@alpha.test>
    C: BDAT 6
    C> a\\r\\n.\\r\\nBDAT 0\\r\\nRCPT TO:<bob@alpha.test>\\r\\nDATA\\r\\nMAIL FROM:<>\\r\\n
    S: 250 2.1.5 …
    S: 250 2.0.0 6 octets received
    S: 250 2.0.0 0 octets received
    S: 503 5.5.1 …
    S: 503 5.5.1 …
    S: 503 5.5.1 …
    C: BDAT 4
    C> \\r\\n.b
    S: 250 2.0.0 4 octets received
    C: BDAT 0 LAST
    S: 250 2.0.0 Queued as q1
    C: BDAT 0 LAST
    S: 503 5.5.1 …
  `)
  assert.deepEqual(
    rig.received.map(textOf),
    ['a\r\n.\r\nB\r\n.b\r\n'].map((text) => text.replace('B', '')),
  )
})

test('BDAT beyond the limit stays in step, whatever the chunks contain', async () => {
  await using rig = await startRig({ limits: { messageSize: 10 } })
  await using talk = await rig.greeted()
  await talk.play(`
    C: MAIL FROM:<a@beta.test>
    C: RCPT TO:<ann@alpha.test>
    C: BDAT 12
    C> QUIT\\r\\nQUIT\\r\\nBDAT 6\\r\\nRSET\\r\\nBDAT 6 LAST\\r\\nQUIT\\r\\nNOOP\\r\\n
    S: 250 …
    S: 250 …
    S: 552 5.3.4 …
    S: 552 5.3.4 …
    S: 552 5.3.4 …
    S: 250 2.0.0 OK
  `)
  assert.equal(rig.received.length, 0)
})

test('BDAT without a size ends the connection: nobody knows where the chunk ends', async () => {
  await using rig = await startRig()
  await using talk = await rig.greeted()
  await talk.play(`
    C: MAIL FROM:<a@beta.test>
    C: RCPT TO:<ann@alpha.test>
    C: BDAT 5O LAST
    C: DATA
    S: 250 …
    S: 250 …
    S: 501 5.5.4 …
    CLOSED
  `)
})

test('too big: read to its end, then refused', async () => {
  await using rig = await startRig({ limits: { messageSize: 100 } })
  await using talk = await rig.greeted()
  await talk.play(`
    C: MAIL FROM:<a@beta.test>
    C: RCPT TO:<ann@alpha.test>
    C: DATA
    S: 250 …
    S: 250 …
    S: 354 …
    C: ${'x'.repeat(200)}
    C: .
    S: 552 5.3.4 …
    C: NOOP
    S: 250 …
  `)
  assert.equal(rig.received.length, 0)
})

test('the agent says no, later, or breaks', async () => {
  const answers = [
    async () => [reply(550, '5.7.1', 'Not wanted')],
    async () => [reply(452, '4.3.1', 'Disk is full')],
    async () => {
      throw new Error('secret cause')
    },
    async () => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    },
  ]
  await using rig = await startRig({ receive: () => answers.shift()!() })
  await using talk = await rig.greeted()
  for (const expected of [
    '550 5.7.1 Not wanted',
    '452 4.3.1 Disk is full',
    '451 4.3.0 …',
    '452 4.3.1 Storage is full…',
  ]) {
    await talk.play(`
      C: MAIL FROM:<a@beta.test>
      C: RCPT TO:<ann@alpha.test>
      C: DATA
      S: 250 …
      S: 250 …
      S: 354 …
      C: x
      C: .
      S: ${expected}
    `)
  }
  assert.equal(rig.log.filter((line) => line['msg'] === 'message could not be taken').length, 2)
})

test('an agent that breaks at RCPT costs a 451', async () => {
  await using rig = await startRig({
    checkRecipient: async () => {
      throw new Error('cause')
    },
  })
  await using talk = await rig.greeted()
  await talk.play('C: MAIL FROM:<>\nC: RCPT TO:<ann@alpha.test>\nS: 250 …\nS: 451 4.3.0 …\nC: NOOP\nS: 250 …')
  assert.equal(rig.log.filter((line) => line['msg'] === 'command failed').length, 1)
})

test('RCPTMAX: 452 beyond it, and the message goes to those before', async () => {
  await using rig = await startRig({ limits: { recipients: 2 } })
  await using talk = await rig.greeted()
  await talk.play(`
    C: MAIL FROM:<>
    C: RCPT TO:<ann@alpha.test>
    C: RCPT TO:<bob@alpha.test>
    C: RCPT TO:<postmaster@alpha.test>
    C: DATA
    S: 250 …
    S: 250 …
    S: 250 …
    S: 452 4.5.3 Too many recipients
    S: 354 …
    C: .
    S: 250 …
  `)
  assert.equal(rig.received[0]?.envelope.recipients.length, 2)
})

test('STARTTLS: the client is a stranger afterwards (RFC 3207 §4.2)', async () => {
  await using rig = await startRig()
  await using talk = await rig.greeted()
  await talk.play(`
    C: MAIL FROM:<a@beta.test>
    S: 250 …
    C: STARTTLS now
    S: 501 5.5.4 …
    C: STARTTLS
    S: 220 2.0.0 …
    TLS
    C: RCPT TO:<ann@alpha.test>
    S: 503 5.5.1 …
    C: MAIL FROM:<a@beta.test>
    S: 503 5.5.1 Say EHLO first
    C: EHLO client.test
    S: ...
    S: 250 LIMITS …
    C: STARTTLS
    S: 503 5.5.1 TLS is active already
    C: MAIL FROM:<a@beta.test>
    S: 250 …
    C: RCPT TO:<ann@alpha.test>
    S: 250 …
    C: DATA
    S: 354 …
    C: x
    C: .
    C: QUIT
    S: 250 …
    S: 221 …
    CLOSED
  `)
  const { protocol, tls } = rig.received[0]!.peer
  assert.equal(protocol, 'ESMTPS')
  assert.equal(tls?.version, 'TLSv1.3')
  assert.match(tls.cipher, /^TLS_/)
})

test('a client that ends its side after the last command still gets its replies', async () => {
  await using rig = await startRig()
  await using talk = await rig.connect()
  await talk.play(`
    S: 220 …
    C: EHLO client.test
    C: MAIL FROM:<>
    C: RCPT TO:<ann@alpha.test>
    C: DATA
    C: x
    C: .
    CLOSE
    S: ...
    S: 354 …
    S: 250 2.0.0 Queued as q1
    CLOSED
  `)
})
