import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { orderTargets } from './srv-targets.ts'

const record = (target: string, priority = 0, weight = 0, port = 443) => ({ target, priority, weight, port })
const hosts = (records: ReturnType<typeof record>[], random = () => 0) =>
  orderTargets(records, random).map(({ host }) => host)

test('lower priorities first, and by weight within one', () => {
  const records = [record('c.test', 2), record('a.test', 1, 1), record('b.test', 1, 3)]
  assert.deepEqual(
    hosts(records, () => 0.1),
    ['a.test', 'b.test', 'c.test'],
  )
  assert.deepEqual(
    hosts(records, () => 0.9),
    ['b.test', 'a.test', 'c.test'],
  )
})

test('each is first as often as its weight says', () => {
  // One more than the sum can be drawn (RFC 2782): 0 and 1 make it the first one.
  const draws = Array.from({ length: 100 }, (_, at) => at / 100)
  const first = draws.map((drawn) => hosts([record('a.test', 0, 1), record('b.test', 0, 9)], () => drawn)[0])
  assert.equal(first.filter((one) => one === 'a.test').length, 19)
})

test('what is no host is left out, and more than four are not tried', () => {
  assert.deepEqual(hosts([record(''), record('127.0.0.1'), record('a\\.b.test'), record('x.test', 0, 0, 0)]), [])
  assert.equal(hosts(Array.from({ length: 9 }, (_, at) => record(`h${at}.test`))).length, 4)
})

test('whatever the records and the chance, each target is there once and priorities never fall', () => {
  const some = fc.record({
    target: fc.integer({ min: 0, max: 99 }).map((number) => `h${number}.test`),
    priority: fc.nat(3),
    weight: fc.nat(0xffff),
    port: fc.integer({ min: 1, max: 0xffff }),
  })
  const records = fc.uniqueArray(some, { maxLength: 4, selector: (one) => one.target })
  fc.assert(
    fc.property(
      records,
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })),
      (all, chance) => {
        const ordered = orderTargets(all, () => chance.next().value)
        const found = ordered.map(({ host }) => all.find((one) => one.target === host)!)
        assert.equal(new Set(found).size, all.length)
        for (const [at, one] of found.entries()) assert.ok(at === 0 || found[at - 1]!.priority <= one.priority)
      },
    ),
  )
})
