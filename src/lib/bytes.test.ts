import assert from 'node:assert/strict'
import { test } from 'node:test'
import { release } from './bytes.ts'

test('what is released is wiped, and its memory is gone where nobody else has a part in it', () => {
  const own = Buffer.from(new ArrayBuffer(50_000)).fill(7)
  release(own)
  assert.equal(own.length, 0)
  const shared = new ArrayBuffer(100_000)
  const [part, rest] = [Buffer.from(shared, 0, 40_000).fill(7), Buffer.from(shared, 40_000).fill(8)]
  release(part)
  assert.deepEqual([part.length, part.every((octet) => octet === 0), rest[0]], [40_000, true, 8])
  const pooled = Buffer.from('pooled')
  release(pooled)
  assert.deepEqual(pooled, Buffer.alloc(6))
})
