/**
 * Keys that owners bring, made by GnuPG and Sequoia, through the command line of a running provider: what is refused changes nothing,
 * what is taken loses no message, and what only a device can read the server cannot.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { formsOf, sweep } from '../support/canary.ts'
import { type Needles, searchMemory } from '../support/memory-image.ts'
import { needs } from '../support/needs.ts'
import { type Gpg, startGpg } from '../support/peers/gpg.ts'
import { run } from '../support/peers/run.ts'
import { pidsOf } from '../support/processes.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { Reader } from '../support/reader.ts'
import { dotStuffed, openLine } from '../support/smtp-line.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

const ada = { address: 'ada@alpha.test', password: 'the password of ada' }
const PASSPHRASE = 'the passphrase of the key'

interface Listed {
  readonly custody: string
  readonly keys: readonly {
    readonly fingerprint: string
    readonly algorithm: string
    readonly use: string
    readonly custody: string
    readonly revoked: boolean
  }[]
}

describe('keys of the owner', needs('gpg', 'sq'), () => {
  let directory: TemporaryDirectory
  let provider: Provider
  let gpg: Gpg
  const letters: Buffer[] = []

  const key = (args: readonly string[], lines: readonly string[] = [ada.password], mayFail = false) =>
    provider.command(['key', ...args, '--password-stdin'], {
      input: lines.map((line) => `${line}\n`).join(''),
      mayFail,
    })
  const listed = () => provider.json<Listed>(['key', 'list', ada.address])
  const fileOf = async (name: string, octets: Uint8Array) => {
    const path = directory.join(name)
    await writeFile(path, octets)
    return path
  }

  /** A new key of GnuPG's, with a subkey to encrypt to. */
  async function madeByGpg(userId: string, kinds: readonly [string, string], passphrase = ''): Promise<string> {
    await gpg.run(['--quick-generate-key', userId, kinds[0], 'sign,cert', '2y'], { passphrase })
    const fingerprint = await fingerprintOf(userId)
    await gpg.run(['--quick-add-key', fingerprint, kinds[1], 'encr', '2y'], { passphrase })
    return fingerprint
  }

  async function fingerprintOf(userId: string): Promise<string> {
    const { stdout } = await gpg.run(['--list-keys', '--with-colons', userId])
    return /^fpr:{9}([0-9A-F]+):/m.exec(stdout.toString())![1]!
  }

  const exported = async (fingerprint: string, passphrase = '') =>
    (await gpg.run(['--armor', '--export-secret-keys', fingerprint], { passphrase })).stdout

  async function receive(subject: string, body: string): Promise<void> {
    const letter = Buffer.from(
      `From: eve@beta.test\r\nTo: ${ada.address}\r\nMessage-ID: <${letters.length}@beta.test>\r\nSubject: ${subject}\r\n\r\n${body}\r\n`,
    )
    const line = await openLine(provider.host, provider.ports.smtp)
    await line.say('', '220')
    await line.say('EHLO custody.test\r\n', '250')
    await line.say(`MAIL FROM:<eve@beta.test>\r\nRCPT TO:<${ada.address}>\r\nDATA\r\n`, '250', '250', '354')
    await line.say(dotStuffed(letter), '250')
    line.end()
    letters.push(letter)
  }

  async function inbox(): Promise<readonly Buffer[]> {
    await using reader = await Reader.login({
      host: provider.host,
      port: provider.ports.imaps,
      user: ada.address,
      password: ada.password,
    })
    return await reader.fetch('1:*')
  }

  /** Every letter that the server can read is there to the octet. */
  async function readsAll(): Promise<void> {
    const found = await inbox()
    assert.equal(found.length, letters.length)
    for (const [index, letter] of letters.entries()) assert.ok(found[index]!.subarray(-letter.length).equals(letter))
  }

  /** All that a change of keys could touch. */
  async function stored(): Promise<string> {
    const accounts = join(provider.data, 'accounts')
    const [id] = await readdir(accounts)
    const files = [
      'keyslots.a',
      'keyslots.b',
      ...(await readdir(join(accounts, id!, 'keys'))).map((name) => `keys/${name}`),
    ]
    const contents = await Promise.all(files.map((name) => readFile(join(accounts, id!, name), 'latin1')))
    return JSON.stringify([files, contents, await listed()])
  }

  before(async () => {
    directory = await temporaryDirectory('key-custody')
    gpg = await startGpg()
    provider = await makeProvider({ directory: directory.path, domain: 'alpha.test', accounts: [ada] })
    await provider.start()
    await receive('first', 'sealed to the managed key')
  })

  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await gpg?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  it('refuses what it cannot take, each with its reason, and changes nothing', async () => {
    const before = await stored()
    const foreign = await exported(await madeByGpg('bob@alpha.test', ['ed25519', 'cv25519']))
    const good = await madeByGpg('Ada <ada@alpha.test>', ['rsa3072', 'rsa3072'], PASSPHRASE)
    const locked = await exported(good, PASSPHRASE)
    const short = await readFile(new URL('../vectors/openpgp/foreign/dsa1024-elg1024.tsk', import.meta.url))
    const cases: readonly (readonly [string, Uint8Array, string, RegExp])[] = [
      ['foreign', foreign, '', /No user id of the key is an address of this account/],
      ['locked', locked, '', /its passphrase is needed/],
      ['locked', locked, 'another passphrase', /passphrase does not open this key/],
      ['letter', letters[0]!, '', /not one OpenPGP secret key/],
      ['short', short, '', /at least 2048 bits are needed/],
    ]
    for (const [name, octets, passphrase, reason] of cases) {
      const ran = await key(['import', ada.address, await fileOf(name, octets)], [ada.password, passphrase], true)
      assert.equal(ran.code, 1, name)
      assert.match(ran.stderr.toString(), reason)
    }
    const wrong = await key(
      ['import', ada.address, await fileOf('locked', locked)],
      ['wrong password', PASSPHRASE],
      true,
    )
    assert.match(wrong.stderr.toString(), /password or passphrase is wrong/)
    const json = await key(['import', ada.address, directory.join('foreign'), '--json'], [ada.password, ''], true)
    assert.equal(JSON.parse(json.stdout.toString()).refused[0].code, 'no-address')
    assert.equal(await stored(), before)
  })

  it('takes over a locked RSA key of GnuPG; all mail stays readable', async () => {
    const fingerprint = await fingerprintOf('ada@alpha.test')
    await key(['import', ada.address, directory.join('locked')], [ada.password, PASSPHRASE])
    const { custody, keys } = await listed()
    assert.equal(custody, 'own')
    const facts = keys.map(({ fingerprint, use, custody, revoked }) => ({ fingerprint, use, custody, revoked }))
    assert.deepEqual(facts[0], { fingerprint, use: 'both', custody: 'own', revoked: false })
    assert.deepEqual(
      { ...facts[1]!, fingerprint: '' },
      { fingerprint: '', use: 'reading', custody: 'managed', revoked: true },
    )
    await receive('second', 'sealed to the own key')
    await readsAll()
  })

  it('takes the same key again when its owner has extended it', async () => {
    const fingerprint = await fingerprintOf('ada@alpha.test')
    await gpg.run(['--quick-add-uid', fingerprint, 'Ada at home <ada@home.test>'], { passphrase: PASSPHRASE })
    const path = await fileOf('extended', await exported(fingerprint, PASSPHRASE))
    await key(['import', ada.address, path], [ada.password, PASSPHRASE])
    const shown = await provider.command(['key', 'show', ada.address, fingerprint])
    assert.match(shown.stdout.toString(), /Ada at home/)
    await receive('third', 'sealed to the extended key')
    await readsAll()
  })

  it('takes a key of Sequoia for end to end alone, and keeps another one for old mail', async () => {
    const path = directory.join('sequoia.tsk')
    await run('sq', ['key', 'generate', '--userid', 'Ada <ada@alpha.test>', '--export', path])
    await key(['import', ada.address, path, '--use', 'end-to-end'], [ada.password, ''])
    const uses = (await listed()).keys.map(({ use }) => use)
    assert.deepEqual(uses.slice(0, 2), ['end-to-end', 'rest'])
    await receive('fourth', 'others write to another key')
    await readsAll()
  })

  it('goes back to a managed key, and publishes a revocation that GnuPG made', async () => {
    const fingerprint = await fingerprintOf('ada@alpha.test')
    await key(['managed', ada.address])
    assert.equal((await listed()).custody, 'managed')
    await key(['rotate', ada.address, '--reseal'])
    const path = join(gpg.home, 'openpgp-revocs.d', `${fingerprint}.rev`)
    await provider.command(['key', 'revocation', ada.address, path])
    assert.ok((await listed()).keys.find((one) => one.fingerprint === fingerprint)?.revoked)
    const published = await provider.command(['key', 'export', ada.address, '--public', '--fingerprint', fingerprint])
    await gpg.run(['--import'], { input: published.stdout })
    assert.match((await gpg.run(['--list-keys', '--with-colons', fingerprint])).stdout.toString(), /^pub:r:/m)
    await receive('fifth', 'sealed to the rotated key')
    await readsAll()
  })

  it('stores for a device what only the device can read', needs('root'), async () => {
    const [inBody, inSubject] = [randomBytes(12).toString('hex'), randomBytes(12).toString('hex')]
    const fingerprint = await madeByGpg('Ada on her phone <ada@alpha.test>', ['ed25519', 'cv25519'], PASSPHRASE)
    const certificate = (await gpg.run(['--export', fingerprint])).stdout
    const path = await fileOf('device', certificate)
    const asked = await key(['import', ada.address, path], [ada.password], true)
    assert.match(asked.stderr.toString(), /repeat with --device/)
    await key(['import', ada.address, path, '--device'])
    assert.equal((await listed()).custody, 'device')
    await receive(inSubject, inBody)
    await provider.restart()
    const found = await inbox()
    assert.equal(found.length, letters.length)
    const needles: Needles = new Map(
      Object.entries({ inBody, inSubject }).map(([name, text]) => [
        name,
        formsOf(name, text).map(({ octets }) => octets),
      ]),
    )
    for (const pid of pidsOf([provider.pid])) assert.deepEqual(await searchMemory(pid, needles), [])
    const canaries = { 'the body': inBody, 'the subject': inSubject }
    assert.deepEqual(await sweep({ canaries, directories: [provider.data], processes: [provider.pid] }), [])
    const opened = await gpg.decrypt(armoredIn(found.at(-1)!), PASSPHRASE)
    assert.ok(opened.includes(inBody) && opened.includes(inSubject))
    for (const [index, letter] of letters.slice(0, -1).entries())
      assert.ok(found[index]!.subarray(-letter.length).equals(letter))
  })

  it('goes back from the device; what was written to it stays as it is', async () => {
    await key(['managed', ada.address])
    await receive('last', 'readable with the password again')
    const found = await inbox()
    assert.ok(found.at(-1)!.subarray(-letters.at(-1)!.length).equals(letters.at(-1)!))
    assert.ok((await gpg.decrypt(armoredIn(found.at(-2)!), PASSPHRASE)).length > 0)
  })
})

/** The OpenPGP message in a PGP/MIME message. */
function armoredIn(message: Buffer): Buffer {
  const start = message.indexOf('-----BEGIN PGP MESSAGE-----')
  const end = message.indexOf('-----END PGP MESSAGE-----')
  assert.ok(start > 0 && end > start, 'a PGP/MIME message')
  return message.subarray(start, end + '-----END PGP MESSAGE-----\r\n'.length)
}
