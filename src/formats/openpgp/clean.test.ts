import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { armor } from './armor.ts'
import { parseCertificate, verifyCertificate } from './certificate.ts'
import { cleanCertificate } from './clean.ts'
import { generateKeys, makeTransferableKey } from './generate.ts'
import { hashedKey } from './key-packet.ts'
import { MalformedOpenPgp } from './openpgp.ts'
import { packet, readPackets } from './packets.ts'
import { withRevocation } from './revocation.ts'
import { openSecretKeys } from './secret-key.ts'
import { subpacket, writeSignature } from './signature-write.ts'

const CREATED = 1_700_000_000_000
const NOW = CREATED + 86_400_000
const created = new Date(CREATED)
const names = ['Ada <ada@alpha.test>', 'Ada <a@alpha.test>', 'Ada <z@alpha.test>']
const ada = await makeTransferableKey({ userIds: names, algorithm: 'curve25519', created, encrypts: true })
const eve = await generateKeys({ userId: 'Eve', algorithm: 'curve25519', created })
const [primary, subkey] = openSecretKeys(ada.secret).keys
const [stranger] = openSecretKeys(eve.secret).keys
const whole = hashedKey(4, primary!.key.body)
const parts = [...readPackets(ada.certificate)].map((one) => one.octets)
const clean = cleanCertificate(ada.certificate, NOW)

function certification(signer: typeof primary, name: string, time: number): Buffer {
  const octets = Buffer.from(name)
  return writeSignature(signer!, { type: 0x13, created: time }, [
    whole,
    Buffer.of(0xb4, 0, 0, 0, octets.length),
    octets,
  ])
}

test('what is clean stays as it is, and says what it said', () => {
  assert.ok(cleanCertificate(clean, NOW).equals(clean))
  assert.ok(cleanCertificate(Buffer.from(armor('PUBLIC KEY BLOCK', ada.certificate)), NOW).equals(clean))
  const [before, after] = [ada.certificate, clean].map((octets) => verifyCertificate(octets, NOW))
  assert.deepEqual({ ...before, bytes: null, userIds: null }, { ...after, bytes: null, userIds: null })
  assert.deepEqual(new Set(after!.userIds), new Set(names))
  assert.equal(after!.userIds[0], names[0])
})

test('junk goes, in whatever order the packets came', () => {
  const junk = [
    certification(stranger, names[0]!, CREATED),
    packet(17, Buffer.from('a picture')),
    packet(60, Buffer.from('private')),
    packet(13, Buffer.from('Mallory <ada@alpha.test>')),
    packet(14, stranger!.key.body),
    packet(12, Buffer.from('trust')),
  ]
  const [head, ...rest] = parts
  const groups = [rest.slice(0, 2), rest.slice(2, 4), rest.slice(4, 6), rest.slice(6)].map((one) => Buffer.concat(one))
  fc.assert(
    fc.property(fc.shuffledSubarray([...groups, ...junk], { minLength: 10, maxLength: 10 }), (shuffled) => {
      assert.ok(cleanCertificate(Buffer.concat([head!, ...shuffled]), NOW).equals(clean))
    }),
    { numRuns: 30 },
  )
})

test('revocations and older self-signatures stay', () => {
  const older = certification(primary, names[1]!, CREATED + 1000)
  const wish = { type: 0x28, created: NOW - 1000, subpackets: [subpacket(29, Buffer.of(0))] }
  const subkeyRevocation = writeSignature(primary!, wish, [whole, hashedKey(4, subkey!.key.body)])
  const all = Buffer.concat([...parts.slice(0, 5), older, ...parts.slice(5), subkeyRevocation])
  const revoked = cleanCertificate(withRevocation(all, Buffer.from(ada.revocation)), NOW)
  assert.equal([...readPackets(revoked)].length, parts.length + 3)
  assert.equal(verifyCertificate(revoked, NOW).revoked, true)
  assert.deepEqual(verifyCertificate(cleanCertificate(all, NOW), NOW).encryptionKeys, [])
  assert.ok(cleanCertificate(revoked, NOW).equals(revoked))
})

test('what stands beside a signature without being signed does not come through', () => {
  const { body } = [...readPackets(parts[2]!)][0]!
  const hashed = 6 + Buffer.from(body).readUInt16BE(4)
  const unhashed = Buffer.from(body).readUInt16BE(hashed)
  const area = Buffer.concat([
    body.subarray(hashed + 2, hashed + 2 + unhashed),
    subpacket(20, Buffer.from('hello from a stranger')),
  ])
  const size = Buffer.of(0, area.length)
  const stuffed = packet(2, body.subarray(0, hashed), size, area, body.subarray(hashed + 2 + unhashed))
  const octets = Buffer.concat([...parts.slice(0, 2), stuffed, ...parts.slice(3)])
  assert.ok(cleanCertificate(octets, NOW).equals(clean))
})

test('only the wanted user ids are kept; with none of them there is no certificate', () => {
  const one = cleanCertificate(ada.certificate, NOW, { keepUserIds: (userId) => userId.includes('<a@') })
  assert.deepEqual(parseCertificate(one).userIds, [names[1]])
  assert.throws(() => cleanCertificate(ada.certificate, NOW, { keepUserIds: () => false }), MalformedOpenPgp)
})

test('ten thousand forged signatures do not hide what stands elsewhere', () => {
  const template = [...readPackets(parts[2]!)][0]!.body
  const forged = Array.from({ length: 5000 }, (_, i) => {
    const body = Buffer.from(template)
    body.writeUInt32BE(i, body.length - 10)
    return packet(2, body)
  })
  const names = Array.from({ length: 2500 }, (_, i) => [packet(13, Buffer.from(`Eve ${i}`)), forged[i]!]).flat()
  const [primaryPacket, ...rest] = parts
  const crowded = Buffer.concat([primaryPacket!, ...rest, ...forged, ...names])
  assert.ok(cleanCertificate(crowded, NOW).equals(clean))
  const hidden = Buffer.concat([primaryPacket!, rest[0]!, ...forged, ...rest.slice(1)])
  assert.equal(verifyCertificate(hidden, NOW).encryptionKeys.length, 1)
})

test('for one user id or key few signatures are tried, for a certificate few of a type', () => {
  const [primaryPacket, ...rest] = parts
  const newer = (count: number) => {
    const body = Buffer.from([...readPackets(certification(primary, names[0]!, NOW - 1000))][0]!.body)
    body[body.length - 1] = body[body.length - 1]! ^ 1
    return Array.from({ length: count }, () => packet(2, body))
  }
  const first = (count: number) =>
    verifyCertificate(Buffer.concat([primaryPacket!, rest[0]!, ...newer(count), ...rest.slice(1)]), NOW).userIds
  assert.equal(first(11).length, 3)
  assert.equal(first(12).length, 2)
  const crowd = (count: number) => {
    const forged = Array.from({ length: count }, (_, i) => [packet(13, Buffer.from(`Eve ${i}`)), rest[1]!]).flat()
    return verifyCertificate(Buffer.concat([primaryPacket!, ...forged, ...rest]), NOW)
  }
  assert.equal(crowd(61).userIds.length, 3)
  assert.throws(() => crowd(64), MalformedOpenPgp)
})
