import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { countLines, countLinesOfAll } from './lines.ts'

const octets = fc
  .array(fc.constantFrom(0, 9, 10, 11, 13, 0x8a, 0x0a, 255), { maxLength: 100 })
  .map((all) => Buffer.from(all))

test('counts the line feeds of any range at any alignment', () => {
  fc.assert(
    fc.property(octets, fc.nat(100), fc.nat(100), (bytes, a, b) => {
      const start = Math.min(a, b, bytes.length)
      const end = Math.min(Math.max(a, b), bytes.length)
      const expected = bytes.subarray(start, end).filter((octet) => octet === 10).length
      assert.equal(countLines(bytes, { start, end }), expected)
      assert.deepEqual(
        countLinesOfAll(bytes, [
          { start: 0, end },
          { start, end },
          { start, end: start },
        ]),
        [bytes.subarray(0, end).filter((octet) => octet === 10).length, expected, 0],
      )
    }),
  )
})
