import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeRecoveryCode, encodeRecoveryCode } from './recovery-code.ts'

const secrets = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((octets) => Buffer.from(octets))
const decode = (text: string) => decodeRecoveryCode(Buffer.from(text))

test('a code is read as it was written, however it is typed', () => {
  fc.assert(
    fc.property(secrets, (secret) => {
      const code = encodeRecoveryCode(secret).toString()
      assert.match(code, /^([0-9A-HJKMNP-TV-Z]{5}-){5}[0-9A-HJKMNP-TV-Z]{5}$/)
      const typed = [
        code,
        code.toLowerCase(),
        code.replaceAll('-', ''),
        ` ${code.replaceAll('-', ' ')}\r\n`,
        code.replaceAll('0', 'O').replaceAll('1', 'l'),
        code.replaceAll('0', 'o').replaceAll('1', 'I'),
      ]
      for (const text of typed) assert.deepEqual(decode(text), secret, text)
    }),
  )
})

test('a wrong character, two exchanged, one too many or too few: mistyped', () => {
  fc.assert(
    fc.property(secrets, fc.nat(29), fc.nat(31), (secret, at, value) => {
      const code = encodeRecoveryCode(secret).toString().replaceAll('-', '')
      const other = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[value]!
      const replaced = code.slice(0, at) + other + code.slice(at + 1)
      if (replaced !== code) assert.equal(decode(replaced), null)
      const exchanged = code.slice(0, at) + (code[at + 1] ?? '') + code[at] + code.slice(at + 2)
      if (exchanged !== code) assert.equal(decode(exchanged), null)
      assert.equal(decode(code + other), null)
      assert.equal(decode(code.slice(1)), null)
    }),
    { numRuns: 500 },
  )
})

test('anything else is no code', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (octets) => assert.equal(decodeRecoveryCode(octets), null)))
  for (const text of ['', 'UUUUU-UUUUU-UUUUU-UUUUU-UUUUU-UUUUU', 'a password']) assert.equal(decode(text), null)
})
