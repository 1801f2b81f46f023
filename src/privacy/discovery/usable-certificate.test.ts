import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import fc from 'fast-check'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { chooseCertificate } from './usable-certificate.ts'

const BOB = { local: 'bob', domain: 'beta.test' }
const now = Date.UTC(2026, 10, 2)
let bob: Buffer

before(async () => {
  bob = (await generateKeys({ userId: 'bob@beta.test', algorithm: 'curve25519', created: new Date(now - 1) }))
    .certificate
})

test('what others put into a certificate is not in what is taken', () => {
  // A user id that nothing binds (RFC 9580 §5.11).
  const junk = Buffer.concat([bob, Buffer.from([0xcd, 3]), Buffer.from('eve')])
  const choice = chooseCertificate([junk], BOB, now)
  assert.ok(choice.kind === 'usable')
  assert.equal(choice.certificate.includes('eve'), false)
  assert.deepEqual(choice.certificate, bob)
})

test('too many certificates are not even looked at', () => {
  const choice = chooseCertificate(
    Array.from({ length: 9 }, () => bob),
    BOB,
    now,
  )
  assert.deepEqual(choice, { kind: 'refused', why: '9 certificates are given', revoked: [] })
})

test('whatever the octets are, there is an answer', () => {
  const damaged = fc.tuple(fc.nat(bob.length - 1), fc.nat(255), fc.nat(bob.length)).map(([at, octet, length]) => {
    const changed = Buffer.from(bob)
    changed[at] = octet
    return changed.subarray(0, length)
  })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), (octets) => {
      const choice = chooseCertificate([octets], BOB, now)
      if (choice.kind === 'usable') assert.deepEqual(choice.certificate, bob)
    }),
    { numRuns: 60 },
  )
})
