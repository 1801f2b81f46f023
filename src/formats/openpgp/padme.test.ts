import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { paddedSize, padme } from './padme.ts'

test('sizes grow by at most an eighth, and keep their order', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 1 << 30 }), (size) => {
      const padded = padme(size)
      assert.ok(padded >= size && padded <= size * 1.12 + 1)
      assert.equal(padme(padded), padded)
      assert.ok(padme(size + 1) >= padded)
    }),
  )
})

test('known sizes', () => {
  // exponent 3 keeps 2 bits after the first, exponent 14 keeps 4
  assert.deepEqual([9, 10, 17, 20_000, 20_481].map(padme), [10, 10, 18, 20_480, 21_504])
  assert.equal(paddedSize(1), 512)
})
