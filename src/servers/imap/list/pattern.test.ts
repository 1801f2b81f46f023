import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { listPattern } from './pattern.ts'

const matching = (pattern: string, names: readonly string[], reference = '') =>
  names.filter(listPattern(reference, pattern))

test('wildcards of RFC 3501 §6.3.8', () => {
  const names = ['INBOX', 'INBOX/a', 'Lists', 'Lists/imap', 'Lists/imap/old', 'List']
  assert.deepEqual(matching('*', names), names)
  assert.deepEqual(matching('%', names), ['INBOX', 'Lists', 'List'])
  assert.deepEqual(matching('%/%', names), ['INBOX/a', 'Lists/imap'])
  assert.deepEqual(matching('INBOX', names), ['INBOX'])
  assert.deepEqual(matching('INBOX/%', names), ['INBOX/a'])
  assert.deepEqual(matching('L%s*d', names), ['Lists/imap/old'])
  assert.deepEqual(matching('imap*', names, 'Lists/'), ['Lists/imap', 'Lists/imap/old'])
  assert.deepEqual(matching('Lists', names), ['Lists'])
  assert.deepEqual(matching('lists', names), [])
})

test('INBOX has no case', () => {
  const names = ['INBOX', 'INBOX/a', 'inbound', 'INBOUND', 'x/INBOX']
  assert.deepEqual(matching('inbox*', names), ['INBOX', 'INBOX/a'])
  assert.deepEqual(matching('inb%', names), ['INBOX', 'inbound'])
  assert.deepEqual(matching('*box', names), ['INBOX'])
  assert.deepEqual(matching('ox', names, 'InB'), ['INBOX'])
  assert.deepEqual(matching('%', names, 'inbox/'), ['INBOX/a'])
})

test('a pattern made to take long is refused or quick', () => {
  assert.throws(() => listPattern('', '*a'.repeat(21)), /too long/)
  assert.throws(() => listPattern('', 'a'.repeat(1001)), /too long/)
  assert.equal(listPattern('', `${'*a'.repeat(20)}`)(`${'a'.repeat(900)}b`), false)
})

test('says what a regular expression says', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 12 })
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '%'), maxLength: 8 })
  fc.assert(
    fc.property(pattern, text, (given, name) => {
      const expression = new RegExp(`^${given.replaceAll('*', '.*').replaceAll('%', '[^/]*')}$`)
      assert.equal(listPattern('', given)(name), expression.test(name))
    }),
  )
})
