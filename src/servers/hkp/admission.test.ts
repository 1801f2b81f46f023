import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { Admission } from './admission.ts'
import { defaultHkpLimits } from './limits.ts'

test('a network has its connections and gives them back', () => {
  const limits = { ...defaultHkpLimits, connections: 3, connectionsPerAddress: 2 }
  const admission = new Admission(limits, createFakeClock())
  const first = admission.enter('2001:db8::1')
  assert.ok(first && admission.enter('2001:db8::2'))
  assert.equal(admission.enter('2001:db8::3'), null, 'the same /64')
  assert.ok(admission.enter('192.0.2.1'))
  assert.equal(admission.enter('192.0.2.2'), null, 'full')
  admission.leave(first)
  assert.equal(admission.open, 2)
  assert.ok(admission.enter('192.0.2.2'))
})

test('lookups are counted by the minute, also when the clock is set back', async () => {
  const clock = createFakeClock()
  const admission = new Admission({ ...defaultHkpLimits, lookups: 2 }, clock)
  assert.deepEqual(
    [1, 2, 3].map(() => admission.lookup('a')),
    [0, 0, 60],
  )
  assert.equal(admission.lookup('b'), 0)
  await clock.advance(59_500)
  assert.equal(admission.lookup('a'), 1)
  await clock.advance(500)
  assert.equal(admission.lookup('a'), 0)
  clock.set(0)
  assert.equal(admission.lookup('a'), 0)
})

test('a crowd of addresses is counted together', () => {
  const admission = new Admission({ ...defaultHkpLimits, lookups: 2 }, createFakeClock())
  assert.equal(admission.lookup('known'), 0)
  for (let i = 0; i < 50_005; i++) admission.lookup(`n${i}`)
  assert.equal(admission.lookup('known'), 0)
  assert.ok(admission.lookup('new') > 0, 'others have used up what there is for those beyond the count')
})
