import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { IndexRecords } from './index-records.ts'
import { decodeEntry, encodeEntry } from './summary-entry.ts'

const octets = fc.uint8Array({ maxLength: 2000 })
const sessionKey = fc.uint8Array({ minLength: 1, maxLength: 33 })

test('an entry of ordinary mail is one octet, the session key after its length, and the summary', () => {
  const entry = encodeEntry({ sessionKey: Buffer.of(9, 8, 7), summary: Buffer.from('summary') })
  assert.deepEqual(entry, Buffer.from('\x01\x03\x09\x08\x07summary', 'latin1'))
})

test('entries come back as they were encoded, and anything else is no entry', () => {
  fc.assert(
    fc.property(sessionKey, octets, (key, summary) => {
      const entry = decodeEntry(encodeEntry({ sessionKey: key, summary }))!
      assert.deepEqual([...entry.sessionKey, -1, ...entry.summary], [...key, -1, ...summary])
      assert.deepEqual([entry.protection, entry.kept], [null, null])
    }),
  )
  fc.assert(
    fc.property(sessionKey, octets, octets, fc.option(octets), (key, summary, protection, kept) => {
      const entry = decodeEntry(encodeEntry({ sessionKey: key, summary, protection, kept }))!
      const plain = (one: Uint8Array | null) => one && [...one]
      assert.deepEqual(plain(entry.sessionKey), plain(key))
      assert.deepEqual([entry.summary, entry.protection, entry.kept].map(plain), [
        plain(summary),
        plain(protection),
        kept?.length ? plain(kept) : null,
      ])
    }),
  )
  fc.assert(
    fc.property(fc.constantFrom(0, 1, 2), octets, (version, rest) => {
      const entry = decodeEntry(Buffer.concat([Buffer.of(version), rest]))
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
