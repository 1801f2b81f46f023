import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Certificate, verifyCertificate } from './certificate.ts'
import { certificateAt } from './certificate-times.ts'
import { generateKeys } from './generate.ts'
import { hashedKey } from './key-packet.ts'
import { MalformedOpenPgp } from './openpgp.ts'
import { readPackets } from './packets.ts'
import { makeRevocation, withRevocation } from './revocation.ts'
import { openSecretKeys } from './secret-key.ts'
import { subpacket, writeSignature } from './signature-write.ts'

const CREATED = 1_700_000_000_000
const ada = await generateKeys({ userId: 'Ada', algorithm: 'curve25519', created: new Date(CREATED) })
const keys = openSecretKeys(ada.secret)
const [key, userId, ...rest] = [...readPackets(ada.certificate)].map(({ octets }) => octets)

/** Its user id is certified anew after five seconds, for ten, with other rights; after twenty it is given up. */
function manyTimes(): Uint8Array {
  const [primary] = keys.keys
  const content = [hashedKey(4, primary!.key.body), Buffer.of(0xb4, 0, 0, 0, 3), Buffer.from('Ada')]
  const subpackets = [subpacket(27, Buffer.of(0x01)), subpacket(3, Buffer.of(0, 0, 0, 10))]
  const renewed = writeSignature(primary!, { type: 0x13, created: CREATED + 5000, subpackets }, content)
  const certificate = Buffer.concat([key!, userId!, renewed, ...rest])
  const revocation = makeRevocation(keys, { created: CREATED + 20_000, reason: 1, text: '' })
  return withRevocation(certificate, Buffer.from(revocation))
}

function outrightAt(octets: Uint8Array, now: number): Certificate | null {
  try {
    return verifyCertificate(octets, now)
  } catch (error) {
    assert.ok(error instanceof MalformedOpenPgp)
    return null
  }
}

test('what is remembered of a certificate is what it says at that time', () => {
  const many = manyTimes()
  const hard = withRevocation(many, Buffer.from(ada.revocation))
  const time = fc.oneof(
    fc.constantFrom(-1000, 0, 5000, 15_000, 20_000).chain((at) => fc.integer({ min: at - 1, max: at + 1 })),
    fc.integer({ min: -2000, max: 30_000 }),
  )
  const one = fc.constantFrom(ada.certificate, many, hard, many.subarray(0, -1), Buffer.from('no certificate'))
  fc.assert(
    fc.property(one, time, (octets, after) => {
      assert.deepEqual(certificateAt(octets, CREATED + after), outrightAt(octets, CREATED + after))
    }),
    { numRuns: 300 },
  )
})

test('it is verified once, and keeps nothing of what was handed in', () => {
  const octets = Buffer.from(ada.certificate)
  const before = certificateAt(octets, CREATED + 1000)
  octets.fill(0)
  assert.equal(certificateAt(ada.certificate, CREATED + 2000), before)
  assert.deepEqual(before, verifyCertificate(ada.certificate, CREATED + 2000))
})
