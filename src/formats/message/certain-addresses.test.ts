import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatAddress } from './address.ts'
import { certainAddresses } from './certain-addresses.ts'

const read = (value: string) => certainAddresses(Buffer.from(value).toString('latin1'))?.map(formatAddress) ?? null

test('addresses that everybody reads in the same way', () => {
  assert.deepEqual(read('ada@alpha.test'), ['ada@alpha.test'])
  assert.deepEqual(read('Ada <ada@Alpha.test>'), ['ada@alpha.test'])
  assert.deepEqual(read('"eve@evil.test" <ada@alpha.test>'), ['ada@alpha.test'])
  assert.deepEqual(read('Jürgen <jürgen@bücher.test> (eve@evil.test)'), ['jürgen@bücher.test'])
  assert.deepEqual(read('"Ada" <ada@alpha.test>, bob@beta.test'), ['ada@alpha.test', 'bob@beta.test'])
})

test('what could name somebody else to another reader names nobody', () => {
  for (const value of [
    '',
    'Ada',
    '<>',
    'eve@evil.test <ada@alpha.test>',
    '<ada@alpha.test> <eve@evil.test>',
    'ada@alpha.test eve@evil.test',
    'friends: ada@alpha.test;',
    'ada@alpha.test, nobody',
    'ada@',
    Array.from({ length: 21 }, (_, index) => `a${index}@alpha.test`).join(),
  ]) {
    assert.equal(read(value), null, value)
  }
})

test('whatever the value is, there is an answer', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      assert.notDeepEqual(certainAddresses(value), [])
    }),
  )
})
