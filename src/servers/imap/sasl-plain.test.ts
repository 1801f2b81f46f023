import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ImapError } from './imap-error.ts'
import { parsePlain } from './sasl-plain.ts'

test('what was put in comes out, and the message is wiped', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ' ', 'ü', '€', '😀', '\x7f'), maxLength: 20 })
  fc.assert(
    fc.property(text, text, text, (authorization, user, password) => {
      const message = Buffer.from([authorization, user, password].join('\0'))
      const parsed = parsePlain(message)
      assert.deepEqual(parsed, { authorization, user, password: Buffer.from(password) })
      assert.ok(message.every((octet) => octet === 0))
    }),
  )
})

test('anything else is refused and wiped', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), (octets) => {
      const message = Buffer.from(octets)
      const separators = octets.filter((octet) => octet === 0).length
      if (separators === 2) return
      assert.throws(() => parsePlain(message), ImapError)
      assert.ok(message.every((octet) => octet === 0))
    }),
  )
})
