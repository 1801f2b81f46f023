import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hasOnlyCrlf } from './queue-content.ts'

test('a lone CR or LF is found wherever it is', () => {
  const pieces = fc.array(fc.constantFrom('\r', '\n', '\r\n', 'a', '.', '\n.\n', '\r\n.\r\n'), { maxLength: 12 })
  fc.assert(
    fc.property(pieces, (parts) => {
      const text = parts.join('')
      assert.equal(hasOnlyCrlf(Buffer.from(text)), !/[\r\n]/.test(text.replaceAll('\r\n', '')))
    }),
  )
})
