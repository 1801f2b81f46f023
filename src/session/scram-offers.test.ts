import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { ScramOffers } from './scram-offers.ts'

const DAY = 86_400_000

test('who failed by SCRAM is not offered it for a day, or until it worked', () => {
  const clock = createFakeClock(5)
  const offers = new ScramOffers(() => clock.now())
  offers.failed('192.0.2.1')
  offers.failed('192.0.2.2')
  assert.deepEqual(
    ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((ip) => offers.suits(ip)),
    [false, false, true],
  )
  offers.worked('192.0.2.2')
  assert.equal(offers.suits('192.0.2.2'), true)
  clock.set(5 + DAY - 1)
  assert.equal(offers.suits('192.0.2.1'), false)
  clock.set(5 + DAY)
  assert.equal(offers.suits('192.0.2.1'), true)
})

test('it remembers the last ten thousand', () => {
  const offers = new ScramOffers(() => 0)
  for (let at = 0; at < 10_001; at++) offers.failed(`address ${at}`)
  assert.deepEqual([offers.suits('address 0'), offers.suits('address 1')], [true, false])
})
