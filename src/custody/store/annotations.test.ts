import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeAnnotations, encodeAnnotations } from './annotations.ts'

const annotations = fc
  .array(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 20 }), fc.uint8Array({ maxLength: 40 })), { maxLength: 6 })
  .map((pairs) => new Map(pairs.map(([name, value]) => [name, Buffer.from(value)])))

test('annotations come back as they were', () => {
  fc.assert(fc.property(annotations, (given) => assert.deepEqual(decodeAnnotations(encodeAnnotations(given)), given)))
})

test('any octets are annotations or none', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (octets) => decodeAnnotations(octets) instanceof Map))
  const cut = encodeAnnotations(new Map([['/private/comment', Buffer.from('x')]])).subarray(0, -1)
  assert.equal(decodeAnnotations(cut).size, 0)
})
