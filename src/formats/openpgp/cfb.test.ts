import assert from 'node:assert/strict'
import { createCipheriv, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { alignedBuffer, cfbContent, cfbRoom, decryptCfb, encryptCfb } from './cfb.ts'

const sizes = fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 131_000, max: 131_200 }))

test('it is the CFB of OpenSSL, in both directions, aligned or not', () => {
  fc.assert(
    fc.property(fc.constantFrom(16, 24, 32), sizes, fc.integer({ min: 0, max: 5 }), (keySize, size, before) => {
      const [key, plain] = [randomBytes(keySize), randomBytes(size)]
      const expected = createCipheriv(`aes-${keySize * 8}-cfb`, key, Buffer.alloc(16)).update(plain)
      for (const target of [alignedBuffer(before + size, before), Buffer.alloc(before + size)]) {
        const room = cfbRoom(size)
        cfbContent(room, size).set(plain)
        encryptCfb(key, room, target.subarray(before))
        assert.ok(target.subarray(before).equals(expected))
      }
      if (size < 16) return
      const { first, rest } = decryptCfb(key, expected)
      assert.ok(Buffer.concat([first, rest]).equals(plain))
    }),
    { numRuns: 60 },
  )
})
