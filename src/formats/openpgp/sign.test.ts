import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { loadEngine } from './engine.ts'
import { generateKeys } from './generate.ts'
import { readPackets } from './packets.ts'
import { openSecretKeys } from './secret-key.ts'
import { CannotSign, signDetached } from './sign.ts'
import { parseSignature, signatureHolds, subpacketsIn } from './signature.ts'
import { SignatureFault, writeSignature } from './signature-write.ts'

const created = new Date(1_700_000_000_000)
const content = Buffer.from('Dear Ada,\r\n\r\n  yes.  \r\n')
const engine = await loadEngine()

const kinds: Record<string, () => Promise<Uint8Array>> = {
  'ours, Curve25519': async () => (await generateKeys({ userId: 'Ada', algorithm: 'curve25519', created })).secret,
  'ours, RSA': async () => (await generateKeys({ userId: 'Ada', algorithm: 'rsa3072', created })).secret,
  'v4 Ed25519': () => foreign({ type: 'curve25519' }),
  'v4 Ed448': () => foreign({ type: 'curve448' }),
  'v6 Ed25519': () => foreign({ type: 'curve25519', config: { v6Keys: true } }),
  'v4 P-256': () => foreign({ type: 'ecc', curve: 'nistP256' }),
  'v4 P-521': () => foreign({ type: 'ecc', curve: 'nistP521' }),
}

async function foreign(options: object): Promise<Uint8Array> {
  const { privateKey } = await engine.generateKey({
    userIDs: [{ name: 'Bob' }],
    format: 'binary',
    date: created,
    ...options,
  })
  return privateKey
}

for (const [kind, make] of Object.entries(kinds)) {
  test(`${kind}: the library verifies what we sign, and nothing else`, async () => {
    const secret = await make()
    const keys = openSecretKeys(secret)
    const signature = signDetached(keys, content, created.getTime() + 60_000)
    const verdict = async (octets: Buffer) => {
      const { signatures } = await engine.verify({
        message: await engine.createMessage({ binary: new Uint8Array(octets) }),
        signature: await engine.readSignature({ binarySignature: new Uint8Array(signature) }),
        verificationKeys: await engine.readKey({ binaryKey: new Uint8Array(keys.certificate.bytes) }),
        format: 'binary',
      })
      return signatures[0]!.verified
    }
    assert.equal(await verdict(content), true)
    await assert.rejects(verdict(Buffer.concat([content, Buffer.of(10)])))
  })
}

test('RFC 9580 A.2: the version 4 signature over "OpenPGP"', async () => {
  const vectors = JSON.parse(
    readFileSync(new URL('../../../test/vectors/openpgp/rfc9580.json', import.meta.url), 'utf8'),
  )
  const { parsePublicKey } = await import('./key-packet.ts')
  const key = parsePublicKey([...readPackets(Buffer.from(vectors.v4Key, 'base64'))][0]!.body)
  const signature = parseSignature([...readPackets(Buffer.from(vectors.v4Signature, 'base64'))][0]!.body)!
  assert.equal(signatureHolds(signature, key, [Buffer.from('OpenPGP')]), true)
  assert.equal(signatureHolds(signature, key, [Buffer.from('OpenPGp')]), false)
})

test('RFC 9580 §5.2.3.36: a signature names whom it is meant for, and programs that do not know that may go on', async () => {
  const keys = openSecretKeys((await generateKeys({ userId: 'Ada', algorithm: 'curve25519', created })).secret)
  const [first, second] = ['AB'.repeat(20), 'CD'.repeat(32)]
  const at = created.getTime()
  const [signature] = readPackets(signDetached(keys, content, at, { recipients: [first!, second!] }))
  const { hashedPart } = parseSignature(signature!.body)!
  const named = [...subpacketsIn(hashedPart.subarray(6))].filter(({ type }) => type === 35)
  assert.deepEqual(
    named.map(({ critical, content: named }) => ({ critical, octets: named.toString('hex').toUpperCase() })),
    [
      { critical: false, octets: `04${first}` },
      { critical: false, octets: `06${second}` },
    ],
  )
  for (const recipients of [[''], ['AB'], [`${first}x`], ['AB'.repeat(19)], ['xy'.repeat(20)]])
    assert.throws(() => signDetached(keys, content, at, { recipients }), RangeError)
})

test('a key that may not sign does not', async () => {
  const { secret } = await generateKeys({ userId: 'Ada', algorithm: 'curve25519', created })
  const keys = openSecretKeys(secret)
  keys.wipe()
  assert.throws(() => signDetached(keys, content, created.getTime()), CannotSign)
})

test('a faulty signature is never handed out', async () => {
  const [ada, eve] = await Promise.all(
    ['Ada', 'Eve'].map(async (userId) =>
      openSecretKeys((await generateKeys({ userId, algorithm: 'curve25519', created })).secret),
    ),
  )
  // the secret of one under the public half of the other, as a fault in memory would leave it
  const mixed = { key: ada!.keys[0]!.key, object: eve!.keys[0]!.object }
  assert.throws(() => writeSignature(mixed, { type: 0, created: 0 }, [content]), SignatureFault)
})
