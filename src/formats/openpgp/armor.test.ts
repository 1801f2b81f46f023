import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { armor, dearmor } from './armor.ts'
import { MalformedOpenPgp } from './openpgp.ts'

const labels = fc.constantFrom('MESSAGE', 'PUBLIC KEY BLOCK', 'PRIVATE KEY BLOCK', 'SIGNATURE')

test('armored octets come back', () => {
  fc.assert(
    fc.property(labels, fc.uint8Array({ maxLength: 500 }), fc.boolean(), (label, octets, checksum) => {
      const text = armor(label, octets, { checksum, headers: ['Comment: sealed'] })
      assert.deepEqual(dearmor(Buffer.from(text)), { label, octets: Buffer.from(octets) })
      assert.deepEqual(dearmor(Buffer.from(`Hello\r\n${text.replaceAll('\n', '\r\n')}`)).octets, Buffer.from(octets))
    }),
  )
})

test('any octets give armor or MalformedOpenPgp', () => {
  const pieces = fc.constantFrom(
    '-----BEGIN PGP MESSAGE-----',
    '-----END PGP MESSAGE-----',
    '\n',
    '=',
    'AAAA',
    'x: y',
    '=AAAA',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 20 })), { maxLength: 20 }), (parts) => {
      try {
        dearmor(Buffer.from(parts.join('')))
      } catch (error) {
        assert.ok(error instanceof MalformedOpenPgp)
      }
    }),
    { numRuns: 1000 },
  )
})

test('a wrong checksum is no reason to refuse, a broken body is', () => {
  const text = armor('MESSAGE', Buffer.from('sealed'))
  assert.deepEqual(dearmor(Buffer.from(text.replace(/^=.*$/m, '=AAAA'))).octets, Buffer.from('sealed'))
  assert.throws(() => dearmor(Buffer.from(text.replace('c2Vh', 'c2V*'))), MalformedOpenPgp)
  assert.throws(() => dearmor(Buffer.from(text.replace('-----END', '-----'))), MalformedOpenPgp)
  assert.throws(() => dearmor(Buffer.from(text.replaceAll('MESSAGE', 'SECRET'))), MalformedOpenPgp)
})

test('the checksum is the one that GnuPG writes', () => {
  assert.match(armor('MESSAGE', Buffer.from('sealed')), /\nc2VhbGVk\n=0Bc6\n-----END/)
})
