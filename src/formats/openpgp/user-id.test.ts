import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatAddress } from '#formats/message/address.ts'
import { addressInUserId } from './user-id.ts'

const ann = { local: 'ann', domain: 'alpha.test' }

test('the one address of a user id', () => {
  for (const userId of ['ann@alpha.test', '<ann@alpha.test>', 'Ann (work) <ann@alpha.test>', 'Ann <ann@alpha.test> ']) {
    assert.deepEqual(addressInUserId(userId), ann, userId)
  }
})

test('none, or not clear which', () => {
  const unclear = [
    '',
    'Ann',
    'Ann <>',
    '<a@x.test> <ann@alpha.test>',
    '<a@x.test> ann@alpha.test',
    '<<ann@alpha.test>>',
  ]
  for (const userId of [...unclear, 'ann@alpha.test>', 'Ann <ann@alpha.test> (old)', 'a@x.test, ann@alpha.test']) {
    assert.equal(addressInUserId(userId), null, userId)
  }
})

const anything = fc.uint8Array({ maxLength: 80 }).map((octets) => Buffer.from(octets).toString('utf8'))
const likely = fc.string({ unit: fc.constantFrom(...'ab.@<> "'), maxLength: 20 })

test('an address that is found can be written into another one', () => {
  fc.assert(
    fc.property(fc.oneof(anything, likely), (userId) => {
      const found = addressInUserId(userId)
      if (found && !/[<>]/.test(formatAddress(found)))
        assert.deepEqual(addressInUserId(`Ann <${formatAddress(found)}>`), found)
    }),
  )
})
