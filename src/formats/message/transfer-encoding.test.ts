import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeTransfer, encodeBase64, encodeQuotedPrintable } from './transfer-encoding.ts'

const decode = (text: string, encoding: string) =>
  decodeTransfer(Buffer.from(text, 'latin1'), encoding).toString('latin1')

test('quoted-printable as RFC 2045 §6.7 has it, and broken', () => {
  assert.equal(
    decode("Now's the time =\r\nfor all folk=20\r\n", 'quoted-printable'),
    "Now's the time for all folk \r\n",
  )
  assert.equal(decode('a  \r\nb \t', 'quoted-printable'), 'a\r\nb')
  assert.equal(decode('=c3=BC =XY = \r\nx=\nz=', 'quoted-printable'), '\xc3\xbc =XY xz')
  assert.equal(decode('a\nb  \nc', 'quoted-printable'), 'a\nb\nc')
})

test('base64 with line ends, junk and padding in the middle', () => {
  assert.equal(decode('aGVs\r\nbG8=\r\n', 'base64'), 'hello')
  assert.equal(decode('aGVs!bG8', 'base64'), 'hello')
  assert.equal(decode('aGVsbG8=\r\nIHdvcmxk\r\n', 'base64'), 'hello world')
})

test('other encodings change nothing', () => {
  for (const encoding of ['7bit', '8bit', 'binary', 'x-unknown']) assert.equal(decode('=41\xff', encoding), '=41\xff')
})

const octets = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes))

test('what is encoded is decoded again, in short ASCII lines', () => {
  fc.assert(
    fc.property(octets, (bytes) => {
      assert.deepEqual(decodeTransfer(Buffer.from(encodeBase64(bytes)), 'base64'), bytes)
      const encoded = encodeQuotedPrintable(bytes)
      assert.ok(encoded.split('\r\n').every((line) => line.length <= 76 && /^[\t\x20-\x7e]*$/.test(line)))
      assert.deepEqual(decodeTransfer(Buffer.from(encoded), 'quoted-printable'), bytes)
    }),
  )
})

test('any octets decode to something no longer than they are', () => {
  fc.assert(
    fc.property(octets, fc.constantFrom('base64', 'quoted-printable'), (bytes, encoding) => {
      assert.ok(decodeTransfer(bytes, encoding).length <= bytes.length)
    }),
  )
})
