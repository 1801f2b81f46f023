import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fillRandom, randomOctets } from './random.ts'

test('octets are never given out twice, across refills and beside large requests', () => {
  const seen = new Set<string>()
  for (let i = 0; i < 2000; i++) {
    if (i % 100 === 0) fillRandom(new Uint8Array(5000))
    seen.add(
      randomOctets(8 + (i % 25))
        .toString('hex')
        .slice(0, 16),
    )
  }
  assert.equal(seen.size, 2000)
})

test('exactly the target is filled', () => {
  const around = Buffer.alloc(64)
  fillRandom(around.subarray(16, 48))
  assert.deepEqual(around.subarray(0, 16), Buffer.alloc(16))
  assert.deepEqual(around.subarray(48), Buffer.alloc(16))
  assert.notDeepEqual(around.subarray(16, 48), Buffer.alloc(32))
})
