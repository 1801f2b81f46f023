import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RecentlyUsed } from './recently-used.ts'

test('what was used longest ago goes first', () => {
  const kept = new RecentlyUsed<number>(2, 100)
  kept.set('a', 1, 1)
  kept.set('b', 2, 1)
  assert.equal(kept.get('a'), 1)
  kept.set('c', 3, 1)
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => kept.get(key)),
    [1, undefined, 3],
  )
  kept.clear()
  assert.equal(kept.get('a'), undefined)
})

test('the weights together stay below the limit, whatever is put in', () => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), weight: fc.nat(12) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const kept = new RecentlyUsed<number>(3, 20)
      for (const { key, weight } of steps) {
        kept.set(key, weight, weight)
        const weights = ['a', 'b', 'c', 'd'].flatMap((one) => kept.get(one) ?? [])
        assert.ok(weights.length <= 3 && weights.reduce((sum, one) => sum + one, 0) <= 20)
      }
    }),
  )
  const kept = new RecentlyUsed<number>(3, 20)
  kept.set('a', 1, 21)
  assert.equal(kept.get('a'), undefined, 'too heavy')
})
