import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { indexMessage } from '#formats/message/mime-index.ts'
import { sealedKind } from '#formats/message/sealed-kind.ts'
import { armor } from '#formats/openpgp/armor.ts'
import { IntegrityError, MalformedOpenPgp, PacketType } from '#formats/openpgp/openpgp.ts'
import { packet } from '#formats/openpgp/packets.ts'
import { literalHead } from '#formats/openpgp/seal.ts'
import { seipd1Size, writeSeipd1 } from '#formats/openpgp/seipd1.ts'
import { crlf, encryptedMessage, person, signatureBy, signedEntity } from '../../../test/support/sealed-letters.ts'
import { issuersOf } from './judge.ts'
import { authorsOf, openEncrypted, openUnwrapped, signedIn, trustsInnerFrom } from './opened.ts'
import { payloadOf } from './pgp-mime.ts'

const ada = await person('Ada <ada@alpha.test>')
const bob = await person('Bob <bob@beta.test>')

const OUTER = ['From: Ada <ada@alpha.test>', 'To: bob@beta.test', 'Subject: ...']
const ENTITY = crlf('Content-Type: text/plain; charset=utf-8', '', 'It is on.')

const kindOf = (message: Buffer) => sealedKind(indexMessage(message))

test('only the root of a message says how it is protected', () => {
  const { message: encrypted } = encryptedMessage(OUTER, ENTITY, bob)
  const signed = signedEntity(OUTER, ENTITY, signatureBy(ada, ENTITY))
  assert.equal(kindOf(encrypted), 'encrypted')
  assert.equal(kindOf(signed), 'signed')
  const text = encrypted.toString('latin1')
  for (const other of [
    text.replace('multipart/encrypted', 'multipart/mixed'),
    text.replace('protocol="application/pgp-encrypted"', 'protocol="application/pkcs7-mime"'),
    text.replace('--foo--', '--foo\r\n\r\nmore\r\n--foo--'),
    signed.toString('latin1').replace('protocol="application/pgp-signature"', 'protocol="application/pkcs7-signature"'),
    crlf('Content-Type: multipart/mixed; boundary="x"', '', '--x', text, '--x', '', 'footer', '--x--').toString(
      'latin1',
    ),
    crlf('Content-Type: message/rfc822', '', text).toString('latin1'),
    ENTITY.toString('latin1'),
  ]) {
    assert.notEqual(other, text)
    assert.equal(kindOf(Buffer.from(other, 'latin1')), null)
  }
})

test('what is signed in one pass is opened with its signatures', () => {
  const signature = signatureBy(ada, ENTITY)
  const { message, sessionKey } = encryptedMessage(OUTER, ENTITY, bob, signature)
  const { payload, signed, signatures } = openEncrypted(message, sessionKey)
  assert.ok(ENTITY.equals(payload))
  assert.ok(ENTITY.equals(signed))
  assert.deepEqual(issuersOf(signatures), [ada.fingerprint])
})

test('a small message that would become a very large one is none', () => {
  const packed = (payload: Buffer) => {
    const literal = Buffer.concat([literalHead(payload.length), payload])
    return packet(PacketType.compressed, Buffer.of(1), deflateRawSync(literal))
  }
  const open = (payload: Buffer) => {
    const inner = packed(payload)
    const sessionKey = { cipher: 9, key: Buffer.alloc(32, 1) }
    const body = Buffer.alloc(seipd1Size(inner.length))
    writeSeipd1(body, sessionKey, (plain) => plain.set(inner))
    return openUnwrapped(packet(PacketType.seipd, body), sessionKey).payload.length
  }
  const text = crlf(...Array.from({ length: 100_000 }, (_, at) => `Line ${at} of a table`))
  assert.equal(open(text), text.length)
  assert.equal(open(Buffer.alloc(1 << 20)), 1 << 20)
  assert.throws(() => open(Buffer.alloc(4 << 20)), MalformedOpenPgp)
})

test('a multipart/signed inside counts when nothing else is signed', () => {
  const inside = signedEntity([], ENTITY, signatureBy(ada, ENTITY))
  const unsigned = encryptedMessage(OUTER, inside, bob)
  const opened = openEncrypted(unsigned.message, unsigned.sessionKey)
  assert.ok(ENTITY.equals(opened.payload))
  assert.deepEqual(issuersOf(opened.signatures), [ada.fingerprint])
  const both = encryptedMessage(OUTER, inside, bob, signatureBy(bob, inside))
  const outermost = openEncrypted(both.message, both.sessionKey)
  assert.ok(inside.equals(outermost.payload))
  assert.deepEqual(issuersOf(outermost.signatures), [bob.fingerprint])
})

test('what is damaged, or is none, is an error and gives nothing away', () => {
  const { message, sessionKey } = encryptedMessage(OUTER, ENTITY, bob)
  const other = { ...sessionKey, key: Buffer.alloc(sessionKey.key.length, 1) }
  assert.throws(() => openEncrypted(message, other), IntegrityError)
  assert.throws(() => openEncrypted(ENTITY, sessionKey), MalformedOpenPgp)
})

test('the signed octets are those of the first part, without the line end before the delimiter', () => {
  for (const entity of [
    ENTITY,
    Buffer.from('Content-Type: text/plain\r\n\r\nno line end'),
    Buffer.from('\r\nonly text\r\n\r\n'),
    Buffer.from('Content-Type: text/plain\n\nbare line feeds\n'),
    crlf('Content-Type: multipart/mixed; boundary="x"', '', '--x', '', 'one', '--x--', 'behind', ''),
  ]) {
    const found = signedIn(signedEntity(OUTER, entity, signatureBy(ada, entity)))
    assert.equal(Buffer.from(found!.signed).toString(), entity.toString())
    assert.deepEqual(issuersOf(found!.signatures), [ada.fingerprint])
  }
})

test('a signature that cannot be read is still one', () => {
  const signed = signedEntity(OUTER, ENTITY, signatureBy(ada, ENTITY)).toString('latin1')
  for (const other of [
    signed.replace(/-----BEGIN[\s\S]*SIGNATURE-----/, 'nothing'),
    signed.replaceAll('PGP SIGNATURE', 'PGP MESSAGE'),
    signed.replace(/-----BEGIN[\s\S]*SIGNATURE-----/, armor('SIGNATURE', Buffer.of(0xcb, 2, 0, 0))),
  ]) {
    assert.notEqual(other, signed)
    const found = signedIn(Buffer.from(other, 'latin1'))!
    assert.equal(found.signatures.length, 1)
    assert.deepEqual(issuersOf(found.signatures), [])
  }
  assert.equal(
    signedIn(Buffer.from(signed.replace('Type: application/pgp-signature', 'Type: text/plain'), 'latin1')),
    null,
  )
})

const OUTSIDE = 'ada@alpha.test'

test('the author is named inside where the header is protected, and outside otherwise', () => {
  const received = crlf(...OUTER, '', 'x')
  const eve = ['From: Eve <eve@evil.test>', 'Subject: Hello']
  const text = (...parameters: string[]) => `Content-Type: ${['text/plain', ...parameters].join('; ')}`
  const authors = (...lines: string[]) => authorsOf(received, crlf(...lines, '', 'body'))
  const inside = { inner: 'eve@evil.test', outer: OUTSIDE, author: 'eve@evil.test' }
  assert.deepEqual(authors(...eve, text('hp="cipher"')), inside)
  assert.deepEqual(authors(...eve, text('hp=clear')), inside)
  assert.deepEqual(authors(...eve, text('protected-headers="v1"')), inside)
  assert.deepEqual(authors('Content-Type: message/rfc822; forwarded=no', '', ...eve, text()), inside)
  assert.deepEqual(authorsOf(received, payloadOf(crlf(...eve, '', 'body'))), inside)
  const outside = { inner: null, outer: OUTSIDE, author: OUTSIDE }
  assert.deepEqual(authors(...eve, text()), outside)
  assert.deepEqual(authors(...eve, text('hp="other"')), outside)
  assert.deepEqual(authors('Content-Type: message/rfc822', '', ...eve, text()), outside)
  assert.deepEqual(authors(text('hp="cipher"')), outside)
  assert.deepEqual(authorsOf(received, Buffer.from('only text')), outside)
})

test('two authors, or one that can be read in two ways, are nobody', () => {
  const received = crlf('From: ada@alpha.test, bob@beta.test', '', 'x')
  assert.equal(authorsOf(received, ENTITY).author, null)
  const inside = (...from: string[]) =>
    authorsOf(crlf(...OUTER, '', 'x'), crlf(...from, 'Content-Type: text/plain; hp="cipher"', '', 'x'))
  for (const from of [
    ['From: eve@evil.test', 'From: ada@alpha.test'],
    ['From: eve@evil.test <ada@alpha.test>'],
    ['From: undisclosed:;'],
    ['From:'],
  ]) {
    assert.deepEqual(inside(...from), { inner: null, outer: OUTSIDE, author: null })
  }
})

test('a message that is only signed names its author where the signature reaches', () => {
  const entity = crlf('From: Eve <eve@evil.test>', 'Content-Type: text/plain; hp="clear"', '', 'body')
  const received = signedEntity(OUTER, entity, signatureBy(ada, entity))
  assert.deepEqual(authorsOf(received, null), { inner: 'eve@evil.test', outer: OUTSIDE, author: 'eve@evil.test' })
  const plain = signedEntity(OUTER, ENTITY, signatureBy(ada, ENTITY))
  assert.equal(authorsOf(plain, null).author, OUTSIDE)
})

test('the author inside is believed by signature, or when outside it says the same', () => {
  const [none, good] = [
    { kind: 'none' } as const,
    { kind: 'good', fingerprint: 'A', evidence: 'wkd', isCurrent: true, signed: 1 } as const,
  ]
  const inner = 'ada@alpha.test'
  assert.ok(!trustsInnerFrom({ inner, outer: 'eve@evil.test', author: inner }, none))
  assert.ok(!trustsInnerFrom({ inner, outer: null, author: inner }, { kind: 'bad', why: '' }))
  assert.ok(trustsInnerFrom({ inner, outer: 'eve@evil.test', author: inner }, good))
  assert.ok(trustsInnerFrom({ inner, outer: 'Ada@ALPHA.test', author: inner }, none))
  assert.ok(trustsInnerFrom({ inner: null, outer: inner, author: inner }, none))
})

test('whatever the octets are, there is an answer', () => {
  const signed = signedEntity(OUTER, ENTITY, signatureBy(ada, ENTITY))
    .toString('latin1')
    .split(/(?<=\r\n)/)
  const mixed = fc.array(fc.oneof(fc.constantFrom(...signed), fc.string({ maxLength: 8 })), { maxLength: 30 })
  const octets = fc.oneof(
    mixed.map((all) => Buffer.from(all.join(''))),
    fc.uint8Array({ maxLength: 100 }).map((one) => Buffer.from(one)),
  )
  fc.assert(
    fc.property(octets, octets, (received, payload) => {
      const found = signedIn(received)
      assert.ok(found === null || found.signatures.length > 0)
      assert.ok(authorsOf(received, payload).author !== '')
      assert.ok(authorsOf(received, null).author !== '')
    }),
    { numRuns: 300 },
  )
})
