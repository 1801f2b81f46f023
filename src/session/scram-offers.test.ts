import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LoginBrakes } from './login-brakes.ts'
import { ScramOffers } from './scram-offers.ts'

const DAY = 86_400_000

test('who failed by SCRAM is not offered it for a day, or until it worked', () => {
  const offers = new ScramOffers()
  offers.failed('192.0.2.1', 5)
  offers.failed('192.0.2.2', 5)
  const suits = (now: number) => ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((ip) => offers.suits(ip, now))
  assert.deepEqual(suits(5), [false, false, true])
  offers.worked('192.0.2.2')
  assert.deepEqual(suits(5 + DAY - 1), [false, true, true])
  assert.deepEqual(suits(5 + DAY), [true, true, true])
})

test('it remembers the last ten thousand', () => {
  const offers = new ScramOffers()
  for (let at = 0; at < 10_001; at++) offers.failed(`address ${at}`, 0)
  assert.deepEqual([offers.suits('address 0', 0), offers.suits('address 1', 0)], [true, false])
})

test('processes that share their brakes share this too; a wrong password by PLAIN does not count', async () => {
  const other = new LoginBrakes(10)
  const brakes = new LoginBrakes(10, (failed) => void other.learn(failed))
  await brakes.count({ kind: 'wrong', ip: '192.0.2.1', name: 'ann@alpha.test', byScram: 5 })
  await brakes.count({ kind: 'wrong', ip: '192.0.2.2', name: 'ann@alpha.test' })
  for (const { scramOffers } of [brakes, other])
    assert.deepEqual([scramOffers.suits('192.0.2.1', 5), scramOffers.suits('192.0.2.2', 5)], [false, true])
})
