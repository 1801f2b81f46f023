import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { openOctets, sealOctets } from './sealed-octets.ts'

const key = randomBytes(32)

test('what was sealed opens with its key, for its purpose, unchanged, and in no other way', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), fc.nat(), (clear, purpose, place) => {
      const sealed = sealOctets(key, purpose, clear)
      assert.deepEqual(new Uint8Array(openOctets(key, purpose, sealed)!), clear)
      assert.equal(openOctets(randomBytes(32), purpose, sealed), null)
      assert.equal(openOctets(key, `${purpose}.`, sealed), null)
      assert.equal(openOctets(key, purpose, sealed.subarray(0, place % sealed.length)), null)
      const at = place % sealed.length
      sealed[at] = sealed[at]! ^ 1
      assert.equal(openOctets(key, purpose, sealed), null)
    }),
  )
})
