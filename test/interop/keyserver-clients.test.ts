/**
 * GnuPG with its Web Key Service client, Sequoia and curl fetch keys from our keyserver with our own CA. The Web Key Directory knows no
 * port but 443 and takes names from DNS: its clients run where /etc/hosts and the CA bundle are others (a mount namespace of their own),
 * against port 443 of a loopback address.
 */
import assert from 'node:assert/strict'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { needs } from '../support/needs.ts'
import { type Gpg, startGpg } from '../support/peers/gpg.ts'
import { run } from '../support/peers/run.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

const ann = { address: 'ann@alpha.test', password: 'the password of ann' }

describe('clients of the keyserver', needs('gpg', 'dirmngr', 'sq', 'curl', 'root'), () => {
  let directory: TemporaryDirectory
  let provider: Provider
  let server: string
  let old: string
  let current: string

  const fingerprint = async () => {
    const { certificates } = await provider.json<{ certificates: { fingerprint: string; current: boolean }[] }>([
      'account',
      'show',
      ann.address,
    ])
    return certificates.find((one) => one.current)!.fingerprint
  }

  before(async () => {
    directory = await temporaryDirectory('hkp')
    provider = await makeProvider({
      directory: directory.path,
      domain: 'alpha.test',
      accounts: [ann],
      settings: { 'ports.https': '443' },
    })
    await provider.start()
    server = `hkps://${provider.host}`
    old = await fingerprint()
    await provider.command(['key', 'rotate', ann.address, '--password-stdin'], { input: `${ann.password}\n` })
    current = await fingerprint()
    assert.notEqual(current, old)
  })

  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  /** GnuPG takes a CA for keyservers as a file that is called .pem, and addresses instead of names only from the system's resolver. */
  async function withKeyserver(): Promise<Gpg> {
    const gpg = await startGpg()
    await copyFile(provider.ca, join(gpg.home, 'ca.pem'))
    const lines = [`hkp-cacert ${join(gpg.home, 'ca.pem')}`, 'standard-resolver', '']
    await writeFile(join(gpg.home, 'dirmngr.conf'), lines.join('\n'))
    return gpg
  }

  const listed = async (gpg: Gpg) => (await gpg.run(['--list-keys', '--with-colons'])).stdout.toString()

  it('GnuPG searches and locates the current key by address', async () => {
    await using gpg = await withKeyserver()
    const found = await gpg.run(['--keyserver', server, '--search-keys', ann.address], { mayFail: true })
    assert.match(found.stdout.toString(), /<ann@alpha\.test>/)
    await gpg.run(['--keyserver', server, '--auto-key-locate', 'clear,keyserver', '--locate-keys', ann.address])
    const keys = await listed(gpg)
    assert.match(keys, new RegExp(`^fpr:+${current}:`, 'm'))
    assert.doesNotMatch(keys, new RegExp(old))
  })

  it('GnuPG receives the old key revoked, and refreshes what it has', async () => {
    await using gpg = await withKeyserver()
    await gpg.run(['--keyserver', server, '--recv-keys', old])
    assert.match(await listed(gpg), /^pub:r:/m)
    await gpg.run(['--keyserver', server, '--recv-keys', current.slice(24)])
    assert.match(await listed(gpg), new RegExp(`^fpr:+${current}:`, 'm'))
    await gpg.run(['--keyserver', server, '--refresh-keys'])
  })

  it('GnuPG gets nothing by a short id, and cannot send', async () => {
    await using gpg = await withKeyserver()
    for (const args of [
      ['--recv-keys', current.slice(32)],
      ['--search-keys', 'alpha.test'],
    ]) {
      const { code } = await gpg.run(['--keyserver', server, ...args], { mayFail: true })
      assert.notEqual(code, 0)
    }
    await gpg.run(['--keyserver', server, '--recv-keys', current])
    assert.notEqual((await gpg.run(['--keyserver', server, '--send-keys', current], { mayFail: true })).code, 0)
  })

  it('Sequoia gets by address, fingerprint and key id', async () => {
    const env = { SSL_CERT_FILE: provider.ca }
    for (const [search, wanted] of [
      [ann.address, current],
      [current, current],
      [old.slice(24), old],
    ] as const) {
      const { stdout } = await run('sq', ['keyserver', '--server', server, 'get', search], { env })
      const certificate = parseCertificate(stdout)
      assert.equal(certificate.fingerprint, wanted)
      assert.equal(certificate.revoked, wanted === old)
    }
  })

  it('curl asks again with what it knows', async () => {
    const etag = directory.join('etag')
    const url = `https://${provider.host}/pks/v2/certs/by-identity/${ann.address}`
    const curl = (...args: string[]) => run('curl', ['--silent', '--fail', '--cacert', provider.ca, ...args, url])
    const first = await curl('--etag-save', etag)
    assert.equal(parseCertificate(first.stdout).fingerprint, current)
    const again = await curl('--etag-compare', etag, '--write-out', '%{http_code}')
    assert.equal(again.stdout.toString(), '304')
  })

  describe('in the Web Key Directory', needs('mounting'), () => {
    /** Where openpgpkey.alpha.test is our server, and our CA is the system's. */
    async function elsewhere(command: string): Promise<Buffer> {
      const [hosts, bundle] = [directory.join('hosts'), directory.join('bundle.pem')]
      await writeFile(hosts, `127.0.0.1 localhost\n${provider.host} openpgpkey.alpha.test\n`)
      await writeFile(bundle, await readFile(provider.ca))
      const mounts = `mount --bind ${hosts} /etc/hosts && mount --bind ${bundle} /etc/ssl/certs/ca-certificates.crt`
      const args = ['--mount', 'sh', '-ec', `${mounts}\n${command}`]
      return (await run('unshare', args, { env: { SSL_CERT_FILE: bundle } })).stdout
    }

    it('Sequoia finds the key', async () => {
      const certificate = parseCertificate(await elsewhere(`sq wkd get ${ann.address}`))
      assert.equal(certificate.fingerprint, current)
      assert.deepEqual(certificate.userIds, [`<${ann.address}>`])
    })

    /** The program that users of GnuPG check a provider with. It is not on the PATH. */
    async function wksClient(...args: readonly string[]): Promise<string> {
      await using gpg = await withKeyserver()
      const client = '"$(gpgconf --list-dirs libexecdir)"/gpg-wks-client --verbose'
      const ran = `${client} ${args.join(' ')} 2>&1 && echo yes || echo no`
      return (await elsewhere(`export GNUPGHOME=${gpg.home}\n${ran}\ngpgconf --kill all`)).toString()
    }

    it('the Web Key Service client finds the key', needs('/usr/lib/gnupg/gpg-wks-client'), async () => {
      const found = await wksClient('--check', ann.address)
      assert.match(found, /found via WKD[\s\S]*\nyes\n$/)
      assert.match(found, new RegExp(`fingerprint: ${current}`))
      assert.match(await wksClient('--check', 'nobody@alpha.test'), /NOT found via WKD\nno\n$/)
      // Domain, has a directory, takes keys by mail, no error.
      assert.match(await wksClient('--supported', '--with-colons', 'alpha.test'), /^alpha\.test:1:0::/m)
    })

    it('GnuPG finds the key', async () => {
      await using gpg = await withKeyserver()
      const locate = `gpg --batch --auto-key-locate clear,nodefault,wkd --locate-keys ${ann.address}`
      await elsewhere(`export GNUPGHOME=${gpg.home}\n${locate}\ngpgconf --kill all`)
      assert.match(await listed(gpg), new RegExp(`^fpr:+${current}:`, 'm'))
    })
  })
})
