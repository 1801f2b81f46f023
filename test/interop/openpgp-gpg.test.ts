/** GnuPG 2.2 and Thunderbird's library (rnp) beside our engine: each reads what the other wrote, to the octet. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parseCertificate, verifyCertificate } from '#formats/openpgp/certificate.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { lockForExport } from '#formats/openpgp/lock.ts'
import { packet } from '#formats/openpgp/packets.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { openSecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { signDetached } from '#formats/openpgp/sign.ts'
import { splitMessage, unseal, unsealSigned } from '#formats/openpgp/unseal.ts'
import { verifySignatures } from '#formats/openpgp/verify.ts'
import { needs } from '../support/needs.ts'
import { AGENT_SETTINGS } from '../support/peers/gpg.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const dir = await temporaryDirectory('gpg')
const home = dir.join('home')
mkdirSync(home, { mode: 0o700 })
writeFileSync(join(home, 'gpg-agent.conf'), AGENT_SETTINGS)
after(async () => {
  spawnSync('gpgconf', ['--homedir', home, '--kill', 'all'])
  await dir[Symbol.asyncDispose]()
})

function gpg(args: readonly string[], input?: Uint8Array): Buffer {
  const common = ['--homedir', home, '--batch', '--pinentry-mode', 'loopback']
  const ran = spawnSync('gpg', [...common, ...args], { input, maxBuffer: 1 << 28 })
  assert.equal(ran.status, 0, String(ran.stderr))
  assert.doesNotMatch(String(ran.stderr), /WARNING: (encrypted|message|key .* contains)/)
  return ran.stdout
}

const PASSPHRASE = 'correct horse'
const unlockedBy = ['--passphrase', PASSPHRASE]
const contents = [Buffer.alloc(0), Buffer.from('Dear Ada\r\n'), randomBytes(20_000), randomBytes(200_000)]

for (const algorithm of ['curve25519', 'rsa3072'] as const) {
  test(
    `${algorithm}: an exported key opens stored messages in GnuPG, and GnuPG's mail opens here`,
    needs('gpg'),
    async () => {
      const name = `${algorithm}@alpha.test`
      const made = await generateKeys({ userId: `Ada <${name}>`, algorithm, created: new Date(Date.now() - 60_000) })
      const keys = openSecretKeys(made.secret)
      const [recipient] = parseCertificate(made.certificate).encryptionKeys
      gpg(['--import'], Buffer.from(await lockForExport(made.secret, Buffer.from(PASSPHRASE))))
      for (const content of contents) {
        const { message } = seal([recipient!], content)
        assert.ok(gpg([...unlockedBy, '--decrypt'], message).equals(content))
        const theirs = gpg(['--trust-model', 'always', '--recipient', name, '--encrypt'], content)
        const sessionKey = sessionKeyOf(keys, splitMessage(theirs).pkesks[0]!)!
        assert.ok(Buffer.from(unseal(theirs, sessionKey)).equals(content))
      }
      const [content] = contents.slice(2)
      writeFileSync(dir.join('content'), content!)
      writeFileSync(dir.join('signature'), signDetached(keys, content!, Date.now() - 1000))
      gpg(['--verify', dir.join('signature'), dir.join('content')])

      const signed = gpg(
        [...unlockedBy, '--trust-model', 'always', '--local-user', name, '--recipient', name, '--sign', '--encrypt'],
        content,
      )
      const inner = unsealSigned(signed, sessionKeyOf(keys, splitMessage(signed).pkesks[0]!)!)
      const found = verifySignatures(inner.signatures, inner.content, [made.certificate], Date.now() + 1000)
      assert.equal(found[0]?.certificate, keys.certificate.fingerprint)

      const exported = gpg(['--export', name])
      assert.equal(verifyCertificate(exported, Date.now()).fingerprint, keys.certificate.fingerprint)
      gpg(['--import'], Buffer.from(made.revocation))
      const revoked = verifyCertificate(gpg(['--export', name]), Date.now())
      assert.equal(revoked.revoked, true)
      assert.deepEqual(revoked.encryptionKeys, [])
    },
  )
}

/** Kinds of keys that GnuPG makes and people bring; DSA with ElGamal is for reading old mail only, and not by this engine. */
const kinds = {
  Curve25519: ['ed25519', 'cv25519'],
  'NIST P-256': ['nistp256', 'nistp256'],
  'NIST P-521': ['nistp521', 'nistp521'],
  'Brainpool P-256': ['brainpoolP256r1', 'brainpoolP256r1'],
  'Brainpool P-512': ['brainpoolP512r1', 'brainpoolP512r1'],
  'RSA 2048': ['rsa2048', 'rsa2048'],
} as const

for (const [kind, [primary, subkey]] of Object.entries(kinds)) {
  test(`${kind}: a key that GnuPG made seals, opens and is believed here`, needs('gpg'), () => {
    const name = `${primary}@gnupg.test`
    gpg(['--passphrase', '', '--quick-generate-key', name, primary, 'default', 'never'])
    const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(gpg(['--with-colons', '--list-keys', name]).toString())![1]!
    gpg(['--passphrase', '', '--quick-add-key', fingerprint, subkey, 'encr', 'never'])
    const certificate = verifyCertificate(gpg(['--export', name]), Date.now() + 1000)
    assert.equal(certificate.fingerprint, fingerprint)
    const keys = openSecretKeys(gpg(['--passphrase', '', '--export-secret-keys', name]))
    for (const content of contents) {
      const sealed = seal(certificate.encryptionKeys, content).message
      assert.ok(gpg(['--passphrase', '', '--decrypt'], sealed).equals(content))
      const theirs = gpg(['--trust-model', 'always', '--recipient', name, '--encrypt'], content)
      assert.ok(Buffer.from(unseal(theirs, sessionKeyOf(keys, splitMessage(theirs).pkesks[0]!)!)).equals(content))
    }
    writeFileSync(dir.join('brought'), contents[2]!)
    gpg([
      '--passphrase',
      '',
      '--local-user',
      name,
      '--yes',
      '--output',
      dir.join('brought.sig'),
      '--detach-sign',
      dir.join('brought'),
    ])
    const [signature] = [readFileSync(dir.join('brought.sig'))].map((octets) =>
      octets.subarray(octets[1]! < 192 && octets[0]! & 0x40 ? 2 : octets[0]! & 1 ? 3 : 2),
    )
    assert.equal(verifySignatures([signature!], contents[2]!, [certificate.bytes], Date.now() + 1000).length, 1)
  })
}

test('GnuPG refuses what we refuse: a container without integrity protection', needs('gpg'), async () => {
  const made = await generateKeys({
    userId: 'sed@alpha.test',
    algorithm: 'curve25519',
    created: new Date(Date.now() - 60_000),
  })
  gpg(['--import'], Buffer.from(await lockForExport(made.secret, Buffer.from(PASSPHRASE))))
  const { message } = seal(parseCertificate(made.certificate).encryptionKeys, contents[1]!)
  const { pkesks, container } = splitMessage(message)
  const stripped = Buffer.concat([packet(1, pkesks[0]!), packet(9, container.subarray(4, -22))])
  const ran = spawnSync(
    'gpg',
    ['--homedir', home, '--batch', '--pinentry-mode', 'loopback', ...unlockedBy, '--decrypt'],
    { input: stripped },
  )
  assert.notEqual(ran.status, 0)
  assert.throws(() => splitMessage(stripped), /without integrity/)
})

test('rnp, which Thunderbird uses, opens stored messages to the octet', needs('rnp'), async () => {
  const made = await generateKeys({
    userId: 'rnp@alpha.test',
    algorithm: 'curve25519',
    created: new Date(Date.now() - 60_000),
  })
  writeFileSync(dir.join('rnp.key'), await lockForExport(made.secret, Buffer.from(PASSPHRASE)))
  for (const [index, content] of contents.slice(1).entries()) {
    const sealed = dir.join(`rnp.${index}`)
    writeFileSync(sealed, seal(parseCertificate(made.certificate).encryptionKeys, content).message)
    const ran = spawnSync('rnp', [
      '--keyfile',
      dir.join('rnp.key'),
      '--password',
      PASSPHRASE,
      '--decrypt',
      '--output',
      `${sealed}.out`,
      sealed,
    ])
    assert.equal(ran.status, 0, String(ran.stderr))
    assert.ok(readFileSync(`${sealed}.out`).equals(content))
  }
})
