import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { parseCertificate } from './certificate.ts'
import { type Engine, loadEngine } from './engine.ts'
import { generateKeys } from './generate.ts'
import { MalformedOpenPgp } from './openpgp.ts'
import { readPackets } from './packets.ts'
import { seal } from './seal.ts'
import { openSecretKeys, sessionKeyOf } from './secret-key.ts'
import { splitMessage, unseal } from './unseal.ts'

const made = await generateKeys({ userId: 'Ada <ada@alpha.test>', algorithm: 'curve25519', created: new Date(1.7e12) })
const certificate = parseCertificate(made.certificate)
const secretKeys = openSecretKeys(made.secret)
const engine = await loadEngine()

function opened(message: Buffer, keys = secretKeys): Buffer {
  const [sessionKey] = splitMessage(message).pkesks.map((pkesk) => sessionKeyOf(keys, pkesk))
  return Buffer.from(unseal(message, sessionKey!))
}

test('what is sealed is unsealed to the octet', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (content) => {
      assert.deepEqual(opened(seal(certificate.encryptionKeys, content).message), Buffer.from(content))
    }),
    { numRuns: 30 },
  )
  for (const size of [0, 65_522, 65_523, 65_524, 65_535, 65_536, 200_000]) {
    const content = randomBytes(size)
    const { message, sessionKey } = seal(certificate.encryptionKeys, content)
    assert.ok(opened(message).equals(content))
    assert.ok(Buffer.from(unseal(message, sessionKey)).equals(content))
  }
})

test('sizes are rounded: neighbours have ciphertexts of the same size', () => {
  const sizes = new Set<number>()
  for (let size = 20_000; size < 20_400; size += 7) {
    sizes.add(seal(certificate.encryptionKeys, Buffer.alloc(size)).message.length)
  }
  assert.equal(sizes.size, 1)
  const small = [0, 1, 100, 450].map((size) => seal(certificate.encryptionKeys, Buffer.alloc(size)).message.length)
  assert.equal(new Set(small).size, 1)
})

test('the rounding can be chosen', () => {
  const padTo = (size: number) => Math.ceil(size / 4096) * 4096
  const lengths = [1, 2000, 4040, 4050].map(
    (size) => seal(certificate.encryptionKeys, Buffer.alloc(size), { padTo }).message.length,
  )
  assert.equal(new Set(lengths).size, 1)
  const exact = seal(certificate.encryptionKeys, Buffer.alloc(1000), { padTo: (size) => size }).message.length
  assert.equal(
    seal(certificate.encryptionKeys, Buffer.alloc(1001), { padTo: (size) => size }).message.length,
    exact + 1,
  )
})

test('ephemeral and session keys are never used twice, made ahead or not', async () => {
  const points = new Set<string>()
  const sessionKeys = new Set<string>()
  for (let turn = 0; turn < 5; turn++) {
    for (let i = 0; i < 40; i++) {
      const { message, sessionKey } = seal(certificate.encryptionKeys, Buffer.from('x'))
      // version, key id, algorithm, bit count, then the point
      points.add(Buffer.from(splitMessage(message).pkesks[0]!.subarray(12, 45)).toString('hex'))
      sessionKeys.add(Buffer.from(sessionKey.key).toString('hex'))
      assert.deepEqual(opened(message), Buffer.from('x'))
    }
    await setImmediate()
  }
  assert.equal(points.size, 200)
  assert.equal(sessionKeys.size, 200)
})

async function foreignKey(engine: Engine, options: object) {
  const { privateKey } = await engine.generateKey({ userIDs: [{ name: 'Bob' }], format: 'object', ...options })
  return privateKey
}

const kinds: Record<string, object> = {
  'v4 Curve25519Legacy': { type: 'ecc', curve: 'curve25519Legacy' },
  'v4 X25519': { type: 'curve25519' },
  'v4 X448': { type: 'curve448' },
  'v6 X25519': { type: 'curve25519', config: { v6Keys: true, aeadProtect: true } },
  'v4 P-256': { type: 'ecc', curve: 'nistP256' },
  'v4 P-384': { type: 'ecc', curve: 'nistP384' },
  'v4 P-521': { type: 'ecc', curve: 'nistP521' },
  'v4 RSA': { type: 'rsa', rsaBits: 2048 },
}

for (const [kind, options] of Object.entries(kinds)) {
  test(`${kind}: the library reads what we seal, and we what it seals`, async () => {
    const key = await foreignKey(engine, options)
    const recipient = parseCertificate(key.toPublic().write())
    const content = randomBytes(3000)
    const { message } = seal(recipient.encryptionKeys, content)
    const read = await engine.decrypt({
      message: await engine.readMessage({ binaryMessage: new Uint8Array(message) }),
      decryptionKeys: key,
      format: 'binary',
    })
    assert.ok(Buffer.from(read.data as Uint8Array).equals(content))
    const keys = openSecretKeys(key.write())
    assert.ok(opened(message, keys).equals(content))
    const theirs = await engine.encrypt({
      message: await engine.createMessage({ binary: new Uint8Array(content) }),
      encryptionKeys: key.toPublic(),
      format: 'binary',
    })
    assert.ok(opened(Buffer.from(theirs), keys).equals(content))
  })
}

test('version 2 is written when every recipient announces it, and else not', async () => {
  const modern = parseCertificate((await foreignKey(engine, kinds['v6 X25519']!)).toPublic().write())
  const versions = (keys: typeof modern.encryptionKeys) => {
    const { message } = seal(keys, Buffer.from('x'))
    const packets = [...readPackets(message)]
    return [packets.at(-1)!.body[0], ...packets.slice(0, -1).map((one) => one.body[0])]
  }
  assert.deepEqual(versions(modern.encryptionKeys), [2, 6])
  assert.deepEqual(versions([...modern.encryptionKeys, ...certificate.encryptionKeys]), [1, 3, 3])
})

test('each recipient finds the same session key', async () => {
  const other = await foreignKey(engine, kinds['v4 X25519']!)
  const keys = [...certificate.encryptionKeys, ...parseCertificate(other.toPublic().write()).encryptionKeys]
  const { message, sessionKey } = seal(keys, Buffer.from('both'))
  const { pkesks } = splitMessage(message)
  assert.deepEqual(sessionKeyOf(secretKeys, pkesks[0]!), sessionKey)
  assert.equal(sessionKeyOf(secretKeys, pkesks[1]!), null)
  assert.deepEqual(sessionKeyOf(openSecretKeys(other.write()), pkesks[1]!), sessionKey)
})

test('a given session key is used', () => {
  const sessionKey = { cipher: 9, key: randomBytes(32) }
  assert.deepEqual(
    unseal(seal(certificate.encryptionKeys, Buffer.from('x'), { sessionKey }).message, sessionKey),
    Buffer.from('x'),
  )
})

test('two messages can share one public-key operation, and are still two', async () => {
  const modern = parseCertificate((await foreignKey(engine, kinds['v6 X25519']!)).toPublic().write())
  for (const { encryptionKeys } of [certificate, modern]) {
    const one = seal(encryptionKeys, Buffer.alloc(400, 1))
    const two = seal(encryptionKeys, Buffer.alloc(400, 1), { beside: one })
    const [pkesk, again] = [one, two].map(({ message }) => splitMessage(message).pkesks)
    assert.deepEqual(pkesk, again)
    assert.deepEqual(one.sessionKey, two.sessionKey)
    const [first, second] = [one, two].map(({ message, pkesksEnd }) => message.subarray(pkesksEnd + 4))
    // nothing of equal plaintexts is equal in the ciphertexts
    assert.ok(!first!.subarray(40, 72).equals(second!.subarray(40, 72)))
    assert.deepEqual(Buffer.from(unseal(two.message, one.sessionKey)), Buffer.alloc(400, 1))
  }
})

test('nobody to seal to is an error, never plaintext', () => {
  assert.throws(() => seal([], Buffer.from('x')), MalformedOpenPgp)
})
