import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { Settling } from './settling.ts'

test('what much work left behind is collected once, when no more comes', async () => {
  const clock = createFakeClock(0)
  let collected = 0
  const settling = new Settling(clock, () => {
    collected++
  })
  const work = (times: number) => {
    for (let time = 0; time < times; time++) settling.worked()
  }
  work(199)
  await clock.advance(10_000)
  assert.equal(collected, 0, 'little work')
  work(1)
  await clock.advance(1500)
  work(1)
  await clock.advance(1500)
  assert.equal(collected, 0, 'work goes on')
  await clock.advance(10_000)
  assert.equal(collected, 1)
  await clock.advance(10_000)
  assert.equal(collected, 1)
})
