/**
 * GnuPG as the other side. gina@gamma.test has no Letterlock: her key stands in her domain's signed DNS (OPENPGPKEY), she finds ours by
 * our keyservers, and makes and reads PGP/MIME by hand.
 */
import assert from 'node:assert/strict'
import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { openPgpKeyName } from '#formats/hkp/names.ts'
import { type Correspondent, fieldsOf, letter, mailArrived, submit } from '../support/correspondence.ts'
import type { ZoneRecord } from '../support/fake-dns.ts'
import { type FakeMta, startFakeMta } from '../support/fake-mta.ts'
import { needs } from '../support/needs.ts'
import { type Gpg, startGpg } from '../support/peers/gpg.ts'
import { freePort, ownLoopback } from '../support/peers/run.ts'
import { swaks } from '../support/peers/swaks.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'
import { startWorld, type World } from '../support/world.ts'

const alicesAccount = { address: 'alice@alpha.test', password: 'the password of alice' }
const GINA = 'gina@gamma.test'
const peers = needs('knotd', 'keymgr', 'kzonesign', 'unbound', 'gpg', 'dirmngr', 'swaks')

describe('with GnuPG on the other side', peers, () => {
  const closing = new AsyncDisposableStack()
  let directory: TemporaryDirectory
  let world: World
  let mta: FakeMta
  let gina: Gpg
  let alice: Correspondent

  before(async () => {
    directory = closing.use(await temporaryDirectory('end-to-end-gpg'))
    gina = closing.use(await startGpg())
    const host = ownLoopback()
    mta = closing.use(await startFakeMta({ host, port: await freePort(host) }))
    await gina.run(['--quick-generate-key', `Gina <${GINA}>`, 'future-default', 'default', 'never'])
    const { stdout } = await gina.run(['--export-options', 'export-minimal', '--export', GINA])
    const keyName = `${openPgpKeyName({ local: 'gina', domain: 'gamma.test' })}.`
    const records: ZoneRecord[] = [
      { name: 'gamma.test.', type: 'MX', value: '10 mx.gamma.test.' },
      { name: 'mx.gamma.test.', type: 'A', value: host },
      { name: keyName, type: 'OPENPGPKEY', value: stdout.toString('base64') },
    ]
    world = closing.use(
      await startWorld({
        directory: directory.path,
        providers: { 'alpha.test': [alicesAccount] },
        others: { 'gamma.test': records },
        names: 'signed',
        mailPort: mta.port,
      }),
    )
    alice = { ...alicesAccount, provider: world.providers['alpha.test']! }
    await copyFile(alice.provider.ca, join(gina.home, 'ca.pem'))
    const lines = [`hkp-cacert ${join(gina.home, 'ca.pem')}`, 'standard-resolver', '']
    await writeFile(join(gina.home, 'dirmngr.conf'), lines.join('\n'))
  })
  after(() => closing.disposeAsync())

  async function toAlice(message: string): Promise<void> {
    const { host, ports } = alice.provider
    const letter = { from: GINA, to: [alice.address], message: Buffer.from(message) }
    const ran = await swaks({ host, port: ports.smtp, ...letter, tls: 'starttls' })
    assert.equal(ran.code, 0, ran.output)
  }

  const keyserver = () => ['--keyserver', `hkps://${alice.provider.host}:${alice.provider.ports.https}`]

  it('it opens and verifies what we send, with our keyserver alone', async () => {
    const sent = letter({ From: alice.address, To: GINA, Subject: 'Plans for the garden' }, 'Tulips. Everywhere.')
    const { code, lines } = await submit({ author: alice, to: [GINA], message: sent })
    assert.equal(code, 250, lines.join('\n'))
    await mta.taken(1)
    const { content } = mta.messages[0]!
    assert.doesNotMatch(content, /garden|Tulips/)
    assert.match(content, /^Subject: \[\.\.\.\]\r$/m)
    const options = [...keyserver(), '--auto-key-retrieve', '--status-fd', '2', '--trust-model', 'always']
    const opened = await gina.run([...options, '--decrypt'], {
      input: Buffer.from(content.slice(content.indexOf('-----BEGIN PGP'))),
    })
    assert.match(opened.stdout.toString(), /^Subject: Plans for the garden\r$/m)
    assert.match(opened.stdout.toString(), /Tulips\. Everywhere\./)
    const { certificates } = await alice.provider.json<{ certificates: { fingerprint: string }[] }>([
      'account',
      'show',
      alice.address,
    ])
    assert.match(opened.stderr, new RegExp(`^\\[GNUPG:\\] VALIDSIG ${certificates[0]!.fingerprint} `, 'm'))
    assert.match(opened.stderr, /^\[GNUPG:\] DECRYPTION_OKAY/m)
  })

  it('we open and verify what it made, with a key from a signed zone', async () => {
    const locate = [...keyserver(), '--auto-key-locate', 'clear,keyserver', '--trust-model', 'always']
    const inner = ['Content-Type: text/plain; charset=utf-8', '', 'Roses too, then.', ''].join('\r\n')
    const args = [...locate, '--armor', '--sign', '--encrypt', '--recipient', alice.address]
    const { stdout } = await gina.run(args, { input: Buffer.from(inner) })
    const message = [
      `From: Gina <${GINA}>`,
      `To: ${alice.address}`,
      'Subject: Re: ...',
      'Date: Sun, 22 Nov 2026 09:00:00 +0000',
      'Message-ID: <roses@gamma.test>',
      'MIME-Version: 1.0',
      'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="b"',
      '',
      '--b',
      'Content-Type: application/pgp-encrypted',
      '',
      'Version: 1',
      '--b',
      'Content-Type: application/octet-stream',
      '',
      `${stdout.toString().trimEnd().replaceAll(/\r?\n/g, '\r\n')}`,
      '--b--',
      '',
    ].join('\r\n')
    await toAlice(message)
    const [read] = await mailArrived(alice, 1)
    assert.match(read!.toString(), /\r\n\r\nRoses too, then\.\r\n$/)
    const { stdout: listed } = await gina.run(['--list-keys', '--with-colons', GINA])
    const [, fingerprint] = /^fpr:+([0-9A-F]{40}):/m.exec(listed.toString())!
    const [results = ''] = fieldsOf(read!, 'Authentication-Results')
    assert.match(results, /^mail\.alpha\.test;\s*openpgp=pass\b/)
    assert.match(results, /openpgpkey/)
    assert.ok(results.toUpperCase().includes(fingerprint!), results)
  })

  it('what it only signed is verified too', async () => {
    const part = ['Content-Type: text/plain; charset=utf-8', '', 'Signed, for all to read.'].join('\r\n')
    const { stdout } = await gina.run(['--armor', '--detach-sign', '--digest-algo', 'SHA256'], {
      input: Buffer.from(part),
    })
    const message = [
      `From: ${GINA}`,
      `To: ${alice.address}`,
      'Subject: For all',
      'Date: Sun, 22 Nov 2026 09:10:00 +0000',
      'Message-ID: <signed@gamma.test>',
      'MIME-Version: 1.0',
      'Content-Type: multipart/signed; micalg=pgp-sha256; protocol="application/pgp-signature"; boundary="s"',
      '',
      '--s',
      part,
      '--s',
      'Content-Type: application/pgp-signature',
      '',
      stdout.toString().trimEnd().replaceAll(/\r?\n/g, '\r\n'),
      '--s--',
      '',
    ].join('\r\n')
    await toAlice(message)
    const read = (await mailArrived(alice, 2)).find((one) => one.includes('<signed@gamma.test>'))
    assert.ok(read)
    assert.ok(read.toString().endsWith(message.slice(message.indexOf('\r\n\r\n--s'))), read.toString())
    assert.match(fieldsOf(read, 'Authentication-Results')[0] ?? '', /^mail\.alpha\.test;\s*openpgp=pass\b/)
  })
})
