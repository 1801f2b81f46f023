import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { colonLines, type IndexEntry, indexJson } from './index-entry.ts'

const key = {
  version: 4,
  fingerprint: 'FFCAC070E7D93066FC3A054DF83DE2D03A365250',
  algorithm: 22,
  bits: 256,
  created: 1_795_347_054_000,
  expires: null,
}
const entry: IndexEntry = {
  ...key,
  revoked: false,
  userIds: ['<ann@alpha.test>'],
  subkeys: [{ ...key, algorithm: 18 }],
}

test('colon lines', () => {
  const other = { ...entry, revoked: true, expires: 1_795_347_060_500, userIds: ['Ünn: 100% <ann@alpha.test>\n'] }
  assert.deepEqual(colonLines([entry, other], 1_795_347_061_000).split('\n'), [
    'info:1:2',
    'pub:FFCAC070E7D93066FC3A054DF83DE2D03A365250:22:256:1795347054::',
    'uid:<ann@alpha.test>:::',
    'pub:FFCAC070E7D93066FC3A054DF83DE2D03A365250:22:256:1795347054:1795347060:re',
    'uid:%C3%9Cnn%3A 100%25 <ann@alpha.test>%0A:::re',
    '',
  ])
})

test('a user id never ends its line or its field, and can be read again', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (userId) => {
      const line = colonLines([{ ...entry, userIds: [userId] }], 0).split('\n')[2]!
      const fields = line.split(':')
      assert.equal(fields.length, 5)
      assert.equal(decodeURIComponent(fields[1]!), userId)
    }),
  )
})

test('JSON', () => {
  const [first] = JSON.parse(indexJson([{ ...entry, expires: 1_795_347_060_500 }]))
  assert.deepEqual(first, {
    version: 4,
    fingerprint: 'ffcac070e7d93066fc3a054df83de2d03a365250',
    algorithm: { code: 22, bitLength: 256 },
    creation: '2026-11-22T11:30:54Z',
    expiration: '2026-11-22T11:31:00Z',
    isRevoked: false,
    userIDs: [{ uidString: '<ann@alpha.test>', isRevoked: false }],
    subkeys: [
      {
        version: 4,
        fingerprint: 'ffcac070e7d93066fc3a054df83de2d03a365250',
        algorithm: { code: 18, bitLength: 256 },
        creation: '2026-11-22T11:30:54Z',
      },
    ],
  })
})
