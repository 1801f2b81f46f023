import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pause } from '#lib/clock.ts'
import { createFakeClock } from './fake-clock.ts'

test('what falls due is called in order, at its own time, and no more', async () => {
  const clock = createFakeClock(1000)
  const seen: [string, number][] = []
  clock.after(20, () => seen.push(['second', clock.now()]))
  clock.after(10, () => {
    seen.push(['first', clock.now()])
    clock.after(5, () => seen.push(['born on the way', clock.now()]))
  })
  clock.after(30, () => seen.push(['late', clock.now()]))
  clock.after(15, () => seen.push(['cancelled', clock.now()]))[Symbol.dispose]()
  await clock.advance(25)
  assert.deepEqual(seen, [
    ['first', 1010],
    ['born on the way', 1015],
    ['second', 1020],
  ])
  assert.equal(clock.now(), 1025)
  assert.equal(clock.waiting, 1)
})

test('a pause of hours ends when the clock gets there', async () => {
  const clock = createFakeClock()
  let over = false
  const waiting = pause(clock, 3_600_000).then(() => {
    over = true
  })
  await clock.advance(3_599_999)
  assert.equal(over, false)
  await clock.advance(1)
  await waiting
})
