import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeProtection, encodeProtection, type Protection, type SignatureVerdict } from './protection.ts'

const NAMED = { noNullPrototype: true } as const
const time = fc.maxSafeInteger()
const fingerprint = fc
  .tuple(fc.constantFrom(20, 32), fc.uint8Array({ minLength: 32, maxLength: 32 }))
  .map(([size, octets]) => Buffer.from(octets).subarray(0, size).toString('hex').toUpperCase())
const why = fc.string({ maxLength: 300 })
const verdict: fc.Arbitrary<SignatureVerdict> = fc.oneof(
  fc.constant({ kind: 'none' } as const),
  fc.record(
    {
      kind: fc.constant('good' as const),
      fingerprint,
      evidence: fc.constantFrom('local', 'secure-srv', 'openpgpkey', 'wkd', 'accepted'),
      isCurrent: fc.boolean(),
      signed: time,
    },
    NAMED,
  ),
  fc.record({ kind: fc.constantFrom('bad', 'unknown', 'unchecked'), why }, NAMED),
)
const protection: fc.Arbitrary<Protection> = fc.record(
  {
    encryption: fc.constantFrom('none', 'opened', 'closed', 'damaged'),
    signature: verdict,
    author: fc.option(fc.emailAddress()),
    at: time,
  },
  NAMED,
)

test('what is kept comes back as it was', () => {
  fc.assert(fc.property(protection, (one) => assert.deepEqual(decodeProtection(encodeProtection(one)), one)))
})

test('anything else is null', () => {
  const packed = [1, 'opened', 'ada@alpha.test', 5, 'good', 'A'.repeat(40), 'wkd', true, 4]
  const decode = (value: unknown) => decodeProtection(Buffer.from(JSON.stringify(value)))
  assert.ok(decode(packed))
  const others = packed.flatMap((_, index) =>
    [null, 2, 'other', 1.5, { __proto__: null }, []]
      .filter((value) => !(index === 2 && (value === null || typeof value === 'string')))
      .filter((value) => !(value === 2 && (index === 3 || index === 8)))
      .map((value) => packed.with(index, value as never)),
  )
  for (const other of [
    ...others,
    packed.slice(0, -1),
    [...packed, 1],
    [1, 'opened', null, 5, 'none', 'more'],
    {},
    'x',
    1,
  ]) {
    assert.equal(decode(other), null, JSON.stringify(other))
  }
  assert.equal(decodeProtection(Buffer.from('{"__proto__":[1]}')), null)
  assert.equal(decodeProtection(Buffer.from(`${JSON.stringify(packed)}${' '.repeat(5000)}`)), null)
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (octets) => {
        assert.equal(decodeProtection(octets), null)
      },
    ),
  )
})
