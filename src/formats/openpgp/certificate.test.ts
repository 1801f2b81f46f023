import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { armor, dearmor } from './armor.ts'
import { encryptionKeysAt, parseCertificate, verifyCertificate } from './certificate.ts'
import { loadEngine } from './engine.ts'
import { generateKeys } from './generate.ts'
import { hashedKey } from './key-packet.ts'
import { MalformedOpenPgp } from './openpgp.ts'
import { packet, readPackets } from './packets.ts'
import { openSecretKeys } from './secret-key.ts'
import { subpacket, writeSignature } from './signature-write.ts'

const vectors = JSON.parse(readFileSync(new URL('../../../test/vectors/openpgp/rfc9580.json', import.meta.url), 'utf8'))
const vector = (name: string) => Buffer.from(vectors[name], 'base64')

const CREATED = 1_700_000_000_000
const NOW = CREATED + 86_400_000
const made = await generateKeys({ userId: 'Ada <ada@alpha.test>', algorithm: 'curve25519', created: new Date(CREATED) })
const parts = [...readPackets(made.certificate)].map((one) => Buffer.from(one.octets))
const [primaryPacket, userPacket, certification, subkeyPacket, binding] = parts as [
  Buffer,
  Buffer,
  Buffer,
  Buffer,
  Buffer,
]
const secretKeys = openSecretKeys(made.secret)
const [primary, subkey] = secretKeys.keys
const wholePrimary = hashedKey(4, primary!.key.body)
const wholeSubkey = hashedKey(4, subkey!.key.body)

test('RFC 9580 A.3: the version 6 certificate', () => {
  const certificate = verifyCertificate(vector('v6Certificate'), NOW)
  assert.equal(certificate.fingerprint, 'CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9')
  assert.equal(certificate.version, 6)
  assert.equal(certificate.encryptionKeys[0]?.fingerprint.slice(0, 16), '12C83F1E706F6308')
  assert.equal(certificate.encryptionKeys[0]?.seipdv2, true)
})

test('RFC 9580 A.1: the version 4 key', () => {
  const body = [...readPackets(vector('v4Key'))][0]!.body
  const fingerprint = 'C959BDBAFA32A2F89A153B678CFDE12197965A9A'
  assert.equal(
    parseCertificate(Buffer.concat([vector('v4Key'), userPacket, foreignCertification(body)])).fingerprint,
    fingerprint,
  )
})

/** Structure only: made by another key, with no issuer in it. */
function foreignCertification(body: Uint8Array): Buffer {
  const made = writeSignature(primary!, { type: 0x13, created: CREATED }, [hashedKey(4, body)])
  const found = [...readPackets(made)][0]!.body
  const hashed = Buffer.from([4, 0x13, 22, 8, 0, 6, 5, 2, 0, 0, 0, 1, 0, 0])
  return packet(2, hashed, found.subarray(-2 - 68))
}

test('a certificate of ours says what it was made for, parsed or verified, armored or not', () => {
  for (const read of [parseCertificate, (octets: Uint8Array) => verifyCertificate(octets, NOW)]) {
    const certificate = read(made.certificate)
    assert.deepEqual(certificate.userIds, ['Ada <ada@alpha.test>'])
    assert.equal(certificate.created, CREATED)
    assert.equal(certificate.expires, null)
    assert.equal(certificate.revoked, false)
    assert.equal(certificate.encryptionKeys.length, 1)
    assert.deepEqual(certificate.encryptionKeys[0]?.ciphers, [9, 8, 7])
    assert.equal(certificate.signingKeys.length, 1)
    const armored = read(Buffer.from(armor('PUBLIC KEY BLOCK', made.certificate)))
    assert.deepEqual(armored, certificate)
  }
})

test('a changed octet anywhere costs what it binds: never another key or name', () => {
  const original = verifyCertificate(made.certificate, NOW)
  for (let at = 0; at < made.certificate.length; at++) {
    const changed = Buffer.from(made.certificate)
    changed[at] = changed[at]! ^ 0x04
    try {
      const found = verifyCertificate(changed, NOW)
      assert.equal(found.fingerprint, original.fingerprint)
      for (const userId of found.userIds) assert.ok(original.userIds.includes(userId))
      for (const key of found.encryptionKeys) assert.equal(key.fingerprint, original.encryptionKeys[0]?.fingerprint)
    } catch (error) {
      assert.ok(error instanceof MalformedOpenPgp, String(error))
    }
  }
})

test('any octets give a certificate or MalformedOpenPgp', () => {
  const piece = fc.oneof(
    fc.constantFrom(...parts),
    fc.uint8Array({ maxLength: 60 }).map((body) => packet(2, body)),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.boolean(), (pieces, verified) => {
      try {
        const octets = Buffer.concat(pieces)
        assert.equal(
          (verified ? verifyCertificate(octets, NOW) : parseCertificate(octets)).fingerprint,
          primary!.key.fingerprint,
        )
      } catch (error) {
        assert.ok(error instanceof MalformedOpenPgp, String(error))
      }
    }),
    { numRuns: 500 },
  )
})

test('a subkey of somebody else does not join', async () => {
  const other = await generateKeys({ userId: 'Eve', algorithm: 'curve25519', created: new Date(CREATED) })
  const [, , , evesSubkey, evesBinding] = [...readPackets(other.certificate)].map((one) => one.octets)
  const grafted = Buffer.concat([primaryPacket, userPacket, certification, evesSubkey!, evesBinding!])
  assert.equal(verifyCertificate(grafted, NOW).encryptionKeys.length, 0)
  assert.equal(parseCertificate(grafted).encryptionKeys.length, 0)
  const swapped = Buffer.concat([primaryPacket, userPacket, certification, evesSubkey!, binding])
  assert.equal(verifyCertificate(swapped, NOW).encryptionKeys.length, 0)
})

test('a subkey that signs must itself agree', () => {
  const wish = { type: 0x18, created: CREATED, subpackets: [subpacket(27, Buffer.of(0x02 | 0x0c))] }
  const claimed = writeSignature(primary!, wish, [wholePrimary, wholeSubkey])
  const octets = Buffer.concat([primaryPacket, userPacket, certification, subkeyPacket, claimed])
  assert.equal(verifyCertificate(octets, NOW).encryptionKeys.length, 0)
})

function withRevocation(reason: number, created: number): Buffer {
  const wish = { type: 0x20, created, subpackets: [subpacket(29, Buffer.of(reason))] }
  return Buffer.concat([
    primaryPacket,
    writeSignature(primary!, wish, [wholePrimary]),
    userPacket,
    certification,
    subkeyPacket,
    binding,
  ])
}

test('revocations: hard ones always, soft ones from their time on', () => {
  const generic = dearmor(Buffer.from(made.revocation)).octets
  const revoked = Buffer.concat([primaryPacket, generic, userPacket, certification, subkeyPacket, binding])
  assert.equal(verifyCertificate(revoked, NOW).revoked, true)
  assert.equal(parseCertificate(revoked).revoked, true)
  assert.deepEqual(parseCertificate(revoked).encryptionKeys, [])
  assert.equal(verifyCertificate(withRevocation(2, NOW + 1e6), NOW).revoked, true)
  assert.equal(verifyCertificate(withRevocation(1, NOW + 1e6), NOW).revoked, false)
  assert.equal(verifyCertificate(withRevocation(1, NOW - 1e6), NOW).revoked, true)
  const forged = Buffer.from(generic)
  forged[forged.length - 1] = forged[forged.length - 1]! ^ 1
  assert.equal(verifyCertificate(Buffer.concat([primaryPacket, forged, ...parts.slice(1)]), NOW).revoked, false)
})

test('a revoked subkey is not sealed to', () => {
  const wish = { type: 0x28, created: CREATED, subpackets: [subpacket(29, Buffer.of(2))] }
  const revocation = writeSignature(primary!, wish, [wholePrimary, wholeSubkey])
  assert.equal(verifyCertificate(Buffer.concat([...parts, revocation]), NOW).encryptionKeys.length, 0)
})

test('the newest binding rules, and expiry ends sealing', () => {
  const expiring = (created: number, seconds: number) => {
    const wish = {
      type: 0x18,
      created,
      subpackets: [subpacket(27, Buffer.of(0x0c)), subpacket(9, Buffer.of(0, 0, 0, seconds))],
    }
    return writeSignature(primary!, wish, [wholePrimary, wholeSubkey])
  }
  const expired = verifyCertificate(Buffer.concat([...parts, expiring(CREATED + 2000, 60)]), NOW)
  assert.equal(expired.encryptionKeys[0]?.expires, CREATED + 60_000)
  assert.equal(encryptionKeysAt(expired, CREATED + 59_999).length, 1)
  assert.equal(encryptionKeysAt(expired, CREATED + 60_000).length, 0)
  const older = verifyCertificate(Buffer.concat([...parts, expiring(CREATED - 2000, 60)]), NOW)
  assert.equal(older.encryptionKeys[0]?.expires, null)
  assert.throws(() => verifyCertificate(made.certificate, CREATED - 1), MalformedOpenPgp)
})

test('a self-signature with something critical and unknown does not count', () => {
  const critical = Buffer.of(2, 0x80 | 101, 0)
  const wish = { type: 0x18, created: CREATED + 2000, subpackets: [subpacket(27, Buffer.of(0x0c)), critical] }
  const unknown = writeSignature(primary!, wish, [wholePrimary, wholeSubkey])
  assert.equal(
    verifyCertificate(Buffer.concat([primaryPacket, userPacket, certification, subkeyPacket, unknown]), NOW)
      .encryptionKeys.length,
    0,
  )
})

test('weak keys and old algorithms are not sealed to', async () => {
  const engine = await loadEngine()
  const config = { minRSABits: 1024 }
  const { publicKey } = await engine.generateKey({
    type: 'rsa',
    rsaBits: 1024,
    userIDs: [{ name: 'Weak' }],
    format: 'binary',
    date: new Date(CREATED),
    config,
  })
  assert.throws(() => verifyCertificate(publicKey, NOW), MalformedOpenPgp)
  assert.equal(parseCertificate(publicKey).encryptionKeys.length, 0)
})

test('two certificates in one are refused, and so is none', () => {
  assert.throws(() => parseCertificate(Buffer.concat([made.certificate, made.certificate])), /more than one/)
  assert.throws(() => parseCertificate(userPacket), MalformedOpenPgp)
  assert.throws(() => parseCertificate(primaryPacket), MalformedOpenPgp)
  assert.throws(() => parseCertificate(made.secret), MalformedOpenPgp)
})
