import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { blockSize, decodeCrockford, encodeCrockford } from './crockford.ts'

test('what was encoded is decoded, however it is typed', () => {
  const noise = fc.array(fc.constantFrom(' ', '-', '\t', '\r\n'), { maxLength: 3 })
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 64 }),
      fc.integer({ min: 1, max: 8 }),
      noise,
      (octets, group, gaps) => {
        const characters = Math.ceil((octets.length * 8) / 5)
        const block = Buffer.concat([octets, Buffer.alloc(blockSize(characters) - octets.length)])
        const code = encodeCrockford(block, characters, group).toString('latin1')
        const typed = gaps.join('') + code.toLowerCase().replaceAll('0', 'o').replaceAll('1', 'L') + gaps.join('')
        assert.deepEqual(decodeCrockford(Buffer.from(typed), characters), block)
        assert.equal(decodeCrockford(Buffer.from(`${typed}0`), characters), null)
        assert.equal(decodeCrockford(Buffer.from(code.slice(1)), characters), null)
      },
    ),
    { numRuns: 50 },
  )
})

test('anything else is null', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (typed) => {
      const block = decodeCrockford(typed, 8)
      assert.ok(block === null || block.length === 5)
    }),
    { numRuns: 100 },
  )
  assert.equal(decodeCrockford(Buffer.from('ABCDEFGU'), 8), null)
})
