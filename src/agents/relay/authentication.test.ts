import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeBase64Line } from './authentication.ts'

test('the line is the same base64 as everybody’s', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      const secret = Buffer.from(octets)
      assert.equal(encodeBase64Line(secret).toString(), `${secret.toString('base64')}\r\n`)
    }),
  )
})
