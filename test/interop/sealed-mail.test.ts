/** What others make of a message that we sealed: GnuPG, Sequoia and GopenPGP open it, believe its signature and do not mind whom it names. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { openSecretKeys } from '#formats/openpgp/secret-key.ts'
import { signDetached } from '#formats/openpgp/sign.ts'
import { payloadOf, unwrapEncrypted } from '#formats/pgp-mime/pgp-mime.ts'
import type { Bytes } from '#lib/bytes.ts'
import { addressSealed, openLater, sealForLater, sealMessage } from '#privacy/e2e/seal.ts'
import { needs } from '../support/needs.ts'
import { AGENT_SETTINGS } from '../support/peers/gpg.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const dir = await temporaryDirectory('sealed')
const home = dir.join('home')
mkdirSync(home, { mode: 0o700 })
writeFileSync(join(home, 'gpg-agent.conf'), AGENT_SETTINGS)
after(async () => {
  spawnSync('gpgconf', ['--homedir', home, '--kill', 'all'])
  await dir[Symbol.asyncDispose]()
})

const now = Date.now()
const made = await generateKeys({
  userId: 'Ada <ada@alpha.test>',
  algorithm: 'curve25519',
  created: new Date(now - 60_000),
})
const author = openSecretKeys(made.secret)
const sign = async (payload: Bytes, recipients: readonly string[]) =>
  signDetached(author, payload, now - 1000, { recipients })

const letter = (size: number) =>
  Buffer.from(
    [
      'From: Ada <ada@alpha.test>',
      'To: Bob <bob@beta.test>',
      'Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: 8bit',
      '',
      `${'Es geht los. '.repeat(5)}\r\n`.repeat(size / 67),
    ].join('\r\n'),
  )
const messages = [letter(500), letter(1_200_000)]

/** Every way in which a message is sealed. */
async function sealings(message: Buffer, certificate: Bytes): Promise<readonly Buffer[]> {
  const { content, sessionKey } = await sealForLater(message, sign)
  assert.ok((await openLater(content, sessionKey)).equals(message))
  return [
    await sealMessage(message, { certificates: [certificate], sign }),
    await sealMessage(message, { certificates: [made.certificate, certificate], sign }),
    await addressSealed(content, sessionKey, [certificate]),
  ]
}

function gpg(args: readonly string[], input?: Uint8Array) {
  const common = ['--homedir', home, '--batch', '--status-fd', '2', '--trust-model', 'always']
  const ran = spawnSync('gpg', [...common, ...args], { input, maxBuffer: 1 << 28 })
  assert.equal(ran.status, 0, String(ran.stderr))
  return { out: ran.stdout, status: String(ran.stderr) }
}

for (const [primary, subkey] of [
  ['ed25519', 'cv25519'],
  ['rsa3072', 'rsa3072'],
  ['nistp256', 'nistp256'],
] as const) {
  test(`GnuPG with a key of ${primary}`, needs('gpg'), async () => {
    const user = `${primary}@beta.test`
    const unlocked = ['--passphrase', '', '--pinentry-mode', 'loopback']
    gpg([...unlocked, '--quick-generate-key', user, primary, 'sign', '1y'])
    const listed = gpg(['--with-colons', '--list-keys', user]).out.toString()
    const own = /^fpr:+([0-9A-F]{40}):/m.exec(listed)![1]!
    gpg([...unlocked, '--quick-add-key', own, subkey, 'encr', '1y'])
    gpg(['--import'], made.certificate)
    const certificate = gpg(['--export', user]).out
    for (const message of messages) {
      for (const content of await sealings(message, certificate)) {
        const { out, status } = gpg([...unlocked, '--decrypt'], unwrapEncrypted(content)!)
        assert.ok(out.equals(payloadOf(message, 'travel')))
        assert.match(status, /DECRYPTION_OKAY/)
        assert.match(status, new RegExp(`VALIDSIG ${author.certificate.fingerprint} `))
      }
    }
    const [content] = await sealings(messages[0]!, certificate)
    const packets = gpg([...unlocked, '--list-packets'], unwrapEncrypted(content!)!).out.toString()
    assert.match(packets, /hashed subpkt 35 len 21 /)
    assert.doesNotMatch(packets, /critical hashed subpkt 35/)
  })
}

/** gosop of Debian 12 hands out text with the line ends of the system. */
const lines = (octets: Buffer) => octets.toString().replaceAll('\r\n', '\n')

for (const peer of ['sqop', 'gosop'] as const) {
  test(`${peer} with a key of its own`, needs(peer), async () => {
    const run = (args: readonly string[], input?: Uint8Array): Buffer => {
      const ran = spawnSync(peer, args, { input, maxBuffer: 1 << 28 })
      assert.equal(ran.status, 0, String(ran.stderr))
      return ran.stdout
    }
    const key = dir.join(`${peer}.key`)
    const signer = dir.join('author.cert')
    writeFileSync(key, run(['generate-key', 'Bob <bob@beta.test>']))
    writeFileSync(signer, made.certificate)
    const { bytes: certificate } = parseCertificate(run(['extract-cert'], readFileSync(key)))
    for (const message of messages) {
      for (const [index, content] of (await sealings(message, certificate)).entries()) {
        const verified = dir.join(`${peer}.${message.length}.${index}`)
        const opened = run(
          ['decrypt', `--verify-with=${signer}`, `--verify-out=${verified}`, key],
          unwrapEncrypted(content)!,
        )
        assert.equal(lines(opened), lines(payloadOf(message, 'travel')))
        assert.match(readFileSync(verified, 'utf8'), new RegExp(author.certificate.fingerprint))
      }
    }
  })
}
