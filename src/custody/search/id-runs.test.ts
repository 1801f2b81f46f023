import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { IdRuns } from './id-runs.ts'

const MOST = 40
const id = fc.integer({ min: 1, max: MOST })
const step = fc.record({ adds: fc.boolean(), first: id, more: fc.nat(8) })

test('runs are a set of numbers', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), id, (steps, top) => {
      const runs = new IdRuns()
      const model = new Set<number>()
      for (const { adds, first, more } of steps) {
        if (adds) runs.add(first, first + more)
        else runs.remove(first, first + more)
        for (let one = first; one <= first + more; one++) adds ? model.add(one) : model.delete(one)
      }
      for (let one = 1; one <= MOST + 8; one++) assert.equal(runs.has(one), model.has(one))
      assert.deepEqual(new IdRuns(runs.runs).runs, runs.runs)
      const gap = runs.gapBelow(top)
      const lacking = Array.from({ length: top }, (_, index) => top - index).filter((one) => !model.has(one))
      assert.equal(gap?.last, lacking[0])
      if (gap) assert.ok(gap.first === 1 || model.has(gap.first - 1))
      if (gap) for (let one = gap.first; one <= gap.last; one++) assert.ok(!model.has(one))
    }),
  )
})
