import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { canPad, readStored, storedSize, writeStored } from './stored.ts'

function stored(head: Buffer, content: Buffer, gap: number): Buffer {
  const target = Buffer.alloc(storedSize(head.length + content.length) + gap, 0xee)
  writeStored(target, [head, content])
  return target
}

test('zlib and we read the same octets, however much padding there is', () => {
  const sizes = fc.oneof(
    fc.integer({ min: 0, max: 300 }),
    fc.integer({ min: 65_500, max: 65_560 }),
    fc.constant(140_000),
  )
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 20 }), sizes, fc.integer({ min: 0, max: 400 }), (head, size, gap) => {
      fc.pre(canPad(gap))
      const [first, content] = [Buffer.alloc(head, 7), Buffer.alloc(size, 7)]
      const stream = stored(first, content, gap)
      const whole = Buffer.concat([first, content])
      assert.ok(inflateRawSync(stream).equals(whole))
      const read = readStored(stream)!
      assert.ok(read.equals(whole))
      // Nothing of it is there a second time.
      read.fill(0)
      assert.ok(!stream.includes(Buffer.of(7, 7, 7)))
    }),
    { numRuns: 200 },
  )
})

test('every gap of 29 octets and more can be filled', () => {
  const impossible = Array.from({ length: 1000 }, (_, gap) => gap).filter((gap) => !canPad(gap))
  assert.ok(Math.max(...impossible) < 29, String(impossible))
  assert.ok(!canPad(-5))
})

test('what we would not have written is left to zlib, and never read beyond its end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (octets) => {
      const found = readStored(Buffer.from(octets))
      if (found) assert.deepEqual(found, inflateRawSync(octets))
    }),
    { numRuns: 2000 },
  )
  assert.equal(readStored(Buffer.of(0, 5, 0, 0xfa, 0xff, 1, 2)), null)
})
