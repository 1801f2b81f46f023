import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  BadSummary,
  decodeSummary,
  encodeSummary,
  HEADER_KEPT,
  openSummary,
  sizeInSummary,
  summarize,
} from './summary.ts'

const MESSAGE = Buffer.from(
  'From: Jürgen <j@x.test>\r\nTo: G: a@x.test, "B \\"C\\"" <b@x.test>;\r\nReferences: <1@x> <2@x>\r\nSubject: \0\xff\r\n' +
    'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment; filename=x\r\n' +
    'Content-Language: de\r\n\r\nx\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nz\r\n--b--\r\n',
  'latin1',
)

test('a summary knows what lists need', () => {
  const summary = summarize(MESSAGE)
  assert.equal(summary.size, MESSAGE.length)
  assert.equal(summary.references, '<1@x> <2@x>')
  assert.deepEqual(summary.header, MESSAGE.subarray(0, summary.root.body.start))
  assert.equal(summary.root.envelope?.subject, '\0\xff')
  assert.equal(summary.root.children.length, 2)
})

test('a long header is not kept', () => {
  const long = Buffer.from(`X: ${'x'.repeat(HEADER_KEPT)}\r\n\r\n`)
  assert.equal(summarize(long).header, null)
  assert.deepEqual(decodeSummary(encodeSummary(summarize(long))), summarize(long))
})

test('the encoded form comes back as it was, for any message', () => {
  const piece = fc.constantFrom(
    'From: ',
    'a@b',
    '\r\n',
    'Content-Type: ',
    'multipart/mixed; boundary=b',
    '--b',
    '\xe9',
    '"',
    '\0',
  )
  const anyMessage = fc.oneof(
    fc.array(piece).map((pieces) => Buffer.from(pieces.join(''), 'latin1')),
    fc.uint8Array({ maxLength: 200 }).map((octets) => Buffer.from(octets)),
    fc.constant(MESSAGE),
  )
  fc.assert(
    fc.property(anyMessage, (message) => {
      const summary = summarize(message)
      assert.deepEqual(decodeSummary(encodeSummary(summary)), summary)
      assert.equal(sizeInSummary(encodeSummary(summary)), message.length)
    }),
  )
})

/** As the first version wrote it. */
const JOINED =
  '\x01\0\0\0\xa4[56,"<1@x>",true,[0,49,49,56,1,"text","plain","7bit",null,null,null,null,[],null,[],[],' +
  '[null,"s",null,null,[[null,"a","x.test"]],null,null,null,null,null]],"hello"]' +
  'From: a@x.test\r\nReferences: <1@x>\r\nSubject: s\r\n\r\n'

test('the form of the first version is read', () => {
  const octets = Buffer.from('From: a@x.test\r\nReferences: <1@x>\r\nSubject: s\r\n\r\nhello\r\n')
  const joined = Buffer.from(JOINED, 'latin1')
  assert.deepEqual(decodeSummary(joined), summarize(octets))
  assert.equal(sizeInSummary(joined), octets.length)
})

test('what is not used is decoded when somebody looks at it, and its damage found then', () => {
  const summary = summarize(MESSAGE)
  const encoded = Buffer.from(encodeSummary(summary))
  const opened = openSummary(encoded, { envelope: false, structure: false })
  assert.deepEqual([opened.size, opened.header], [summary.size, summary.header])
  assert.deepEqual([opened.envelope, opened.references], [summary.envelope, summary.references])
  assert.deepEqual([opened.root, opened.preview], [summary.root, summary.preview])
  encoded[encoded.indexOf(']]')] = 0
  const listed = { envelope: false, structure: true }
  assert.throws(() => openSummary(encoded, listed), BadSummary)
  assert.throws(() => openSummary(encoded, { ...listed, structure: false }).envelope, BadSummary)
})

test('damaged forms are refused by name', () => {
  const encoded = Buffer.from(encodeSummary(summarize(MESSAGE)))
  for (const end of [0, 1, 5, 40]) assert.throws(() => decodeSummary(encoded.subarray(0, end)), BadSummary)
  const other = Buffer.from(encoded)
  other[0] = 99
  assert.throws(() => decodeSummary(other), BadSummary)
  for (const broken of [other, encoded.subarray(0, 6), Buffer.from('\x01\0\0\0\x04[x,]')])
    assert.throws(() => sizeInSummary(broken), BadSummary)
  fc.assert(
    fc.property(fc.nat(encoded.length - 1), fc.nat(255), (at, octet) => {
      const damaged = Buffer.from(encoded)
      damaged[at] = octet
      try {
        decodeSummary(damaged)
      } catch (error) {
        assert.ok(error instanceof BadSummary)
      }
    }),
  )
})
