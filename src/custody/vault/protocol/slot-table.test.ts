import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeTable, encodeTable, type SlotTable, TABLE_OCTETS_MAX } from './slot-table.ts'
import { MalformedTable } from './table-fields.ts'

const octets = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array))
const word = fc.stringMatching(/^[A-Za-z0-9]{1,16}$/)
const count = fc.nat()
const plain = { noNullPrototype: true }

const kdf = fc.oneof(
  fc.record({ kind: fc.constant('hkdf' as const), salt: octets(16) }, plain),
  fc.record(
    {
      kind: fc.constant('argon2id' as const),
      memory: fc.integer({ min: 8, max: 1 << 18 }),
      passes: fc.integer({ min: 1, max: 16 }),
      salt: octets(16),
    },
    plain,
  ),
  fc.record({ kind: fc.constant('openpgp' as const), fingerprint: word }, plain),
)
const text = fc.oneof(fc.constant('Telefon 📱 "blau"'), word)
const earlier = fc.array(fc.record({ generation: count, digest: octets(32), wrapped: octets(60) }, plain), {
  maxLength: 3,
})
const scram = fc.record(
  {
    salt: octets(16),
    iterations: fc.integer({ min: 4096, max: 1_000_000 }),
    storedKey: octets(32),
    serverKey: octets(32),
    publicKey: fc.oneof(octets(32), octets(0)),
    wrapped: fc.oneof(octets(92), octets(0)),
  },
  plain,
)
const slots = fc.array(
  fc.record(
    {
      id: word,
      type: fc.constantFrom(...(['password', 'passphrase', 'recovery', 'app', 'passkey', 'escrow'] as const)),
      scope: fc.constantFrom('', 'imap', 'imap,smtp,sign'),
      label: fc.oneof(text, fc.constant('')),
      created: count,
      expires: fc.option(count),
      sequence: count,
      born: count,
      kdf,
      verifier: fc.oneof(octets(32), octets(0)),
      publicKey: fc.oneof(octets(32), octets(0)),
      wrapped: fc.oneof(octets(60), octets(92), octets(0), octets(500)),
      scram: fc.option(scram),
    },
    plain,
  ),
  { maxLength: 6 },
)
const tables: fc.Arbitrary<SlotTable> = fc.record(
  {
    account: word,
    sequence: count,
    generation: count,
    digest: octets(32),
    current: fc.oneof(word, fc.constant('')),
    endToEnd: fc.option(
      fc.record(
        {
          fingerprint: word,
          custody: fc.constantFrom('held' as const, 'device' as const),
          certificateHash: octets(32),
        },
        plain,
      ),
    ),
    slots,
    earlier,
    parked: fc.array(fc.record({ generation: count, digest: octets(32), slots, earlier }, plain), { maxLength: 3 }),
    openings: fc.array(fc.record({ at: count, ticket: text, master: word }, plain), { maxLength: 2 }),
    mac: octets(32),
  },
  plain,
)

test('a table is read as it was written', () => {
  fc.assert(fc.property(tables, (table) => assert.deepEqual(decodeTable(encodeTable(table)), table)))
})

test('damage is noticed wherever it is', () => {
  fc.assert(
    fc.property(tables, fc.nat(), fc.integer({ min: 1, max: 255 }), (table, at, change) => {
      const encoded = encodeTable(table)
      encoded[at % encoded.length]! ^= change
      assert.throws(() => decodeTable(encoded), MalformedTable)
      assert.throws(() => decodeTable(encoded.subarray(0, at % encoded.length)), MalformedTable)
    }),
  )
})

test('what nobody writes is refused by name, though its checksum is right', () => {
  const [table] = fc.sample(tables, { seed: 1, numRuns: 1 })
  const slot = fc.sample(slots, { seed: 3, numRuns: 30 }).find((some) => some.length > 0)![0]!
  const good = JSON.parse(
    encodeTable({ ...table!, slots: [slot], parked: [] })
      .toString()
      .split('\n')[0]!,
  )
  const checked = (fields: object) => {
    const line = JSON.stringify(fields)
    return Buffer.from(`${line}\n${hash('sha256', line)}\n`)
  }
  assert.ok(decodeTable(checked(good)))
  const [one] = good.slots
  const salt = Buffer.alloc(16).toString('base64')
  const lock = { salt, iterations: 4096, storedKey: good.mac, serverKey: good.mac, publicKey: good.mac, wrapped: '' }
  assert.ok(decodeTable(checked({ ...good, slots: [{ ...one, scram: lock }] })))
  const argon2 = {
    kind: 'argon2id',
    memory: 65536,
    passes: 3,
    parallelism: 1,
    salt: Buffer.alloc(16).toString('base64'),
  }
  const wrong: readonly object[] = [
    { ...good, format: 'letterlock keyslots 2' },
    { ...good, account: '../other' },
    { ...good, sequence: -1 },
    { ...good, sequence: '1' },
    { ...good, mac: 'short' },
    { ...good, slots: Array(257).fill(one) },
    { ...good, parked: [{ ...good, slots: Array(256).fill(one) }] },
    { ...good, slots: [{ ...one, type: 'other' }] },
    { ...good, slots: [{ ...one, verifier: good.mac.slice(4) }] },
    { ...good, slots: [{ ...one, label: 'two\nlines' }] },
    { ...good, slots: [{ ...one, label: 'x'.repeat(65) }] },
    { ...good, slots: [{ ...one, expires: -1 }] },
    { ...good, slots: [{ ...one, scram: { ...lock, iterations: 4095 } }] },
    { ...good, slots: [{ ...one, scram: { ...lock, iterations: 1_000_001 } }] },
    { ...good, slots: [{ ...one, scram: { ...lock, storedKey: '' } }] },
    { ...good, slots: [{ ...one, scram: { ...lock, wrapped: good.mac } }] },
    { ...good, slots: [{ ...one, scram: null }] },
    { ...good, endToEnd: { fingerprint: 'F', custody: 'other', certificateHash: good.mac } },
    {
      ...good,
      earlier: Array(61).fill({ generation: 1, digest: good.mac, wrapped: Buffer.alloc(60).toString('base64') }),
    },
    { ...good, slots: null },
    { ...good, slots: [[]] },
    { ...good, slots: [{ ...one, kdf: { ...argon2, memory: 1 << 30 } }] },
    { ...good, slots: [{ ...one, kdf: { ...argon2, passes: 1000 } }] },
    { ...good, slots: [{ ...one, kdf: { ...argon2, parallelism: 64 } }] },
    { ...good, slots: [{ ...one, kdf: { ...argon2, kind: 'none' } }] },
  ]
  for (const fields of wrong) assert.throws(() => decodeTable(checked(fields)), MalformedTable)
  assert.throws(() => decodeTable(Buffer.from('[[[[')), MalformedTable)
  assert.throws(() => decodeTable(checked([])), MalformedTable)
  assert.throws(() => decodeTable(Buffer.alloc(TABLE_OCTETS_MAX + 1, 0x20)), MalformedTable)
})
