import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeLine, encodeLine, FIRST_CHAIN, LINE_LIMIT } from './audit-line.ts'
import type { AuditEntry } from './audit-log.ts'

const key = Buffer.alloc(32, 7)

const text = fc.string({ unit: 'binary', maxLength: 400 })
const entries: fc.Arbitrary<AuditEntry> = fc.record(
  {
    seq: fc.nat(),
    at: fc.nat(),
    event: fc.constant('key.exported' as const),
    account: fc.option(fc.string()),
    address: text,
    actor: text,
    detail: fc.dictionary(text, fc.oneof(text, fc.double(), fc.boolean())),
  },
  { requiredKeys: ['seq', 'at', 'event', 'account', 'actor', 'detail'] },
)

test('whatever is recorded is one line that its key opens, and writing what was read changes nothing', () => {
  fc.assert(
    fc.property(entries, (entry) => {
      const { octets, chain } = encodeLine(entry, FIRST_CHAIN, key)
      assert.equal(octets.indexOf(10), octets.length - 1)
      assert.ok(octets.length <= LINE_LIMIT)
      const line = decodeLine(octets, key)
      assert.equal(line?.chain, chain)
      assert.ok(line.follows(FIRST_CHAIN))
      assert.ok(!line.follows(chain))
      assert.deepEqual(encodeLine(line.entry, FIRST_CHAIN, key).octets, octets)
      assert.equal(decodeLine(octets, Buffer.alloc(32, 8)), null)
    }),
    { numRuns: 40 },
  )
})

test('the longest line is one', () => {
  const long = (n: number) => `${n}${'\u{10ffff}'.repeat(400)}`
  const detail = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [long(n), long(n)]))
  const entry = { seq: 2 ** 50, at: 2 ** 50, event: 'key.exported' as const, account: 'a', actor: long(1), detail }
  const { octets } = encodeLine({ ...entry, address: long(2) }, FIRST_CHAIN, key)
  assert.ok(octets.length > 20_000 && decodeLine(octets, key))
})

test('what is no line is null', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => decodeLine(Buffer.from(octets), key) === null))
})
