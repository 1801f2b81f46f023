import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { loadEngine } from '#formats/openpgp/engine.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { MalformedOpenPgp } from '#formats/openpgp/openpgp.ts'
import { readRevocation, withRevocation } from '#formats/openpgp/revocation.ts'
import { openSecretKeys, type SecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { signDetached } from '#formats/openpgp/sign.ts'
import { parseSignature, subpacketsIn } from '#formats/openpgp/signature.ts'
import { splitMessage, unsealSigned } from '#formats/openpgp/unseal.ts'
import { verifySignatures } from '#formats/openpgp/verify.ts'
import { originalOf, payloadOf, unwrapEncrypted } from '#formats/pgp-mime/pgp-mime.ts'
import type { Bytes } from '#lib/bytes.ts'
import { addressSealed, openLater, sealForLater, sealMessage } from './seal.ts'
import { UnusableCertificate } from './sealing-key.ts'

const CREATED = Date.UTC(2024, 0)
const NOW = Date.UTC(2024, 6)
const made = async (name: string) =>
  await generateKeys({ userId: `${name}@test`, algorithm: 'curve25519', created: new Date(CREATED) })

async function expiredCertificate(): Promise<Bytes> {
  const engine = await loadEngine()
  const { publicKey } = await engine.generateKey({
    userIDs: [{ name: 'old' }],
    date: new Date(CREATED),
    keyExpirationTime: 86_400,
    format: 'binary',
  })
  return publicKey
}

async function revokedCertificate(): Promise<Bytes> {
  const { certificate, revocation } = await made('revoked')
  return withRevocation(certificate, readRevocation(Buffer.from(revocation), certificate)!)
}

const [ada, bob, eve] = await Promise.all(['ada', 'bob', 'eve'].map((name) => made(name)))
const author = openSecretKeys(ada!.secret)
const readers = [bob!, eve!].map(({ secret }) => openSecretKeys(secret))
const certificates = [bob!.certificate, eve!.certificate]
const fingerprints = certificates.map((certificate) => parseCertificate(certificate).fingerprint)

const letter = (size: number) =>
  Buffer.from(
    [
      'From: ada@test',
      'To: bob@test, eve@test',
      'Subject: The merger',
      'Message-ID: <1@test>',
      'Content-Type: text/plain; charset=utf-8',
      '',
      `${'It is on. '.repeat(7)}\r\n`.repeat(size / 72),
    ].join('\r\n'),
  )
const SMALL = letter(2_000)
const LARGE = letter(1_500_000)

const asked: { payload: Buffer; recipients: readonly string[] }[] = []
const sign = async (payload: Bytes, recipients: readonly string[]) => {
  asked.push({ payload: Buffer.from(payload), recipients })
  return signDetached(author, payload, NOW, { recipients })
}

function opened(content: Bytes, reader: SecretKeys) {
  const message = unwrapEncrypted(content)!
  const keys = splitMessage(message).pkesks.map((pkesk) => sessionKeyOf(reader, pkesk))
  return unsealSigned(message, keys.find((key) => key !== null)!)
}

for (const [size, message] of Object.entries({ small: SMALL, large: LARGE })) {
  test(`a ${size} message opens for each recipient, signed by its author for exactly them`, async () => {
    const before = Buffer.from(message)
    const content = await sealMessage(message, { certificates, sign, now: NOW })
    assert.ok(before.equals(message), 'the message is whose it was')
    assert.doesNotMatch(content.toString('latin1'), /merger/)
    assert.match(
      content.toString('latin1'),
      /^From: ada@test\r\nTo: .*\r\nMessage-ID: <1@test>\r\nSubject: \[\.\.\.\]\r\n/,
    )
    for (const reader of readers) {
      const { content: payload, signatures } = opened(content, reader)
      assert.ok(payloadOf(message, 'travel').equals(payload))
      assert.ok(originalOf(payload).equals(message))
      assert.equal(
        verifySignatures(signatures, payload, [ada!.certificate], NOW + 1000)[0]?.certificate,
        author.certificate.fingerprint,
      )
      assert.deepEqual(intendedIn(signatures[0]!), fingerprints)
    }
    const { payload, recipients } = asked.pop()!
    assert.ok(payload.equals(payloadOf(message, 'travel')))
    assert.deepEqual(recipients, fingerprints)
  })

  test(`a ${size} message sealed for later is for nobody, and then for those it is addressed to, or opened here`, async () => {
    const { content, sessionKey } = await sealForLater(message, sign)
    assert.deepEqual(asked.pop()!.recipients, [])
    const bare = unwrapEncrypted(content)!
    assert.equal(splitMessage(bare).pkesks.length, 0)
    assert.equal(sessionKey[0], 7)
    const trace = Buffer.from('Received: from here by there; Fri, 1 Mar 2024 10:00:00 +0000\r\n')
    const traced = Buffer.concat([trace, content])
    const addressed = await addressSealed(traced, sessionKey, [bob!.certificate], NOW)
    const { container } = splitMessage(unwrapEncrypted(addressed)!)
    assert.ok(Buffer.from(container).equals(splitMessage(bare).container))
    const head = traced.indexOf('-----BEGIN PGP')
    assert.ok(addressed.subarray(0, head).equals(traced.subarray(0, head)))
    const { content: payload, signatures } = opened(addressed, readers[0]!)
    assert.ok(originalOf(payload).equals(message))
    assert.equal(signatures.length, 1)
    assert.ok((await openLater(traced, sessionKey)).equals(Buffer.concat([trace, message])))
    const wrong = Buffer.from(sessionKey).fill(1, 1)
    await assert.rejects(openLater(content, wrong))
  })

  test(`a ${size} message whose signing fails is not sealed`, async () => {
    const refusal = new Error('not with this credential')
    await assert.rejects(sealMessage(message, { certificates, sign: () => Promise.reject(refusal), now: NOW }), refusal)
  })
}

test('where one of the certificates is of no use, the message is sealed to nobody, and not signed', async () => {
  const { content, sessionKey } = await sealForLater(SMALL, null)
  for (const useless of [await expiredCertificate(), await revokedCertificate()]) {
    const to = [bob!.certificate, useless]
    await assert.rejects(sealMessage(SMALL, { certificates: to, sign, now: NOW }), UnusableCertificate)
    await assert.rejects(addressSealed(content, sessionKey, to, NOW), UnusableCertificate)
  }
  await assert.rejects(sealMessage(SMALL, { certificates: [], sign, now: NOW }))
  assert.deepEqual(asked, [])
})

test('without a signature, and nothing but what was sealed is addressed', async () => {
  const content = await sealMessage(SMALL, { certificates, sign: null, now: NOW })
  assert.deepEqual(opened(content, readers[0]!).signatures, [])
  await assert.rejects(addressSealed(SMALL, Buffer.alloc(17, 7), certificates, NOW), MalformedOpenPgp)
  await assert.rejects(openLater(SMALL, Buffer.alloc(17, 7)), MalformedOpenPgp)
})

function intendedIn(signature: Bytes): readonly string[] {
  const { hashedPart } = parseSignature(signature)!
  return [...subpacketsIn(hashedPart.subarray(6))].flatMap(({ type, critical, content }) =>
    type === 35 ? [`${critical}${content.subarray(1).toString('hex').toUpperCase()}`.replace('false', '')] : [],
  )
}
