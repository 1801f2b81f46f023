import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifyCertificate } from './certificate.ts'
import { loadEngine } from './engine.ts'
import { generateKeys } from './generate.ts'
import { lockForExport } from './lock.ts'
import { openSecretKeys } from './secret-key.ts'

const created = new Date(1_700_000_000_123)
const engine = await loadEngine()

for (const algorithm of ['curve25519', 'rsa3072', 'v6-curve25519'] as const) {
  test(`${algorithm}: the library agrees with every signature, revocation and lock`, async () => {
    const userId = 'Ada Lovelace (poet) <ada@alpha.test>'
    const made = await generateKeys({ userId, otherUserIds: ['Ada <a@alpha.test>'], algorithm, created })
    const key = await engine.readPrivateKey({ binaryKey: new Uint8Array(made.secret) })
    assert.equal(key.getCreationTime().getTime(), 1_700_000_000_000)
    assert.deepEqual(key.getUserIDs(), [userId, 'Ada <a@alpha.test>'])
    assert.equal((await key.getPrimaryUser()).user.userID?.userID, userId)
    await key.verifyPrimaryKey()
    await key.getEncryptionKey()
    await key.getSigningKey()
    const publicKey = await engine.readKey({ binaryKey: new Uint8Array(made.certificate) })
    assert.deepEqual(publicKey.getFingerprint(), key.getFingerprint())
    const revoked = await engine.revokeKey({ key: publicKey, revocationCertificate: made.revocation, format: 'object' })
    assert.equal(await revoked.publicKey.isRevoked(), true)

    const locked = await engine.readPrivateKey({
      armoredKey: await lockForExport(made.secret, Buffer.from('pässphrase')),
    })
    assert.equal(locked.isDecrypted(), false)
    await assert.rejects(engine.decryptKey({ privateKey: locked, passphrase: 'passphrase' }))
    const unlocked = await engine.decryptKey({ privateKey: locked, passphrase: 'pässphrase' })
    assert.deepEqual(Buffer.from(unlocked.write()), made.secret)
    const verified = verifyCertificate(made.certificate, created.getTime())
    assert.deepEqual(verified, openSecretKeys(made.secret).certificate)
    assert.equal(verified.encryptionKeys[0]?.seipdv2, algorithm === 'v6-curve25519')
    assert.equal(verified.version, algorithm === 'v6-curve25519' ? 6 : 4)
  })
}

test('no two keys are the same, and both halves are verified', async () => {
  const [one, two] = await Promise.all(
    [1, 2].map(() => generateKeys({ userId: 'Ada', algorithm: 'curve25519', created })),
  )
  assert.notDeepEqual(one, two)
  assert.equal(
    verifyCertificate(one!.certificate, created.getTime()).fingerprint,
    openSecretKeys(one!.secret).certificate.fingerprint,
  )
})
