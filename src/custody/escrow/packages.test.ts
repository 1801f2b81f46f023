import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeTable, type SlotTable } from '#custody/vault/protocol/slot-table.ts'
import { EscrowRefused } from './escrow.ts'
import { checkTicket, decodeGrant, decodeRequest, encodeGrant, encodeRequest, MalformedPackage } from './packages.ts'

const table: SlotTable = {
  account: 'a1',
  sequence: 3,
  generation: 1,
  digest: Buffer.alloc(32, 1),
  current: 'F',
  endToEnd: null,
  slots: [],
  earlier: [],
  parked: [],
  openings: [],
  mac: Buffer.alloc(32, 2),
}
const octets = encodeTable(table)
const common = { account: 'a1', address: 'ada@alpha.test', ticket: 'court order 7/2026', octets }
const request = { ...common, at: 5, consent: { version: 'abc 2026', at: 4 } }

test('what was written is read', () => {
  assert.deepEqual(decodeRequest(encodeRequest(request)), { ...request, table })
  assert.deepEqual(decodeGrant(encodeGrant(common)), { ...common, table })
})

test('damage is found wherever it is', () => {
  const whole = encodeRequest(request)
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= change
      assert.throws(() => decodeRequest(damaged), MalformedPackage)
    }),
    { numRuns: 100 },
  )
  for (const size of [0, 1, whole.length - 1]) {
    assert.throws(() => decodeRequest(whole.subarray(0, size)), MalformedPackage)
  }
})

test('another file, and one with other fields, is refused', () => {
  assert.throws(() => decodeGrant(encodeRequest(request)), /not an escrow grant/)
  assert.throws(() => decodeRequest(encodeGrant(common)), /not an escrow request/)
  const lineOf = (change: object) => {
    const line = JSON.stringify({ ...JSON.parse(String(encodeRequest(request)).split('\n')[0]!), ...change })
    return Buffer.from(`${line}\n${hash('sha256', line)}\n`)
  }
  assert.doesNotThrow(() => decodeRequest(lineOf({})))
  const others = [{ account: 'b' }, { table: 'x' }, { ticket: 'a\nb' }, { address: 1 }, { at: -1 }, { consent: null }]
  for (const change of others) assert.throws(() => decodeRequest(lineOf(change)), MalformedPackage)
})

test('never throws anything else', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), fc.json().map(Buffer.from), fc.constant(Buffer.from('null\n'))), (file) => {
      assert.throws(() => decodeGrant(file), MalformedPackage)
    }),
    { numRuns: 100 },
  )
})

test('a ticket is one line that says something', () => {
  checkTicket('court order 7/2026 (Münster)')
  for (const ticket of ['', '  ', 'x'.repeat(201), 'a\nb', 'a\u202eb'])
    assert.throws(() => checkTicket(ticket), EscrowRefused)
})
