import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeBase64, parsePlain } from './sasl.ts'

test('base64 of any octets is decoded, into memory of its own', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (octets) => {
      const decoded = decodeBase64(Buffer.from(Buffer.from(octets).toString('base64')))
      assert.deepEqual(decoded, Buffer.from(octets))
      assert.equal(decoded?.buffer.byteLength, octets.length)
    }),
  )
})

test('nothing else is base64', () => {
  for (const text of ['A', 'AA', 'AAA', 'AAAA=', '====', 'A===', 'AB==', 'AAB=', 'AA=A', 'AA\r\n', 'A-_A', 'AAé'])
    assert.equal(decodeBase64(Buffer.from(text)), null, text)
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('A', 'Q', 'g', '=', '-', '\n', 'é'), maxLength: 9 }), (text) => {
      const decoded = decodeBase64(Buffer.from(text))
      assert.ok(decoded === null || decoded.toString('base64') === text)
    }),
  )
})

test('PLAIN', () => {
  const read = (text: string) => {
    const plain = parsePlain(Buffer.from(text))
    return plain && [plain.authorization, plain.user, plain.credential.toString()]
  }
  assert.deepEqual(read('\0tim\0tanstaaftanstaaf'), ['', 'tim', 'tanstaaftanstaaf']) // RFC 4616 §4
  assert.deepEqual(read('Ursel\0Kurt\0xipj3plmq'), ['Ursel', 'Kurt', 'xipj3plmq'])
  assert.deepEqual(read('\0é\0ü '), ['', 'é', 'ü '])
  for (const bad of ['', 'a', 'a\0b', '\0\0b', '\0a\0', '\0a\0b\0', '\0a\0b\0c']) assert.equal(read(bad), null, bad)
  assert.equal(parsePlain(Buffer.from('\0\xff\0b', 'latin1')), null)
  const message = Buffer.from('\0tim\0secret')
  assert.equal(parsePlain(message)?.credential.buffer, message.buffer)
})
