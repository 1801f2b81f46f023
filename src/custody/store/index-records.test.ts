import assert from 'node:assert/strict'
import { hkdfSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { derived } from './index-records.ts'

test('keys are derived as RFC 5869 says', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.string(), (key, use) => {
      const expected = Buffer.from(hkdfSync('sha256', key, '', use, 32))
      assert.deepEqual(derived(key, use), expected)
    }),
  )
})
