import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { placesOfPartial } from './chosen.ts'

const chosen = (first: number, last: number, length: number) => {
  const all = Array.from({ length }, (_, index) => index + 1)
  const { start, end } = placesOfPartial({ first, last }, length)
  return all.slice(start, end)
}

test('places count from either end, in either order, and those that are not there are left out', () => {
  assert.deepEqual(chosen(2, 3, 5), [2, 3])
  assert.deepEqual(chosen(3, 2, 5), [2, 3])
  assert.deepEqual(chosen(-1, -2, 5), [4, 5])
  assert.deepEqual(chosen(-9, -4, 5), [1, 2])
  assert.deepEqual(chosen(4, 9, 5), [4, 5])
  assert.deepEqual(chosen(6, 9, 5), [])
  assert.deepEqual(chosen(-6, -9, 5), [])
  assert.deepEqual(chosen(1, 1, 0), [])
  assert.deepEqual(placesOfPartial(null, 5), { start: 0, end: 5 })
})

test('a place from the end is the one that is so far from it', () => {
  const place = fc.integer({ min: 1, max: 30 })
  fc.assert(
    fc.property(place, place, fc.nat(25), (one, other, length) => {
      const backwards = chosen(-one, -other, length)
      const mirrored = chosen(one, other, length).map((place) => length + 1 - place)
      assert.deepEqual(backwards, mirrored.reverse())
    }),
  )
})
