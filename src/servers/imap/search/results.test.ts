import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { resultOf, Wishes } from './results.ts'

const end = fc.integer({ min: 1, max: 12 })
const partial = fc.option(
  fc.tuple(end, end, fc.constantFrom(1, -1)).map(([first, last, sign]) => ({ first: sign * first, last: sign * last })),
)
const wishes = fc
  .record({ return: fc.uniqueArray(fc.constantFrom('min' as const, 'max' as const, 'save' as const)), partial })
  .map((wanted) => new Wishes(wanted))
const matches = fc.uniqueArray(fc.nat(50), { maxLength: 10 })

test('as many of the first and the last matches as it asks for are enough', () => {
  fc.assert(
    fc.property(wishes, matches, (wanted, all) => {
      const whole = resultOf(wanted, { first: all, last: all })
      const { fromStart, fromEnd } = wanted
      const last = fromEnd > 0 ? all.slice(-fromEnd) : []
      assert.deepEqual(resultOf(wanted, { first: all.slice(0, fromStart), last }), whole)
    }),
    { numRuns: 500 },
  )
})

test('pages of a result hold all of it, each match once, from either end', () => {
  fc.assert(
    fc.property(matches, fc.integer({ min: 1, max: 4 }), fc.boolean(), (all, size, backwards) => {
      const found: number[] = []
      for (let from = 1; from <= 12; from += size) {
        const to = from + size - 1
        const range = backwards ? { first: -from, last: -to } : { first: to, last: from }
        const page = resultOf(new Wishes({ return: [], partial: range }), { first: all, last: all }).partial!
        if (backwards) found.unshift(...page)
        else found.push(...page)
      }
      assert.deepEqual(found, all)
    }),
  )
})

test('no option means ALL, and SAVE alone tells nothing', () => {
  assert.ok(new Wishes({ return: null, partial: null }).has('all'))
  assert.ok(new Wishes({ return: [], partial: null }).has('all'))
  assert.ok(!new Wishes({ return: [], partial: { first: 1, last: 2 } }).has('all'))
  assert.ok(new Wishes({ return: ['save'], partial: null }).silent)
  assert.ok(new Wishes({ return: ['save'], partial: null }).whole)
  assert.ok(!new Wishes({ return: ['save', 'min'], partial: null }).whole)
})
