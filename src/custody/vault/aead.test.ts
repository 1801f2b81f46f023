import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { openOctets, SealBroken, sealOctets } from './aead.ts'
import { label } from './key-derivation.ts'

const key = Buffer.alloc(32, 1)

test('what is sealed opens with its key and context, and with nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), fc.nat(), (clear, context, at) => {
      const sealed = sealOctets(key, clear, context)
      assert.deepEqual(openOctets(key, sealed, context), Buffer.from(clear))
      assert.throws(() => openOctets(Buffer.alloc(32, 2), sealed, context), SealBroken)
      assert.throws(() => openOctets(key, sealed, Buffer.concat([context, Buffer.of(0)])), SealBroken)
      assert.throws(() => openOctets(key, sealed.subarray(0, at % sealed.length), context), SealBroken)
      sealed[at % sealed.length]! ^= 1
      assert.throws(() => openOctets(key, sealed, context), SealBroken)
    }),
  )
})

test('labels of different fields are different', () => {
  const fields = fc.array(fc.oneof(fc.string(), fc.nat().map(String)), { maxLength: 4 })
  fc.assert(
    fc.property(fields, fields, (one, two) => {
      assert.equal(label(...one).equals(label(...two)), JSON.stringify(one) === JSON.stringify(two))
    }),
  )
  assert.notDeepEqual(label('ab', 'c'), label('a', 'bc'))
})
