import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { Busy, WorkGate } from './work-gate.ts'

test('two run, three wait in order, the rest is refused, and failures free their place', async () => {
  const gate = new WorkGate(2, 3)
  const finish: ((value: 'well' | Error) => void)[] = []
  const started: number[] = []
  const work = (index: number) =>
    gate.run(async () => {
      started.push(index)
      const outcome = await new Promise<'well' | Error>((resolve) => {
        finish[index] = resolve
      })
      if (outcome instanceof Error) throw outcome
      return index
    })
  const all = [0, 1, 2, 3, 4].map(work)
  await assert.rejects(work(5), Busy)
  assert.deepEqual(started, [0, 1])
  finish[1]!(new Error('failed'))
  await assert.rejects(all[1]!, /failed/)
  await setImmediate()
  assert.deepEqual(started, [0, 1, 2])
  for (const index of [0, 2, 3, 4]) {
    finish[index]!('well')
    assert.equal(await all[index], index)
    await setImmediate()
  }
  assert.deepEqual(started, [0, 1, 2, 3, 4])
  const last = work(6)
  finish[6]!('well')
  assert.equal(await last, 6)
})
