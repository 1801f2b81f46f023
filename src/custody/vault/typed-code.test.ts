import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { APP_PASSWORD, decodeCode, encodeCode, RECOVERY_CODE } from './typed-code.ts'

const FORMS = [RECOVERY_CODE, APP_PASSWORD]

for (const form of FORMS) {
  const { purpose, secretOctets, characters, group } = form
  const secrets = fc
    .uint8Array({ minLength: secretOctets, maxLength: secretOctets })
    .map((octets) => Buffer.from(octets))
  const decode = (text: string) => decodeCode(form, Buffer.from(text))
  const shape = new RegExp(`^([0-9A-HJKMNP-TV-Z]{${group}}-){${characters / group - 1}}[0-9A-HJKMNP-TV-Z]{${group}}$`)

  test(`${purpose}: read as it was written, however it is typed`, () => {
    fc.assert(
      fc.property(secrets, (secret) => {
        const code = encodeCode(form, secret).toString()
        assert.match(code, shape)
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

  test(`${purpose}: a wrong character, two exchanged, one too many or too few are mistyped`, () => {
    fc.assert(
      fc.property(secrets, fc.nat(characters - 1), fc.nat(31), (secret, at, value) => {
        const code = encodeCode(form, secret).toString().replaceAll('-', '')
        const other = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[value]!
        const replaced = code.slice(0, at) + other + code.slice(at + 1)
        // twenty bits of checksum let one in a million through
        if (replaced !== code) assert.notDeepEqual(decode(replaced), secret)
        assert.equal(decode(code + other), null)
        assert.equal(decode(code.slice(1)), null)
      }),
      { numRuns: 500, seed: 7 },
    )
  })

  test(`${purpose}: anything else is no code`, () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (octets) => assert.equal(decodeCode(form, octets), null)))
    for (const text of ['', 'UUUUU-UUUUU-UUUUU-UUUUU-UUUUU-UUUUU', 'a password']) assert.equal(decode(text), null)
  })
}
