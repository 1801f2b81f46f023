import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodePage, encodePage } from './index-pages.ts'
import { IndexRecords } from './index-records.ts'

const entries = fc.uniqueArray(
  fc.record({
    content: fc.integer({ min: 1, max: 2 ** 48 - 1 }),
    entry: fc.uint8Array({ maxLength: 600 }),
    isSettled: fc.boolean(),
  }),
  { selector: ({ content }) => content, maxLength: 64 },
)
const plain = (all: Iterable<{ content: number; entry: Uint8Array; isSettled: boolean }>) =>
  [...all].map(({ content, entry, isSettled }) => ({ content, entry: [...entry], isSettled }))

test('a page holds the entries that were put into it, and its size says little of theirs', () => {
  fc.assert(
    fc.property(entries, (given) => {
      const page = encodePage(given)
      assert.equal(page.byteLength % 512, 0)
      assert.deepEqual(plain(decodePage(page)!.values()), plain(given))
    }),
  )
})

test('anything at all is a page or none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), (octets) => {
      const page = decodePage(octets)
      for (const { entry } of page?.values() ?? []) assert.ok(entry.byteLength <= octets.byteLength)
    }),
  )
})

test('a page opens under its own number and key, unchanged; nowhere else', () => {
  using records = new IndexRecords('alice', Buffer.alloc(32, 1))
  using others = new IndexRecords('alice', Buffer.alloc(32, 2))
  using foreign = new IndexRecords('bob', Buffer.alloc(32, 1))
  using rotated = new IndexRecords('alice', Buffer.alloc(32, 3), [Buffer.alloc(32, 1)])
  fc.assert(
    fc.property(entries, fc.nat(), (given, at) => {
      const octets = records.sealPage(7, encodePage(given))
      const opened = records.openPage(7, octets)
      assert.ok(typeof opened !== 'string' && !opened.isOld)
      assert.deepEqual(plain(opened.entries.values()), plain(given))
      const renewed = rotated.openPage(7, octets)
      assert.ok(typeof renewed !== 'string' && renewed.isOld)
      assert.equal(others.openPage(7, octets), 'damaged')
      assert.equal(foreign.openPage(7, octets), 'damaged')
      assert.equal(records.openPage(8, octets), 'damaged')
      assert.equal(records.openPage(7, octets.subarray(0, at % octets.length)), 'damaged')
      const changed = Buffer.from(octets)
      changed[at % octets.length]! ^= 0x10
      assert.equal(records.openPage(7, changed), at % octets.length === 0 ? 'newer' : 'damaged')
    }),
  )
})
