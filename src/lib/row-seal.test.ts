import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { RowSeal } from './row-seal.ts'

test('what is sealed under a name opens under that name, that key and that purpose alone', () => {
  const key = randomBytes(32)
  using rows = new RowSeal(key, 'one')
  using strange = new RowSeal(randomBytes(32), 'one')
  using other = new RowSeal(key, 'other')
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.uint8Array(), (text, another, octets) => {
      const name = rows.name(text)
      const sealed = rows.seal(name, octets)
      assert.deepEqual(rows.open(rows.name(text), sealed), Buffer.from(octets))
      if (another !== text) assert.equal(rows.open(rows.name(another), sealed), null)
      for (const one of [strange, other]) {
        assert.notDeepEqual(one.name(text), name)
        assert.equal(one.open(name, sealed), null)
      }
      sealed[sealed.length - 1]! ^= 1
      assert.equal(rows.open(name, sealed), null)
      assert.equal(rows.open(name, sealed.subarray(0, 5)), null)
    }),
    { numRuns: 50 },
  )
})
