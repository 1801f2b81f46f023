import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { KnownSizes, UNKNOWN } from './known-sizes.ts'

const ascending = fc
  .uniqueArray(fc.integer({ min: 1, max: 40 }))
  .map((all) => Uint32Array.from(all.sort((a, b) => a - b)))

test('what is recalled is what was kept of the same uids', () => {
  fc.assert(
    fc.property(ascending, ascending, (before, now) => {
      const known = new KnownSizes()
      known.keep('anna', { uidValidity: 7, uids: before, sizes: before.map((uid) => uid * 100) })
      const expected = now.map((uid) => (before.includes(uid) ? uid * 100 : UNKNOWN))
      assert.deepEqual(known.recall('anna', 7, now), expected)
      const nothing = now.map(() => UNKNOWN)
      assert.deepEqual(known.recall('anna', 8, now), nothing)
      assert.deepEqual(known.recall('bob', 7, now), nothing)
    }),
  )
})
