/**
 * Keys that GnuPG 2.2, Sequoia (sq) and rnp really make, on their way in: unlocked, judged, cleaned, sealed to and opened; and
 * their revocations. Keys that take long to make are in test/vectors/openpgp/foreign.
 */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { after, test } from 'node:test'
import { withModernSubkey } from '#formats/openpgp/add-subkey.ts'
import { verifyCertificate } from '#formats/openpgp/certificate.ts'
import { cleanCertificate } from '#formats/openpgp/clean.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { type Judgement, judgeKey } from '#formats/openpgp/key-policy.ts'
import { lockForExport } from '#formats/openpgp/lock.ts'
import { makeRevocation, readRevocation, withRevocation } from '#formats/openpgp/revocation.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { openSecretKeys, type SecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { UnsupportedLock, unlockSecretKey, WrongPassphrase } from '#formats/openpgp/unlock.ts'
import { splitMessage, unseal } from '#formats/openpgp/unseal.ts'
import { payloadOf, unwrapEncrypted, wrapEncrypted } from '#formats/pgp-mime/pgp-mime.ts'
import { needs } from '../support/needs.ts'
import { startGpg } from '../support/peers/gpg.ts'
import { run } from '../support/peers/run.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const gpg = await startGpg()
const dir = await temporaryDirectory('foreign')
after(async () => {
  await gpg[Symbol.asyncDispose]()
  await dir[Symbol.asyncDispose]()
})

const passphrase = 'pässphrase'
const letter = Buffer.from('Dear Ada\r\n')
const vector = (name: string) => readFile(new URL(`../vectors/openpgp/foreign/${name}`, import.meta.url))

interface Wish {
  readonly subkey?: string
  readonly expires?: string
  /** The computer's clock when it is made, as GnuPG writes it. */
  readonly at?: string
  readonly options?: readonly string[]
}

/** Makes a key at `address`, locked with the passphrase; answers its fingerprint. */
async function makeKey(address: string, primary: string, wish: Wish = {}): Promise<string> {
  const { subkey, expires = 'never', at, options = [] } = wish
  const clock = at === undefined ? [] : ['--faked-system-time', at]
  const common = [...clock, ...options]
  await gpg.run([...common, '--quick-generate-key', `Ada <${address}>`, primary, 'default', expires], { passphrase })
  const fingerprint = await fingerprintOf(address)
  if (subkey) await gpg.run([...common, '--quick-add-key', fingerprint, subkey, 'encr', expires], { passphrase })
  return fingerprint
}

async function fingerprintOf(address: string): Promise<string> {
  const listed = await gpg.run(['--with-colons', '--list-keys', address])
  return /^fpr:+([0-9A-F]{40}):/m.exec(listed.stdout.toString())![1]!
}

const exported = async (name: string) => (await gpg.run(['--export', name])).stdout
const exportedSecret = async (name: string, what = '--export-secret-keys') =>
  (await gpg.run([what, name], { passphrase })).stdout

function judge(certificate: Uint8Array, address: string, keys: SecretKeys | null, now = Date.now() + 1000): Judgement {
  const held = keys ? keys.keys.map((one) => one.key.fingerprint) : null
  return judgeKey(certificate, { addresses: [address], now, held })
}

const codes = ({ verdict, refusals, warnings }: Judgement) => [
  verdict,
  refusals.map((one) => one.code).join(),
  warnings.map((one) => one.code).join(),
]

/** We seal, they open; they encrypt, we open. */
async function assertExchange(certificate: Uint8Array, keys: SecretKeys, address: string): Promise<void> {
  const { encryptionKeys } = verifyCertificate(certificate, Date.now() + 1000)
  assert.ok((await gpg.decrypt(seal(encryptionKeys, letter).message, passphrase)).equals(letter))
  const args = ['--trust-model', 'always', '--recipient', address, '--encrypt']
  assert.ok(opened((await gpg.run(args, { input: letter })).stdout, keys)?.equals(letter))
}

function opened(message: Uint8Array, keys: SecretKeys): Buffer | null {
  for (const pkesk of splitMessage(message).pkesks) {
    const sessionKey = sessionKeyOf(keys, pkesk)
    if (sessionKey) return Buffer.from(unseal(message, sessionKey))
  }
  return null
}

/** Kind, primary, subkey, verdict, refusals, warnings. */
const kinds = [
  ['Curve25519', 'ed25519', 'cv25519', 'current', '', ''],
  ['NIST P-256', 'nistp256', 'nistp256', 'current', '', ''],
  ['NIST P-384', 'nistp384', 'nistp384', 'current', '', ''],
  ['NIST P-521', 'nistp521', 'nistp521', 'current', '', ''],
  ['Brainpool P-256', 'brainpoolP256r1', 'brainpoolP256r1', 'current', '', ''],
  ['Brainpool P-384', 'brainpoolP384r1', 'brainpoolP384r1', 'current', '', ''],
  ['Brainpool P-512', 'brainpoolP512r1', 'brainpoolP512r1', 'current', '', ''],
  ['RSA 2048', 'rsa2048', 'rsa2048', 'current', '', 'short'],
  ['RSA 1024', 'rsa1024', 'rsa1024', 'refused', 'too-short', ''],
  ['Ed25519 that only signs', 'ed25519', undefined, 'refused', 'no-encryption-key', ''],
  ['Ed25519 with a weak subkey', 'ed25519', 'rsa1024', 'refused', 'too-short', 'subkey-left-out'],
  ['secp256k1', 'secp256k1', 'secp256k1', 'refused', 'unknown-algorithm', ''],
] as const

for (const [kind, primary, subkey, ...expected] of kinds) {
  test(`GnuPG, ${kind}: unlocked, judged, and mail goes both ways`, needs('gpg'), async () => {
    const address = `${kind.toLowerCase().replaceAll(/[^a-z0-9]/g, '')}@alpha.test`
    const fingerprint = await makeKey(address, primary, subkey === undefined ? {} : { subkey })
    const tsk = await exportedSecret(fingerprint)
    const unlocked = await unlockSecretKey(tsk, Buffer.from(passphrase))
    await assert.rejects(unlockSecretKey(tsk, Buffer.from('wrong')), WrongPassphrase)
    const certificate = await exported(fingerprint)
    using keys = openSecretKeys(unlocked)
    assert.equal(keys.certificate.fingerprint, fingerprint)
    const found = judge(certificate, address, keys)
    assert.deepEqual(codes(found), expected, JSON.stringify(found))
    if (found.verdict !== 'current') return
    const clean = cleanCertificate(certificate, Date.now() + 1000)
    assert.deepEqual(codes(judge(clean, address, keys)), expected)
    await assertExchange(clean, keys, address)
    await gpg.import(clean)
  })
}

test(
  'GnuPG, RSA 4096 and DSA with ElGamal, from vectors: with a new subkey GnuPG encrypts to them',
  needs('gpg'),
  async () => {
    for (const name of ['rsa4096', 'dsa2048-elg4096']) {
      const address = name === 'rsa4096' ? 'rob@alpha.test' : 'dora@alpha.test'
      const { secret, certificate } = await withModernSubkey(await vector(`${name}.tsk`), Date.now() - 5000)
      using keys = openSecretKeys(secret)
      const found = judge(certificate, address, keys)
      assert.equal(found.verdict, 'current', JSON.stringify(found))
      await gpg.import(Buffer.from(await lockForExport(secret, Buffer.from(passphrase))))
      await assertExchange(certificate, keys, address)
    }
  },
)

/** Ciphers and hashes of rnp's locks. */
const locks = [
  ['AES128', 'SHA1'],
  ['AES192', 'SHA512'],
  ['AES256', 'SHA3-256'],
  ['TRIPLEDES', 'SHA256'],
  ['CAMELLIA256', 'RIPEMD160'],
  ['CAMELLIA128', 'MD5'],
  ['CAST5', 'SHA256'],
  ['BLOWFISH', 'SHA256'],
  ['TWOFISH', 'SHA256'],
  ['IDEA', 'SHA256'],
] as const
const refused: readonly string[] = ['CAST5', 'BLOWFISH', 'TWOFISH', 'IDEA']

test(
  'rnp: every cipher that there is here unlocks, the others are refused with a remedy that works',
  needs('gpg', 'rnpkeys'),
  async () => {
    await mkdir(dir.join('rnp'), { mode: 0o700 })
    for (const [cipher, hash] of locks) {
      const userId = `${cipher} <${cipher.toLowerCase()}@alpha.test>`
      const rnp = (args: readonly string[]) => run('rnpkeys', ['--homedir', dir.join('rnp'), ...args])
      const key = ['--generate-key', '--userid', userId, '--cipher', cipher, '--hash', hash, '--password', passphrase]
      await rnp([...key, '--numbits', '1024'])
      await rnp(['--export-key', '--secret', cipher, '--force', '--output', dir.join(`${cipher}.key`)])
      const tsk = await readFile(dir.join(`${cipher}.key`))
      const unlock = (from: Uint8Array) => unlockSecretKey(from, Buffer.from(passphrase))
      if (refused.includes(cipher)) {
        await assert.rejects(unlock(tsk), (error: Error) => {
          assert.ok(error instanceof UnsupportedLock)
          assert.match(error.message.toUpperCase(), new RegExp(cipher))
          return true
        })
        await gpg.run(['--import'], { input: tsk, passphrase })
      }
      const readable = refused.includes(cipher) ? await exportedSecret(`${cipher.toLowerCase()}@alpha.test`) : tsk
      using keys = openSecretKeys(await unlock(readable))
      assert.equal(keys.keys.length, 2)
    }
  },
)

test('GnuPG: subkeys alone read mail; the primary stays a public packet', needs('gpg'), async () => {
  const address = 'subkeys@alpha.test'
  const fingerprint = await makeKey(address, 'ed25519', { subkey: 'cv25519' })
  const tsk = await exportedSecret(fingerprint, '--export-secret-subkeys')
  using keys = openSecretKeys(await unlockSecretKey(tsk, Buffer.from(passphrase)))
  assert.equal(keys.keys.length, 1)
  assert.equal(keys.certificate.fingerprint, fingerprint)
  const certificate = await exported(fingerprint)
  assert.deepEqual(codes(judge(certificate, address, keys)), ['current', '', 'no-signing-key'])
  await assertExchange(certificate, keys, address)
})

test('GnuPG: an expired key is for reading', needs('gpg'), async () => {
  const address = 'expired@alpha.test'
  const fingerprint = await makeKey(address, 'ed25519', { subkey: 'cv25519', expires: '1y', at: '20200101T000000' })
  using keys = openSecretKeys(await unlockSecretKey(await exportedSecret(fingerprint), Buffer.from(passphrase)))
  const certificate = await exported(fingerprint)
  assert.deepEqual(codes(judge(certificate, address, keys)), ['reading', 'expired', 'no-signing-key'])
  const then = judge(certificate, address, keys, Date.UTC(2020, 5))
  assert.deepEqual(codes(then), ['current', '', ''])
  assert.equal(then.expires, Date.UTC(2020, 11, 31))
})

test('GnuPG: several user ids, one of them revoked', needs('gpg'), async () => {
  const fingerprint = await makeKey('first@alpha.test', 'ed25519', { subkey: 'cv25519' })
  await gpg.run(['--quick-add-uid', fingerprint, 'Ada <second@alpha.test>'], { passphrase })
  await gpg.run(['--quick-add-uid', fingerprint, 'Ada <third@alpha.test>'], { passphrase })
  await gpg.run(['--quick-revoke-uid', fingerprint, 'Ada <second@alpha.test>'], { passphrase })
  const certificate = await exported(fingerprint)
  assert.equal(judge(certificate, 'FIRST@Alpha.test', null).verdict, 'current')
  assert.equal(judge(certificate, 'third@alpha.test', null).verdict, 'current')
  assert.deepEqual(codes(judge(certificate, 'second@alpha.test', null)), ['refused', 'no-address', ''])
  const wanted = cleanCertificate(certificate, Date.now() + 1000, { keepUserIds: (one) => one.includes('third') })
  assert.deepEqual(verifyCertificate(wanted, Date.now() + 1000).userIds, ['Ada <third@alpha.test>'])
})

test(
  'GnuPG: self-signatures with SHA-1 count when they are old, and are renewed as the refusal says',
  needs('gpg'),
  async () => {
    const options = ['--cert-digest-algo', 'SHA1', '--allow-weak-digest-algos']
    await makeKey('old@alpha.test', 'rsa2048', { subkey: 'rsa2048', at: '20180101T000000', options })
    const old = judge(await exported('old@alpha.test'), 'old@alpha.test', null)
    assert.deepEqual(codes(old), ['current', '', 'short,old-self-signature'])
    const fingerprint = await makeKey('sha1@alpha.test', 'rsa2048', {
      subkey: 'rsa2048',
      at: '20240101T000000',
      options,
    })
    const sha1 = judge(await exported('sha1@alpha.test'), 'sha1@alpha.test', null)
    assert.deepEqual(codes(sha1), ['refused', 'old-self-signature', ''])
    await gpg.run(['--quick-set-expire', fingerprint, '2y'], { passphrase })
    await gpg.run(['--quick-set-expire', fingerprint, '2y', '*'], { passphrase })
    assert.deepEqual(codes(judge(await exported('sha1@alpha.test'), 'sha1@alpha.test', null)), ['current', '', 'short'])
  },
)

test('revocations that GnuPG makes are read, and GnuPG takes ours', needs('gpg'), async () => {
  const address = 'revoked@alpha.test'
  const fingerprint = await makeKey(address, 'ed25519', { subkey: 'cv25519' })
  const certificate = await exported(fingerprint)
  const stored = await readFile(`${gpg.home}/openpgp-revocs.d/${fingerprint}.rev`)
  const questions = 'y\n1\nnew key\n\ny\n'
  // the command refuses batch mode
  const generate = ['--homedir', gpg.home, '--no-tty', '--pinentry-mode', 'loopback', '--command-fd', '0']
  const secret = ['--passphrase-file', dir.join('passphrase'), '--armor', '--gen-revoke', fingerprint]
  await writeFile(dir.join('passphrase'), passphrase, { mode: 0o600 })
  const asked = (await run('gpg', [...generate, ...secret], { input: questions })).stdout
  for (const file of [stored, asked]) {
    const read = readRevocation(file, certificate)
    assert.ok(read, file.toString())
    const revoked = withRevocation(certificate, read)
    assert.deepEqual(codes(judge(revoked, address, null)), ['reading', 'revoked', 'no-signing-key'])
  }
  using keys = openSecretKeys(await unlockSecretKey(await exportedSecret(fingerprint), Buffer.from(passphrase)))
  const ours = makeRevocation(keys, { created: Date.now() - 60_000, reason: 2, text: 'lost — gone' })
  await gpg.import(Buffer.from(ours))
  const after = await exported(fingerprint)
  assert.equal(verifyCertificate(after, Date.now() + 1000).revoked, true)
  assert.ok(readRevocation(after, certificate)?.equals(Buffer.from(ours)))
})

test('sq: its keys are accepted, its revocation is read, and mail goes both ways', needs('sq'), async () => {
  const at = dir.join
  await run('sq', ['key', 'generate', '--userid', 'Sue <sue@alpha.test>', '--export', at('sq.key')])
  const unlocked = await unlockSecretKey(await readFile(at('sq.key')), null)
  using keys = openSecretKeys(unlocked)
  await run('sq', ['key', 'extract-cert', '--output', at('sq.cert'), at('sq.key')])
  const certificate = await readFile(at('sq.cert'))
  assert.deepEqual(codes(judge(certificate, 'sue@alpha.test', keys)), ['current', '', ''])
  const clean = cleanCertificate(certificate, Date.now() + 1000)
  await writeFile(at('sq.clean'), clean)
  await writeFile(at('sq.sealed'), seal(verifyCertificate(clean, Date.now() + 1000).encryptionKeys, letter).message)
  const plain = await run('sq', ['decrypt', '--recipient-key', at('sq.key'), at('sq.sealed')])
  assert.ok(plain.stdout.equals(letter))
  const theirs = await run('sq', ['encrypt', '--recipient-cert', at('sq.clean')], { input: letter })
  assert.ok(opened(theirs.stdout, keys)?.equals(letter))
  const args = ['revoke', 'certificate', '--certificate', at('sq.cert'), '--revocation-key', at('sq.key')]
  const revocation = (await run('sq', [...args, 'retired', 'gone'])).stdout
  const read = readRevocation(revocation, certificate)!
  assert.equal(verifyCertificate(withRevocation(clean, read), Date.now() + 1000).revoked, true)
})

test('a version 6 key and RSA-4096 are made, locked and unlocked', async () => {
  for (const algorithm of ['v6-curve25519', 'rsa4096'] as const) {
    const made = await generateKeys({ userId: 'Ada <ada@alpha.test>', algorithm, created: new Date(Date.now() - 1000) })
    const locked = Buffer.from(await lockForExport(made.secret, Buffer.from(passphrase)))
    assert.ok((await unlockSecretKey(locked, Buffer.from(passphrase))).equals(made.secret))
    assert.deepEqual(codes(judge(made.certificate, 'ada@alpha.test', null)), ['current', '', ''])
  }
})

test(
  'a wrapped message: gpg gives the payload to the octet, Mutt shows subject and text',
  needs('gpg', 'mutt'),
  async () => {
    const created = new Date(Date.now() - 5000)
    const made = await generateKeys({ userId: 'Mia <mia@alpha.test>', algorithm: 'curve25519', created })
    await gpg.import(made.secret)
    const message = Buffer.from(
      'From: Bob <bob@beta.test>\r\nTo: mia@alpha.test\r\nSubject: The merger\r\nMessage-ID: <1@beta.test>\r\n' +
        'Date: Fri, 1 Mar 2024 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nIt is on.\r\n',
    )
    const { encryptionKeys } = verifyCertificate(made.certificate, Date.now())
    const wrapped = wrapEncrypted(message, seal(encryptionKeys, payloadOf(message)).message)
    assert.ok((await gpg.decrypt(unwrapEncrypted(wrapped)!)).equals(payloadOf(message)))
    const mbox = `From bob@beta.test Fri Mar  1 10:00:00 2024\n${wrapped.toString('latin1').replaceAll('\r\n', '\n')}\n`
    await writeFile(dir.join('mbox'), mbox)
    assert.doesNotMatch(mbox, /merger/)
    const settings = [
      'set crypt_use_gpgme=yes',
      `set folder="${dir.join('')}"`,
      'set mbox_type=mbox',
      'set wait_key=no',
      'set sleep_time=0',
      'set pipe_decode=yes',
      `push '<display-message>q<pipe-message>cat>${dir.join('shown')}<enter><quit>'`,
    ]
    await writeFile(dir.join('muttrc'), `${settings.join('\n')}\n`)
    const env = { GNUPGHOME: gpg.home, TERM: 'xterm', HOME: dir.join(''), LC_ALL: 'C.UTF-8' }
    const command = `stty rows 40 cols 120; mutt -R -n -F ${dir.join('muttrc')} -f ${dir.join('mbox')}`
    const { output } = await run('script', ['-qefc', command, '/dev/null'], { env, mayFail: true })
    assert.match(output, /Bob.*The merger/)
    assert.match(await readFile(dir.join('shown'), 'utf8'), /It is on\./)
  },
)
