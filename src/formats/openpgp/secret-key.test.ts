import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { dearmor } from './armor.ts'
import { parseCertificate } from './certificate.ts'
import { signatureBodies } from './cleartext.ts'
import { generateKeys } from './generate.ts'
import { lockForExport } from './lock.ts'
import { MalformedOpenPgp, UndecryptableSessionKey } from './openpgp.ts'
import { packet, readPackets } from './packets.ts'
import { seal } from './seal.ts'
import { certificateOf, openSecretKeys, sessionKeyOf } from './secret-key.ts'
import { LockedSecretKey } from './secret-material.ts'
import { signDetached } from './sign.ts'
import { splitMessage } from './unseal.ts'
import { verifySignatures } from './verify.ts'

const created = new Date(1_700_000_000_000)
const ada = await generateKeys({ userId: 'Ada', algorithm: 'curve25519', created })
const eve = await generateKeys({ userId: 'Eve', algorithm: 'curve25519', created })
const rsa = await generateKeys({ userId: 'Rob', algorithm: 'rsa3072', created })

function pkeskFor(keys: typeof ada): Buffer {
  return Buffer.from(
    splitMessage(seal(parseCertificate(keys.certificate).encryptionKeys, randomBytes(9)).message).pkesks[0]!,
  )
}

test('the certificate in a secret key is the one that was published', () => {
  assert.deepEqual(openSecretKeys(ada.secret).certificate, parseCertificate(ada.certificate))
  assert.deepEqual(certificateOf(ada.secret), ada.certificate)
})

test('opened keys sign when the octets they were read from are wiped', () => {
  for (const keys of [ada, rsa]) {
    const tsk = Buffer.from(keys.secret)
    using opened = openSecretKeys(tsk)
    tsk.fill(0)
    const content = Buffer.from('so it is')
    const bodies = signatureBodies(signDetached(opened, content, created.getTime()))
    assert.equal(verifySignatures(bodies, content, [keys.certificate], created.getTime()).length, 1)
  }
})

test('a public half that belongs to another secret is refused (key overwriting)', () => {
  const foreign = (name: string) => {
    const secret = readFileSync(new URL(`../../../test/vectors/openpgp/foreign/${name}.tsk`, import.meta.url))
    assert.equal(openSecretKeys(secret).keys.length, 2)
    return { secret }
  }
  for (const keys of [ada, rsa, foreign('nistp256'), foreign('brainpoolP256r1')]) {
    const packets = [...readPackets(keys.secret)]
    for (const index of [0, 3]) {
      const { type, body } = packets[index]!
      // inside the public point, or the modulus
      for (const at of [25, 40]) {
        const changed = Buffer.from(body)
        changed[at] = changed[at]! ^ 1
        const octets = packets.map((one, i) => (i === index ? packet(type, changed) : one.octets))
        assert.throws(() => openSecretKeys(Buffer.concat(octets)), MalformedOpenPgp)
      }
    }
  }
})

test('the secret of another key under our public half is refused', () => {
  const [ours, theirs] = [ada, eve].map((keys) => [...readPackets(keys.secret)])
  const publicSize = [...readPackets(ada.certificate)][0]!.body.length
  const mixed = Buffer.concat([ours![0]!.body.subarray(0, publicSize), theirs![0]!.body.subarray(publicSize)])
  assert.throws(
    () => openSecretKeys(Buffer.concat([packet(5, mixed), ...ours!.slice(1).map((one) => one.octets)])),
    /does not belong/,
  )
})

test('a locked key is said to be locked', async () => {
  const locked = Buffer.from(await lockForExport(ada.secret, Buffer.from('open sesame')))
  assert.throws(() => openSecretKeys(locked), LockedSecretKey)
  await assert.rejects(lockForExport(dearmor(locked).octets, Buffer.from('again')), LockedSecretKey)
})

test('null: not for these keys; one error for everything that is broken', () => {
  for (const keys of [ada, rsa]) {
    const secretKeys = openSecretKeys(keys.secret)
    const pkesk = pkeskFor(keys)
    assert.equal(sessionKeyOf(openSecretKeys(eve.secret), pkesk), null)
    assert.ok(sessionKeyOf(secretKeys, pkesk))
    const errors = new Set<string>()
    for (let at = 10; at < pkesk.length; at += keys === rsa ? 7 : 1) {
      const changed = Buffer.from(pkesk)
      changed[at] = changed[at]! ^ 0x10
      assert.throws(
        () => sessionKeyOf(secretKeys, changed),
        (error: Error) => {
          assert.ok(error instanceof UndecryptableSessionKey, String(error))
          errors.add(error.message)
          return true
        },
      )
    }
    for (const size of [12, 20, pkesk.length - 1]) {
      assert.throws(() => sessionKeyOf(secretKeys, pkesk.subarray(0, size)), UndecryptableSessionKey)
    }
    assert.equal(errors.size, 1)
  }
})

test('a hidden recipient is tried, and is nobody when no key fits', () => {
  for (const keys of [ada, rsa]) {
    const pkesk = pkeskFor(keys)
    pkesk.fill(0, 1, 9)
    assert.ok(sessionKeyOf(openSecretKeys(keys.secret), pkesk))
    assert.equal(sessionKeyOf(openSecretKeys(eve.secret), pkesk), null)
  }
})

test('a small-order point is refused like anything broken', () => {
  const pkesk = pkeskFor(ada)
  // version, key id, algorithm, bit count, prefix; then the point
  pkesk.fill(0, 13, 45)
  assert.throws(() => sessionKeyOf(openSecretKeys(ada.secret), pkesk), UndecryptableSessionKey)
})

test('after wiping nothing opens', () => {
  const keys = openSecretKeys(ada.secret)
  keys.wipe()
  assert.equal(sessionKeyOf(keys, pkeskFor(ada)), null)
})

test('unknown versions are for nobody, garbage is MalformedOpenPgp', () => {
  const keys = openSecretKeys(ada.secret)
  assert.equal(sessionKeyOf(keys, Buffer.of(2, 1, 2, 3)), null)
  assert.throws(() => sessionKeyOf(keys, Buffer.of(3, 1, 2, 3)), MalformedOpenPgp)
  assert.throws(() => openSecretKeys(ada.certificate), MalformedOpenPgp)
})
