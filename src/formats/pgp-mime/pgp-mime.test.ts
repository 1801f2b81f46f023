import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { indexMessage } from '#formats/message/mime-index.ts'
import { armor } from '#formats/openpgp/armor.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { MalformedOpenPgp } from '#formats/openpgp/openpgp.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { openSecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { splitMessage, unseal } from '#formats/openpgp/unseal.ts'
import { isEncrypted, originalOf, payloadOf, unwrapEncrypted, withMessage, wrapEncrypted } from './pgp-mime.ts'

const lines = (...all: string[]) => Buffer.from(`${all.join('\r\n')}\r\n`)

const letter = lines(
  'Return-Path: <bob@beta.test>',
  'Received: from beta.test by mx.alpha.test; Fri, 1 Mar 2024 10:00:00 +0000',
  'From: Bob <bob@beta.test>',
  'To: Ada <ada@alpha.test>,',
  '\tCarl <carl@gamma.test>',
  'Subject: The merger',
  'Date: Fri, 1 Mar 2024 10:00:00 +0000',
  'Message-ID: <1@beta.test>',
  'MIME-Version: 1.0',
  'Content-Type: text/plain; charset=utf-8',
  '',
  'It is on.',
)
/** One packet of a type, with a length of five octets (RFC 9580 §4.2.1.3). */
function packet(type: number, body: Uint8Array): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  return Buffer.concat([Buffer.of(0xc0 | type, 0xff), length, body])
}
const SEIPD = 18
const sealed = packet(SEIPD, Buffer.alloc(20, 7))

test('outside stand the fields for listing, a subject that says nothing, and the armor', () => {
  const text = wrapEncrypted(letter, sealed).toString('latin1')
  assert.equal(
    text.slice(0, text.indexOf('-----BEGIN')),
    [
      'From: Bob <bob@beta.test>',
      'To: Ada <ada@alpha.test>,',
      '\tCarl <carl@gamma.test>',
      'Date: Fri, 1 Mar 2024 10:00:00 +0000',
      'Message-ID: <1@beta.test>',
      'Subject: [...]',
      'MIME-Version: 1.0',
      'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted";',
      ' boundary="=_sealed"',
      '',
      '--=_sealed',
      'Content-Type: application/pgp-encrypted',
      'Content-Description: PGP/MIME version identification',
      '',
      'Version: 1',
      '',
      '--=_sealed',
      'Content-Type: application/octet-stream; name="encrypted.asc"',
      'Content-Description: OpenPGP encrypted message',
      'Content-Disposition: inline; filename="encrypted.asc"',
      '',
      '',
    ].join('\r\n'),
  )
  assert.ok(text.endsWith('-----END PGP MESSAGE-----\r\n\r\n--=_sealed--\r\n'))
  assert.doesNotMatch(text, /merger|Received|Return-Path|[^\r]\n/)
})

test('the payload is the message with the protected header announced', () => {
  assert.equal(
    payloadOf(letter).toString(),
    lines(
      'HP-Outer: From: Bob <bob@beta.test>',
      'HP-Outer: To: Ada <ada@alpha.test>,',
      '\tCarl <carl@gamma.test>',
      'HP-Outer: Date: Fri, 1 Mar 2024 10:00:00 +0000',
      'HP-Outer: Message-ID: <1@beta.test>',
      'HP-Outer: Subject: [...]',
      letter.toString().replace('utf-8\r\n', 'utf-8;\r\n protected-headers="v1"; hp="cipher"\r\n').trimEnd(),
    ).toString(),
  )
})

test('sealed, wrapped, unwrapped and opened, the message is what it was', async () => {
  const made = await generateKeys({ userId: 'Ada', algorithm: 'curve25519', created: new Date(1_700_000_000_000) })
  const { message } = seal(parseCertificate(made.certificate).encryptionKeys, payloadOf(letter))
  const wrapped = wrapEncrypted(letter, message)
  assert.ok(wrapEncrypted(letter, message).equals(wrapped))
  const unwrapped = unwrapEncrypted(wrapped)!
  assert.ok(unwrapped.equals(message))
  const sessionKey = sessionKeyOf(openSecretKeys(made.secret), splitMessage(unwrapped).pkesks[0]!)!
  assert.ok(originalOf(unseal(unwrapped, sessionKey)).equals(letter))
  assert.ok(isEncrypted(wrapped))
  assert.ok(!isEncrypted(letter))
})

const fieldLines = fc.constantFrom(
  'Content-Type: text/plain; charset=utf-8',
  'Content-Type: text/plain;',
  'Content-Type: text/plain; charset=utf-8; \t',
  'content-TYPE : multipart/mixed;\r\n boundary="a;b"',
  'Content-Type: text/plain (no comment',
  'Content-Type: text/plain; name="open',
  'Content-Type: text/plain; hp="clear"',
  'Content-Type: text/plain; charset=us-ascii; protected-headers="v1"; hp="cipher"',
  'Content-Type: text/plain;\r\n protected-headers="v1"; hp="cipher"',
  'Content-Type: text/plain;\r\n\tprotected-headers="v1"; hp="cipher"',
  'Content-Type: message/rfc822',
  'Content-Disposition: inline',
  'Content-Type:',
  'HP-Outer: From: x',
  'HP-Outer: Subject: [...]',
  'From: Ada',
  'Subject: x\r\n y',
  'Bare: \n line feed',
  'Zero: \0',
  'no field at all',
  ' folded',
  '',
)
const odd = fc.array(fc.oneof(fieldLines, fc.string({ unit: 'binary', maxLength: 20 })), { maxLength: 8 })
const oddMessage = fc
  .tuple(odd, fc.constantFrom('\r\n', '\r\n', '\n', ''))
  .map(([all, end]) => Buffer.from(all.map((line) => line + end).join('')))

test('payloadOf and originalOf are inverses for all octets, payloads among them; one header block stays one', () => {
  fc.assert(
    fc.property(oddMessage, (message) => {
      const payload = payloadOf(message)
      assert.ok(originalOf(payload).equals(message))
      assert.ok(originalOf(payloadOf(payload)).equals(payload))
      const { type } = indexMessage(payload)
      // either it stays what it was, or it is attached
      if (!payload.toString('latin1').startsWith('Content-Type: message/rfc822\r\nContent-Disposition')) {
        assert.equal(type, indexMessage(message).type)
        assert.match(payload.toString('latin1'), /protected-headers="v1"; hp="cipher"\r\n/)
      }
    }),
    { numRuns: 1000 },
  )
})

test('wrapEncrypted and unwrapEncrypted are inverses for all octets; lines are short, and no field comes in from elsewhere', () => {
  fc.assert(
    fc.property(oddMessage, fc.uint8Array({ minLength: 1, maxLength: 400 }), (message, body) => {
      const octets = packet(SEIPD, body)
      const wrapped = wrapEncrypted(message, octets)
      assert.ok(unwrapEncrypted(wrapped)!.equals(octets))
      assert.ok(isEncrypted(wrapped))
      const text = wrapped.toString('latin1')
      assert.doesNotMatch(text, /[^\r]\n|\r[^\n]/)
      const names = text
        .slice(0, text.indexOf('\r\n\r\n'))
        .split(/\r\n(?![ \t])/)
        .map((line) => line.split(/[ \t]*:/)[0]!)
      assert.deepEqual(names.slice(-3), ['Subject', 'MIME-Version', 'Content-Type'])
    }),
    { numRuns: 500 },
  )
})

test('a field that is too long, or comes twice, is inside only', () => {
  const long = lines(
    `References: ${'<x@y.test>\r\n '.repeat(2000)}<z@y.test>`,
    'To: one',
    'To: two',
    'Cc: c',
    '',
    'body',
  )
  const text = wrapEncrypted(long, sealed).toString()
  assert.ok(text.startsWith('To: one\r\nCc: c\r\nSubject: [...]\r\n'))
  assert.ok(originalOf(payloadOf(long)).equals(long))
})

const wrapped = wrapEncrypted(letter, sealed).toString('latin1')

test('only a whole PGP/MIME message is unwrapped', () => {
  const others = [
    wrapped.replace('multipart/encrypted', 'multipart/mixed'),
    wrapped.replace('protocol="application/pgp-encrypted"', 'protocol="application/pkcs7-mime"'),
    wrapped.replace('\r\n\r\nVersion: 1', '\r\n\r\nVersion: 2'),
    wrapped.replace('--=_sealed--', '--=_sealed\r\n\r\nmore\r\n--=_sealed--'),
    wrapped.replaceAll('PGP MESSAGE', 'PGP SIGNATURE'),
    wrapped.replace('-----END', '-----EMD'),
    `${wrapped}${'plain text behind\r\n'.repeat(100)}`,
    wrapped.replace('\r\n\r\n--=_sealed', `\r\n\r\n${'plain text before\r\n'.repeat(100)}--=_sealed`),
  ]
  for (const other of others) {
    assert.notEqual(other, wrapped)
    assert.equal(unwrapEncrypted(Buffer.from(other, 'latin1')), null)
    assert.ok(!isEncrypted(Buffer.from(other, 'latin1')))
  }
  const greeted = wrapped.replace(
    '\r\n\r\n--=_sealed',
    '\r\n\r\nThis is an OpenPGP/MIME encrypted message.\r\n--=_sealed',
  )
  assert.ok(unwrapEncrypted(Buffer.from(greeted, 'latin1'))?.equals(sealed))
})

test('inline: a text that is nothing but an armored message', () => {
  const inline = armor('MESSAGE', sealed).replaceAll('\n', '\r\n')
  const head = 'From: a@b.test\r\nContent-Type: text/plain\r\n\r\n'
  assert.ok(isEncrypted(Buffer.from(head + inline)))
  assert.ok(!isEncrypted(Buffer.from(`${head}Hello\r\n${inline}`)))
  assert.ok(!isEncrypted(Buffer.from(`${head}${inline}Regards\r\n`)))
  assert.ok(!isEncrypted(Buffer.from(`${head}${inline}${inline}`)))
  assert.ok(!isEncrypted(Buffer.from(`${head}-----BEGIN PGP MESSAGE-----\r\n\r\n!\r\n-----END PGP MESSAGE-----\r\n`)))
  assert.equal(unwrapEncrypted(Buffer.from(head + inline)), null)
})

test('what is signed or compressed alone is not encrypted, though it is armored as a message', () => {
  const [compressed, onePassSignature, pkesk, sed] = [8, 4, 1, 9]
  const head = 'From: a@b.test\r\n\r\n'
  for (const octets of [
    packet(compressed, Buffer.from('\0anybody reads this')),
    Buffer.concat([packet(onePassSignature, Buffer.alloc(13, 3)), packet(11, Buffer.from('t\0\0\0\0\0readable'))]),
    packet(pkesk, Buffer.alloc(20, 3)),
    Buffer.concat([packet(pkesk, Buffer.alloc(20, 3)), packet(sed, Buffer.alloc(40))]),
    Buffer.concat([sealed, packet(11, Buffer.from('t\0\0\0\0\0readable'))]),
  ]) {
    assert.ok(!isEncrypted(Buffer.from(head + armor('MESSAGE', octets))))
    assert.ok(!isEncrypted(wrapEncrypted(letter, octets)))
  }
})

test('any octets have an answer', () => {
  const pieces = wrapped.split(/(?<=\r\n)/)
  const mixed = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 10 })), { maxLength: 40 })
  fc.assert(
    fc.property(
      fc.oneof(
        mixed.map((all) => Buffer.from(all.join(''))),
        fc.uint8Array({ maxLength: 200 }),
      ),
      (octets) => {
        const found = unwrapEncrypted(octets)
        assert.ok(found === null || isEncrypted(octets))
      },
    ),
    { numRuns: 500 },
  )
})

test('outside no line of what travels is too long, and the field says the same', () => {
  const to = `To: ${Array.from({ length: 400 }, (_, number) => `reader-${number}@beta.test`).join(', ')}`
  const written = lines('From: bob@beta.test', to, 'Cc: a@beta.test,', '\tb@beta.test', '', 'text')
  const outside = wrapEncrypted(written, sealed, 'travel').toString()
  assert.ok(Math.max(...outside.split('\r\n').map(({ length }) => length)) <= 988)
  assert.ok(outside.replaceAll('\r\n ', ' ').includes(`\r\n${to}\r\nCc: a@beta.test,\r\n\tb@beta.test\r\n`))
  const payload = payloadOf(written, 'travel')
  assert.ok(
    Math.max(
      ...payload
        .toString()
        .split(to)[0]!
        .split('\r\n')
        .map(({ length }) => length),
    ) <= 998,
  )
  assert.deepEqual(originalOf(payload), written)
  const whole = lines('From: bob@beta.test', `References: <${'x'.repeat(2000)}>`, '', 'text')
  assert.ok(wrapEncrypted(whole, sealed, 'travel').includes('x'.repeat(2000)), 'what cannot be folded stays as it is')
})

test('what travels keeps outside what others act on, and its payload lists exactly that', () => {
  const travelling = lines(
    'Received: from client.alpha.test',
    'From: Ada <ada@alpha.test>',
    'Sender: list@alpha.test',
    'Reply-To: list@alpha.test',
    'To: Bob <bob@beta.test>',
    'List-Id: <list.alpha.test>',
    'LIST-UNSUBSCRIBE: <mailto:u@alpha.test>',
    'Auto-Submitted: auto-generated',
    'Precedence: bulk',
    'Disposition-Notification-To: ada@alpha.test',
    'TLS-Required: No',
    'User-Agent: secret',
    'Content-Type: text/plain',
    'Subject: The merger',
    '',
    'It is on.',
  )
  const outside = (wrappedMessage: Buffer) => wrappedMessage.toString().split('MIME-Version: ')[0]!
  assert.equal(
    outside(wrapEncrypted(travelling, sealed, 'travel')),
    [...travelling.toString().split('\r\n').slice(1, 11), 'Subject: [...]', ''].join('\r\n'),
  )
  for (const form of ['device', 'travel'] as const) {
    const listed = payloadOf(travelling, form).toString().split('Received: ')[0]!
    assert.equal(listed.replaceAll('HP-Outer: ', ''), outside(wrapEncrypted(travelling, sealed, form)))
  }
})

test('another message in the place of the one that is wrapped; all else, trace fields too, stays', () => {
  const trace = 'Received: from a.test by b.test; Fri, 1 Mar 2024 10:00:00 +0000\r\n'
  const other = packet(SEIPD, Buffer.alloc(300, 9))
  const replaced = withMessage(Buffer.from(trace + wrapped), other)
  assert.equal(replaced.toString('latin1'), trace + wrapEncrypted(letter, other).toString('latin1'))
  assert.throws(() => withMessage(letter, other), MalformedOpenPgp)
})
