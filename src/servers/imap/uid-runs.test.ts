import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { UidRuns } from './uid-runs.ts'

const uids = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 40 }).map((all) => all.sort((a, b) => a - b))

test('behaves like an ascending list', () => {
  fc.assert(
    fc.property(uids, uids, fc.nat(70), fc.nat(70), (list, other, one, two) => {
      const runs = UidRuns.ofUids(list)
      assert.deepEqual([...runs], list)
      assert.deepEqual(runs.toArray(), list)
      assert.equal(runs.length, list.length)
      assert.equal(runs.last, list.at(-1) ?? 0)
      for (const [index, uid] of list.entries()) assert.equal(runs.at(index), uid)
      assert.equal(runs.indexOf(one), list.indexOf(one))
      assert.equal(runs.placeFrom(one), list.filter((uid) => uid < one).length)
      const gone = UidRuns.ofUids(other)
      const left = list.filter((uid) => !other.includes(uid))
      assert.deepEqual([...runs.minus(gone)], left)
      assert.deepEqual([...runs.within([...gone.ranges()])], [...list.filter((uid) => other.includes(uid))])
      const [start, end] = [Math.min(one, list.length), Math.min(two, list.length)]
      assert.deepEqual([...runs.slice(start, end)], list.slice(start, end))
      const higher = other.map((uid) => uid + runs.last)
      assert.deepEqual([...runs.plus(UidRuns.ofUids(higher))], [...list, ...higher])
    }),
  )
})

test('a union has what one of the lists has', () => {
  const pairs = (list: readonly number[]) =>
    Uint32Array.from([...UidRuns.ofUids(list).ranges()].flatMap(({ first, last }) => [first, last]))
  fc.assert(
    fc.property(fc.array(uids, { maxLength: 4 }), (lists) => {
      const all = [...new Set(lists.flat())].sort((a, b) => a - b)
      const union = UidRuns.union(lists.map(pairs))
      assert.deepEqual([...union], all)
      assert.deepEqual([...union.ranges()], [...UidRuns.ofUids(all).ranges()])
    }),
  )
})

test('a mailbox without gaps takes a few octets', () => {
  const runs = UidRuns.of([{ first: 1, last: 1_000_000 }]).plus(UidRuns.ofUids([1_000_001]))
  assert.ok(runs.octets < 32)
  assert.equal(runs.at(999_999), 1_000_000)
})
