import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodePartText } from './decode-part.ts'
import { composeDsn, type DsnFacts, type DsnRecipient, RETURN_LIMIT } from './dsn.ts'
import { parseDsn } from './dsn-reader.ts'
import { indexMessage } from './mime-index.ts'

const ada: DsnRecipient = {
  address: { local: 'ada', domain: 'beta.test' },
  orcpt: 'rfc822;Ada@beta.test',
  action: 'failed',
  status: '5.1.1',
  remote: 'mx.beta.test',
  diagnostic: ['550 5.1.1 No such user'],
  lastAttempt: Date.UTC(2026, 10, 3, 12, 5),
  retryUntil: null,
}

const header = 'From: bob@alpha.test\r\nMessage-ID: <1@alpha.test>\r\nSubject: hello\r\n'

const facts: DsnFacts = {
  to: { local: 'bob', domain: 'alpha.test' },
  from: { local: 'mailer-daemon', domain: 'alpha.test' },
  reportingMta: 'mail.alpha.test',
  id: 'k3k3k3',
  now: Date.UTC(2026, 10, 3, 12, 6),
  arrived: Date.UTC(2026, 10, 3, 12),
  envid: 'QQ314159',
  ret: null,
  smtputf8: false,
  recipients: [ada],
  original: Buffer.from(`${header}\r\nsecret body\r\n`),
}

const unicode = fc.uint16Array({ maxLength: 20 }).map((units) => String.fromCharCode(...units).toWellFormed())

test('a failure says who, why and what to do, to people and to machines', () => {
  const message = composeDsn(facts)
  const read = parseDsn(message)!
  assert.deepEqual(read, {
    reportingMta: 'dns; mail.alpha.test',
    envid: 'QQ314159',
    recipients: [
      {
        originalRecipient: 'rfc822; Ada@beta.test',
        finalRecipient: 'rfc822; ada@beta.test',
        action: 'failed',
        status: '5.1.1',
        remoteMta: 'dns; mx.beta.test',
        diagnostic: 'smtp; 550 5.1.1 No such user',
        willRetryUntil: null,
      },
    ],
    returned: { kind: 'header', octets: Buffer.from(header) },
  })
  const root = indexMessage(message)
  assert.equal(root.envelope?.subject, 'Your message could not be delivered')
  assert.equal(root.envelope?.inReplyTo, '<1@alpha.test>')
  assert.deepEqual(root.parameters[0], ['report-type', 'delivery-status'])
  const words = decodePartText(root.children[0]!, message)!
  for (const part of ['ada@beta.test', 'mx.beta.test answered: 550 5.1.1 No such user', 'Check the address']) {
    assert.ok(words.includes(part), part)
  }
  assert.ok(!message.includes('secret body'))
})

test('the message comes back only for a failure, only when asked for, only when small', () => {
  const returned = (change: Partial<DsnFacts>) => parseDsn(composeDsn({ ...facts, ...change }))!.returned!
  assert.deepEqual(returned({ ret: 'full' }), { kind: 'message', octets: facts.original })
  assert.equal(returned({ ret: 'hdrs' }).kind, 'header')
  assert.equal(returned({ ret: 'full', recipients: [{ ...ada, action: 'delivered' }] }).kind, 'header')
  const large = Buffer.concat([facts.original, Buffer.alloc(RETURN_LIMIT, 'x')])
  assert.equal(returned({ ret: 'full', original: large }).kind, 'header')
})

test('a delay says how long it will be tried', () => {
  const until = Date.UTC(2026, 10, 8, 12)
  const delayed = { ...ada, action: 'delayed' as const, status: '4.4.1', retryUntil: until }
  const message = composeDsn({ ...facts, recipients: [delayed] })
  assert.equal(parseDsn(message)!.recipients[0]!.willRetryUntil, 'Sun, 8 Nov 2026 12:00:00 +0000')
  assert.ok(message.includes('Subject: Your message is delayed'))
  assert.ok(message.includes('We keep trying until Sun, 8 Nov 2026'))
})

test('whom to ask depends on whose decision it was', () => {
  const words = (change: Partial<DsnRecipient>) => {
    const message = composeDsn({ ...facts, recipients: [{ ...ada, ...change }] })
    return decodePartText(indexMessage(message).children[0]!, message)!.replaceAll(/\s+/g, ' ')
  }
  assert.match(words({ status: '5.7.1' }), /Ask the recipient or their provider/)
  assert.match(words({ status: '5.7.1', remote: null }), /The rules of this provider, or of your account/)
  assert.doesNotMatch(words({ status: '5.7.1', remote: null }), /Ask the recipient/)
  assert.match(words({ status: '4.7.5', remote: null, action: 'delayed' }), /looked up again at every try/)
})

test('several recipients, and a status that fits the action', () => {
  const recipients = [
    ada,
    { ...ada, action: 'delivered' as const, status: null, orcpt: null },
    { ...ada, status: '4.4.7' },
  ]
  const read = parseDsn(composeDsn({ ...facts, recipients }))!
  assert.deepEqual(
    read.recipients.map(({ action, status }) => [action, status]),
    [
      ['failed', '5.1.1'],
      ['delivered', '2.0.0'],
      ['failed', '4.4.7'],
    ],
  )
})

test('SMTPUTF8 senders get the forms of RFC 6533, others escaped addresses', () => {
  const recipients = [{ ...ada, address: { local: 'jürgen', domain: 'beta.test' }, orcpt: 'utf-8;jürgen@beta.test' }]
  const utf8 = composeDsn({ ...facts, recipients, smtputf8: true })
  assert.deepEqual(
    indexMessage(utf8).children.map(({ subtype }) => subtype),
    ['plain', 'global-delivery-status', 'global-headers'],
  )
  assert.ok(utf8.includes('Final-Recipient: utf-8; jürgen@beta.test'))
  const ascii = composeDsn({ ...facts, recipients })
  assert.equal(parseDsn(ascii)!.recipients[0]!.finalRecipient, 'utf-8; j\\x{FC}rgen@beta.test')
  assert.ok(ascii.every((octet) => octet < 128))
})

test('nothing from outside leaves its place', () => {
  const hostile = fc.oneof(fc.string(), unicode, fc.constantFrom('\r\n\r\n', '\r\n--report-k3k3k3--\r\n', '\n', '\0'))
  fc.assert(
    fc.property(fc.array(hostile, { minLength: 6, maxLength: 6 }), fc.boolean(), (texts, smtputf8) => {
      const [orcpt, status, remote, answer, envid, body] = texts as [string, string, string, string, string, string]
      const recipient = { ...ada, orcpt, status, remote, diagnostic: [answer, answer] }
      const original = Buffer.from(`Subject: x\r\n\r\n${body}`)
      const message = composeDsn({ ...facts, envid, smtputf8, original, recipients: [recipient, ada] })
      const root = indexMessage(message)
      assert.equal(root.children.length, 3)
      const read = parseDsn(message)!
      assert.equal(read.recipients.length, 2)
      assert.equal(read.recipients[0]!.finalRecipient, 'rfc822; ada@beta.test')
      assert.equal(read.recipients[1]!.status, '5.1.1')
      assert.ok(!/(?<!\r)\n|\r(?!\n)|\0/.test(message.toString('latin1')))
    }),
  )
})

test('what is no notification is not read as one', () => {
  assert.equal(parseDsn(facts.original), null)
  assert.equal(
    parseDsn(Buffer.from('Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n')),
    null,
  )
})
