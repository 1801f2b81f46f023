import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import fc from 'fast-check'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { generateKeys, makeTransferableKey } from '#formats/openpgp/generate.ts'
import { hashedKey } from '#formats/openpgp/key-packet.ts'
import { makeKey } from '#formats/openpgp/new-key.ts'
import { writeMpi } from '#formats/openpgp/octet-reader.ts'
import { PacketType } from '#formats/openpgp/openpgp.ts'
import { packet } from '#formats/openpgp/packets.ts'
import { openSecretKeys } from '#formats/openpgp/secret-key.ts'
import { SignatureType } from '#formats/openpgp/signature.ts'
import { subpacket, writeSignature } from '#formats/openpgp/signature-write.ts'
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

/** bob's, with another key to encrypt to: the body of its packet. */
async function withKey(body: Buffer): Promise<Buffer> {
  const created = new Date(now - 1)
  const wish = { userIds: ['bob@beta.test'], algorithm: 'curve25519', created, encrypts: false } as const
  const { secret, certificate } = await makeTransferableKey(wish)
  using keys = openSecretKeys(secret)
  const primary = keys.keys[0]!
  const flags = subpacket(27, Buffer.of(0x0c))
  const binding = writeSignature(
    primary,
    { type: SignatureType.subkeyBinding, created: now - 1, subpackets: [flags] },
    [hashedKey(4, primary.key.body), hashedKey(4, body)],
  )
  return Buffer.concat([certificate, packet(PacketType.publicSubkey, body), binding])
}

test('a key that nothing can be encrypted to is none: it would stop the mail of all others', async () => {
  const { key } = await makeKey('curve25519', 'encryption', now - 1)
  const zero = Buffer.from(key.body)
  const point = zero.length - 32 - 4 // RFC 9580 §5.5.5.6: the parameters of its key derivation stand behind it
  zero.fill(0, point, point + 32)
  const rsa = (modulus: Buffer, exponent: Buffer) =>
    Buffer.concat([key.body.subarray(0, 5), Buffer.of(1), writeMpi(modulus), writeMpi(exponent)])
  const even = Buffer.alloc(256, 0xfe)
  const broken = [
    zero,
    Buffer.concat([key.body.subarray(0, 5), Buffer.of(25), Buffer.alloc(32)]),
    rsa(even, Buffer.of(1, 0, 1)),
    rsa(Buffer.alloc(512, 0xff), Buffer.alloc(500, 0xff)),
  ]
  for (const body of broken) {
    const choice = chooseCertificate([await withKey(body)], BOB, now)
    assert.match(choice.kind === 'refused' ? choice.why : choice.kind, /nothing can be encrypted to/)
  }
  assert.equal(chooseCertificate([await withKey(Buffer.from(key.body))], BOB, now).kind, 'usable')
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
      // What its owner did not sign (RFC 9580 §5.2.3.2, the unhashed areas) may be gone; nothing that counts may.
      if (choice.kind === 'usable') assert.deepEqual(factsOf(choice.certificate), factsOf(bob))
    }),
    { numRuns: 60 },
  )
})

function factsOf(certificate: Uint8Array): object {
  const { bytes: _, ...facts } = parseCertificate(certificate)
  return facts
}
