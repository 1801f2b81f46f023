import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { zbase32 } from './zbase32.ts'

test('the example of draft-koch-openpgp-webkey-service §3.1', () => {
  const hash = createHash('sha1').update('joe.doe').digest()
  assert.equal(zbase32(hash), 'iy9q119eutrkn8s1mk4r39qejnbu3n5q')
})

test('every octet is in it, five bits at a time', () => {
  const alphabet = 'ybndrfg8ejkmcpqxot1uwisza345h769'
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (octets) => {
      const digits = [...zbase32(octets)].map((char) => alphabet.indexOf(char).toString(2).padStart(5, '0')).join('')
      const wanted = [...octets].map((octet) => octet.toString(2).padStart(8, '0')).join('')
      assert.ok(digits.startsWith(wanted))
      assert.ok(digits.length - wanted.length < 5 && !digits.slice(wanted.length).includes('1'))
    }),
  )
})
