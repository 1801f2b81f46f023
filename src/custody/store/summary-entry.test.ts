import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { IndexRecords } from './index-records.ts'
import { decodeEntry, encodeEntry } from './summary-entry.ts'

const octets = fc.uint8Array({ maxLength: 2000 })
const sessionKey = fc.uint8Array({ minLength: 1, maxLength: 33 })

test('entries come back as they were encoded, and anything else is no entry', () => {
  fc.assert(
    fc.property(sessionKey, octets, (key, summary) => {
      const entry = decodeEntry(encodeEntry({ sessionKey: key, summary }))!
      assert.deepEqual([...entry.sessionKey, -1, ...entry.summary], [...key, -1, ...summary])
    }),
  )
  fc.assert(
    fc.property(octets, (any) => {
      const entry = decodeEntry(any)
      assert.ok(entry === null || entry.sessionKey.length > 0)
    }),
  )
})

test('a record opens in its own place, under its own key, unchanged; nowhere else', () => {
  using records = new IndexRecords('alice', Buffer.alloc(32, 1))
  using others = new IndexRecords('alice', Buffer.alloc(32, 2))
  using foreign = new IndexRecords('bob', Buffer.alloc(32, 1))
  const place = { mailbox: 3, uid: 7 }
  fc.assert(
    fc.property(octets, fc.nat(), (entry, at) => {
      const record = records.seal(place, entry)
      assert.deepEqual([...records.open(place, record)!.entry], [...entry])
      assert.equal(others.open(place, record), null)
      assert.equal(foreign.open(place, record), null)
      assert.equal(records.open({ ...place, uid: 8 }, record), null)
      assert.equal(records.open({ ...place, mailbox: 4 }, record), null)
      assert.equal(records.open(place, record.subarray(0, at % record.length)), null)
      const changed = Buffer.from(record)
      changed[at % record.length]! ^= 0x10
      assert.equal(records.open(place, changed), null)
    }),
  )
})
