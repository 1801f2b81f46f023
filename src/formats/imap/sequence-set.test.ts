import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  compactSequence,
  formatSequenceSet,
  inSequence,
  parseSequenceSet,
  placesOfSequence,
  placesOfUids,
  resolveSequence,
  STAR,
} from './sequence-set.ts'

test('reads sets, and only sets', () => {
  assert.deepEqual(parseSequenceSet('2,4:7,9,12:*'), [
    { first: 2, last: 2 },
    { first: 4, last: 7 },
    { first: 9, last: 9 },
    { first: 12, last: STAR },
  ])
  assert.deepEqual(parseSequenceSet('*:4'), [{ first: 4, last: STAR }])
  for (const wrong of ['', '0', '1:', ':1', '1,', '1:2:3', '4294967296', '01', '-1', 'a', '1 2', '$']) {
    assert.equal(parseSequenceSet(wrong), null, wrong)
  }
})

test('a set means what it means in a mailbox', () => {
  const set = (text: string) => parseSequenceSet(text)!
  assert.deepEqual(resolveSequence(set('5:*'), 3), [{ first: 3, last: 5 }], 'the last message is in it, RFC 3501 §9')
  assert.equal(placesOfSequence(set('5:*'), 3), null, 'but message 5 is not there')
  assert.deepEqual(placesOfSequence(set('1:3,2:5,7'), 7), [
    { start: 0, end: 5 },
    { start: 6, end: 7 },
  ])
  assert.equal(placesOfSequence(set('1:8'), 7), null)
  assert.equal(placesOfSequence(set('*'), 0), null)
  assert.deepEqual(placesOfUids(set('559:*'), [10, 20, 30]), [{ start: 2, end: 3 }])
  assert.deepEqual(placesOfUids(set('1:4294967295'), [10, 20, 30]), [{ start: 0, end: 3 }])
  assert.deepEqual(placesOfUids(set('*'), []), [])
})

const number = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(STAR), fc.constant(0xffff_ffff))
const sets = fc.array(
  fc.tuple(number, number).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) })),
  { minLength: 1, maxLength: 8 },
)
const uids = fc.uniqueArray(fc.integer({ min: 1, max: 50 })).map((all) => all.toSorted((a, b) => a - b))

test('writing is undone by reading', () => {
  fc.assert(fc.property(sets, (set) => assert.deepEqual(parseSequenceSet(formatSequenceSet(set)), set)))
})

test('places are those of the numbers that the set has', () => {
  fc.assert(
    fc.property(sets, uids, (set, all) => {
      const greatest = all.at(-1) ?? 0
      const expected = all.filter((uid) => inSequence(set, uid, greatest))
      assert.deepEqual(
        placesOfUids(set, all).flatMap(({ start, end }) => all.slice(start, end)),
        expected,
      )
      assert.deepEqual(
        compactSequence(all).flatMap(({ first, last }) =>
          Array.from({ length: last - first + 1 }, (_, at) => first + at),
        ),
        all,
      )
    }),
  )
})
