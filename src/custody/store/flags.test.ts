import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { applyFlags, decodeFlags, encodeFlags, KEYWORD_LENGTH, KEYWORDS_PER_MESSAGE } from './flags.ts'
import { MailboxRefused, TooManyFlags } from './mail-store.ts'

const flag = fc.constantFrom('\\Seen', '\\Answered', '\\Flagged', '\\Deleted', '\\Draft', '$Junk', 'a', 'B', 'c')
const flags = fc.uniqueArray(flag)
const sorted = (given: readonly string[]) => [...given].sort()

test('flags come back as they were given', () => {
  fc.assert(fc.property(flags, (given) => assert.deepEqual(sorted(decodeFlags(encodeFlags(given))), sorted(given))))
})

test('adding and removing are what they are on sets', () => {
  fc.assert(
    fc.property(flags, flags, (before, given) => {
      const [a, b] = [encodeFlags(before), encodeFlags(given)]
      const added = new Set([...before, ...given])
      assert.deepEqual(sorted(decodeFlags(applyFlags(a, 'add', b))), sorted([...added]))
      const left = before.filter((one) => !given.includes(one))
      assert.deepEqual(sorted(decodeFlags(applyFlags(a, 'remove', b))), sorted(left))
      assert.deepEqual(applyFlags(a, 'replace', b), b)
    }),
  )
})

test('what cannot be kept is refused: too many, too long, with blanks or controls', () => {
  const many = Array.from({ length: KEYWORDS_PER_MESSAGE + 1 }, (_, i) => `k${i}`)
  for (const given of [many, ['x'.repeat(KEYWORD_LENGTH + 1)]]) assert.throws(() => encodeFlags(given), TooManyFlags)
  for (const given of [['a b'], ['a\r\n'], [''], ['\u007f']]) assert.throws(() => encodeFlags(given), MailboxRefused)
  assert.deepEqual(decodeFlags(encodeFlags(['\\Recent', '\\Strange'])), [])
})
