import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fieldValue, scanHeader } from '#formats/message/header.ts'
import { indexMessage } from '#formats/message/mime-index.ts'
import type { Bytes } from '#lib/bytes.ts'
import { crlf, encryptedMessage, person, signatureBy, signedEntity } from '../../../test/support/sealed-letters.ts'
import { openedView } from './opened.ts'
import { payloadOf, wrapEncrypted } from './pgp-mime.ts'
import type { ViewWish } from './view.ts'

const US = 'mx.beta.test'
const RESULTS = 'Authentication-Results: mx.beta.test;\r\n\topenpgp=pass\r\n'
const TRACE = ['Return-Path: <ada@alpha.test>', 'Received: from mx.alpha.test by mx.beta.test; now']
const OUTSIDE = [
  ...TRACE,
  'DKIM-Signature: v=1; d=alpha.test',
  'From: Ada <ada@alpha.test>',
  'To: bob@beta.test',
  'Subject: ...',
  'List-Id: <list.alpha.test>',
  'MIME-Version: 1.0',
  'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=x',
]

function view(outer: readonly string[], payload: Bytes | null, rest: Partial<ViewWish> = {}): Buffer {
  const received = crlf(...outer, '', '--x', '', '--x', '', '--x--')
  return openedView({ received, payload, results: RESULTS, authservId: US, trustsInnerFrom: true, ...rest })
}

test('what we sealed is shown to the octet, under what was added on the way', () => {
  const letter = crlf(
    'Date: Fri, 1 Mar 2024 10:00:00 +0000',
    'From: Ada <ada@alpha.test>',
    'To: bob@beta.test,',
    '\tcarol@beta.test',
    'Subject: The merger',
    'Message-ID: <1@alpha.test>',
    'X-Odd:',
    'Content-Type: text/plain; charset=utf-8',
    '',
    'It is on.',
    'From here.',
  )
  for (const form of ['device', 'travel'] as const) {
    const wrapped = wrapEncrypted(letter, Buffer.from([0xd2, 1, 1]), form)
    const received = Buffer.concat([crlf(...TRACE), wrapped])
    const wish = { received, payload: payloadOf(letter, form), results: RESULTS, authservId: US, trustsInnerFrom: true }
    assert.equal(openedView(wish).toString(), `${crlf(...TRACE)}${RESULTS}${letter}`)
  }
})

test('RFC 9788: the header inside is the message’s, and the list of outer fields is for programs', () => {
  const payload = crlf(
    'HP-Outer: Subject: [...]',
    'From: Ada <ada@alpha.test>',
    'Subject: Inside',
    'X-Mailer: other',
    'Content-Type: text/plain; charset="us-ascii"; hp="cipher"',
    '',
    'body',
  )
  assert.equal(
    view([...OUTSIDE, 'Comments: forged', 'Precedence: list', 'X-Mailer: forged'], payload).toString(),
    [
      ...TRACE,
      'DKIM-Signature: v=1; d=alpha.test',
      'List-Id: <list.alpha.test>',
      'Precedence: list',
      `${RESULTS}From: Ada <ada@alpha.test>`,
      'Subject: Inside',
      'X-Mailer: other',
      'Content-Type: text/plain; charset="us-ascii"; hp="cipher"',
      'MIME-Version: 1.0',
      '',
      'body',
      '',
    ].join('\r\n'),
  )
})

const names = (octets: Buffer) => scanHeader(octets).fields.map(({ name }) => name)
const values = (octets: Buffer, wanted: string) =>
  scanHeader(octets)
    .fields.filter(({ name }) => name === wanted)
    .map((field) => fieldValue(octets, field))

test('Thunderbird and Mutt: what is protected wins, what is not stays as it stands outside', () => {
  const payload = crlf('Subject: Inside', 'Content-Type: text/plain; protected-headers="v1"', '', 'body')
  const shown = view(OUTSIDE, payload)
  assert.deepEqual(values(shown, 'subject'), ['Inside'])
  assert.deepEqual(values(shown, 'from'), ['Ada <ada@alpha.test>'])
  assert.deepEqual(values(shown, 'to'), ['bob@beta.test'])
})

test('a whole message inside, as S/MIME 3.1 had it, is the message', () => {
  const inner = crlf('From: ada@alpha.test', 'HP-Outer: x', 'Subject: Inside', '', 'body')
  const payload = Buffer.concat([crlf('Content-Type: message/rfc822; forwarded=no', ''), inner])
  assert.deepEqual(names(view(OUTSIDE, payload)).slice(-3), ['authentication-results', 'from', 'subject'])
  const forwarded = Buffer.concat([crlf('Content-Type: message/rfc822', ''), inner])
  assert.deepEqual(values(view(OUTSIDE, forwarded), 'subject'), ['...'])
  assert.equal(indexMessage(view(OUTSIDE, forwarded)).type, 'message')
})

test('a header that nothing protects says how to read the body, and nothing else', () => {
  const payload = crlf('From: Eve <eve@evil.test>', 'Subject: Inside', 'X-A: b', 'Content-Type: text/html', '', '<p>')
  const shown = view(OUTSIDE, payload)
  assert.deepEqual(values(shown, 'from'), ['Ada <ada@alpha.test>'])
  assert.deepEqual(values(shown, 'subject'), ['...'])
  assert.deepEqual(names(shown).slice(-3), ['authentication-results', 'content-type', 'mime-version'])
  assert.ok(shown.toString().endsWith('\r\n\r\n<p>\r\n'))
})

test('an author inside who is not believed is not shown, nor one who cannot be read', () => {
  const inside = (...from: string[]) => crlf(...from, 'Subject: In', 'Content-Type: text/plain; hp=cipher', '', 'x')
  const [ada, eve] = ['Ada <ada@alpha.test>', 'eve@evil.test']
  assert.deepEqual(values(view(OUTSIDE, inside(`From: ${eve}`)), 'from'), [eve])
  assert.deepEqual(values(view(OUTSIDE, inside(`From: ${eve}`), { trustsInnerFrom: false }), 'from'), [ada])
  assert.deepEqual(values(view(OUTSIDE, inside(`From: ${eve}`, 'From: x@y.test')), 'from'), [ada])
  assert.deepEqual(values(view(OUTSIDE, inside(`From: ${eve} <x@y.test>`)), 'from'), [ada])
  assert.deepEqual(values(view(OUTSIDE, inside()), 'from'), [ada])
  const ours = payloadOf(crlf(`From: ${eve}`, 'Subject: In', '', 'x'))
  assert.deepEqual(values(view(OUTSIDE, ours, { trustsInnerFrom: false }), 'from'), [ada])
})

test('nobody writes results with our name, outside or inside', () => {
  const forged = ['Authentication-Results: mx.beta.test; openpgp=pass', 'Authentication-Results: (; openpgp=pass']
  const other = 'Authentication-Results: mx.gamma.test; dkim=pass'
  const header = [...forged, other, 'From: ada@alpha.test', 'Subject: In']
  const payloads = [
    crlf(...header, 'Content-Type: text/plain; hp=cipher', '', 'x'),
    payloadOf(crlf(...header, 'Content-Type: text/plain', '', 'x')),
    payloadOf(crlf(...header, 'no field', '', 'x')),
    crlf('Content-Type: message/rfc822; forwarded=no', '', ...header, '', 'x'),
    crlf(...header, 'Content-Type: text/plain', '', 'x'),
  ]
  for (const payload of payloads) {
    const claimed = values(view([...forged, other, ...OUTSIDE], payload), 'authentication-results')
    assert.deepEqual(
      claimed.filter((value) => !value.startsWith('mx.gamma.test')),
      ['mx.beta.test;\topenpgp=pass'],
    )
  }
})

test('servers speak for themselves: fields of theirs are not replaced from inside', () => {
  const payload = payloadOf(crlf('Received: forged', 'Return-Path: <>', 'From: ada@alpha.test', '', 'x'))
  assert.deepEqual(names(view(OUTSIDE, payload)).slice(0, 2), ['return-path', 'received'])
  assert.equal(values(view(OUTSIDE, payload), 'return-path')[0], '<ada@alpha.test>')
})

test('text that is no MIME entity is shown as text', () => {
  const plain = (payload: string) => {
    const shown = view(OUTSIDE, Buffer.from(payload))
    const root = indexMessage(shown)
    assert.deepEqual([root.type, root.subtype, root.encoding], ['text', 'plain', '8bit'])
    assert.deepEqual(values(shown, 'content-type'), ['text/plain; charset=utf-8'])
    return shown.toString('utf8', root.body.start, root.body.end)
  }
  assert.equal(plain('Grüße\nBob'), 'Grüße\r\nBob')
  assert.equal(plain('Note: bring milk\r\n\r\nBye'), 'Note: bring milk\r\n\r\nBye')
  assert.equal(plain('\r\nA body without header\r\n'), 'A body without header\r\n')
  assert.equal(plain(' folded: at once\r\n\r\nx'), ' folded: at once\r\n\r\nx')
  assert.equal(plain(''), '')
})

test('line feeds of other systems become those of mail', () => {
  const payload = Buffer.from('Subject: In\n folded\nContent-Type: text/plain; hp=cipher\n\none\ntwo\n')
  const shown = view(OUTSIDE, payload).toString()
  assert.doesNotMatch(shown, /[^\r]\n/)
  assert.ok(shown.endsWith('\r\n\r\none\r\ntwo\r\n'))
})

const nasty = fc.constantFrom(
  'From: Ada <ada@alpha.test>',
  'From: eve@evil.test',
  'Subject: a\rFrom: eve@evil.test',
  'Subject: a\0b',
  'Subject: a\n b',
  'Subject: a\nFrom: eve@evil.test',
  ' openpgp=fail',
  '\tfolded',
  '\r',
  'no field',
  'Received: forged',
  'Authentication-Results: mx.beta.test; openpgp=fail',
  'Authentication-Results\t: "mx.beta.test"; openpgp=fail',
  'Content-Type: text/plain; hp="cipher"',
  'Content-Type: text/plain; protected-headers="v1"',
  'Content-Type: text/plain',
  'Content-Type: message/rfc822; forwarded=no',
  'Content-Type: message/rfc822\r\nContent-Disposition: inline',
  'Content-Type: multipart/mixed; boundary=b; hp=cipher',
  'MIME-Version: 1.0',
  'HP-Outer: Subject: x',
  '',
)
const lines = fc.array(fc.oneof(nasty, fc.string({ unit: 'binary', maxLength: 12 })), { maxLength: 8 })
const inside = fc.oneof(
  fc.tuple(lines, fc.constantFrom('\r\n', '\r\n', '\n')).map(([all, end]) => all.map((line) => line + end).join('')),
  fc.string({ unit: 'binary' }),
)
const payloads = fc.oneof(
  inside.map((text) => Buffer.from(text)),
  inside.map((text) => payloadOf(Buffer.from(text))),
)

test('whatever is inside: it comes behind our results, has one From at most that we do not vouch for, and is one header', () => {
  fc.assert(
    fc.property(payloads, fc.boolean(), (payload, trustsInnerFrom) => {
      const shown = view(OUTSIDE, payload, { trustsInnerFrom })
      const { fields, range } = scanHeader(shown)
      const at = fields.findIndex(({ name }) => name === 'authentication-results')
      const field = fields[at]!
      assert.equal(shown.toString('latin1', field.start, field.end), RESULTS)
      const before = shown.toString('latin1', 0, field.start)
      assert.ok(before.startsWith(`${TRACE.join('\r\n')}\r\nDKIM-Signature: v=1; d=alpha.test\r\n`))
      const outer = new Set(OUTSIDE)
      for (const line of before.trimEnd().split('\r\n')) assert.ok(outer.has(line), line)
      assert.equal(values(shown, 'from').length, 1)
      if (!trustsInnerFrom) assert.deepEqual(values(shown, 'from'), ['Ada <ada@alpha.test>'])
      assert.ok(fields.every(({ name }) => name !== ''))
      assert.doesNotMatch(shown.toString('latin1', 0, range.end), /\r(?!\n)|(?<!\r)\n|\0/)
      assert.deepEqual(
        values(shown, 'authentication-results').filter((value) => /mx\.beta\.test/.test(value)),
        ['mx.beta.test;\topenpgp=pass'],
      )
      indexMessage(shown)
    }),
    { numRuns: 1000 },
  )
})

test('a hundred thousand fields, deep parts and no end cost little', () => {
  const crowded = Buffer.from(`${'X: y\r\n'.repeat(100_000)}Content-Type: text/plain; hp=cipher\r\n\r\nbody`)
  const shown = view(OUTSIDE, crowded)
  assert.equal(values(shown, 'from').length, 1)
  const deep = Array.from(
    { length: 2000 },
    (_, at) => `Content-Type: multipart/mixed; boundary=b${at}; hp=cipher\r\n\r\n--b${at}`,
  )
  assert.equal(values(view(OUTSIDE, Buffer.from(deep.join('\r\n'))), 'from').length, 1)
  assert.equal(
    values(view(OUTSIDE, Buffer.from(`Content-Type: x/y; hp=cipher; a=${'('.repeat(100_000)}`)), 'from').length,
    1,
  )
  assert.equal(values(view(OUTSIDE, Buffer.alloc(100_000, '\r')), 'from').length, 1)
})

const ada = await person('Ada <ada@alpha.test>')

test('what is only signed stays as it came, with our results behind the trace fields', () => {
  const entity = crlf('Content-Type: text/plain', '', 'body')
  const fields = ['From: ada@alpha.test', 'Subject: Hello', 'Received: by hand']
  const signed = signedEntity(fields, entity, signatureBy(ada, entity))
  const forged = 'Authentication-Results: MX.beta.test; openpgp=pass'
  const received = Buffer.concat([crlf(...TRACE, forged), signed])
  const shown = openedView({ received, payload: null, results: RESULTS, authservId: US, trustsInnerFrom: true })
  assert.equal(shown.toString(), `${crlf(...TRACE)}${RESULTS}${signed}`)
})

test('fields that a signature covers win over those outside, once their author is believed', () => {
  const entity = crlf(
    'From: ada@alpha.test',
    'Subject: Inside',
    'X-A: b',
    'Content-Type: text/plain; hp="clear"',
    '',
    'x',
  )
  const fields = ['Subject: changed', 'From: eve@evil.test', 'Reply-To: eve@evil.test', 'List-Id: <us.beta.test>']
  const received = Buffer.concat([crlf(...TRACE), signedEntity(fields, entity, signatureBy(ada, entity))])
  const wish = { received, payload: null, results: RESULTS, authservId: US }
  const shown = openedView({ ...wish, trustsInnerFrom: true })
  assert.deepEqual(names(shown).slice(0, 6), [
    'return-path',
    'received',
    'authentication-results',
    'from',
    'subject',
    'list-id',
  ])
  assert.deepEqual([values(shown, 'from'), values(shown, 'subject')], [['ada@alpha.test'], ['Inside']])
  assert.ok(shown.includes(entity))
  const doubted = openedView({ ...wish, trustsInnerFrom: false })
  assert.deepEqual([values(doubted, 'from'), values(doubted, 'subject')], [['eve@evil.test'], ['changed']])
  const some = Buffer.from(received.toString('latin1').replace('hp="clear"', 'protected-headers="v1"'), 'latin1')
  const partly = openedView({ ...wish, received: some, trustsInnerFrom: true })
  assert.deepEqual([values(partly, 'subject'), values(partly, 'reply-to')], [['Inside'], ['eve@evil.test']])
})

test('whatever was received, there is a view', () => {
  const { message } = encryptedMessage(OUTSIDE.slice(0, 7), crlf('', 'x'), ada)
  const pieces = message.toString('latin1').split(/(?<=\r\n)/)
  const mixed = fc.array(
    fc.oneof(
      fc.constantFrom(...pieces),
      nasty.map((line) => `${line}\r\n`),
    ),
    { maxLength: 30 },
  )
  fc.assert(
    fc.property(mixed, fc.option(payloads), (all, payload) => {
      const received = Buffer.from(all.join(''))
      const shown = openedView({ received, payload, results: RESULTS, authservId: US, trustsInnerFrom: true })
      assert.ok(shown.includes(RESULTS))
      assert.ok(values(shown, 'authentication-results').includes('mx.beta.test;\topenpgp=pass'))
    }),
    { numRuns: 500 },
  )
})
