/** What the owner of an account accepts for addresses of others, from the command line. */
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { makeProvider, type Provider } from '../../support/provider.ts'
import { type MadeKey, madeKey } from '../../support/published.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary.ts'

const ann = { address: 'ann@alpha.test', password: 'the password of ann' }
const ben = { address: 'ben@alpha.test', password: 'the password of ben' }
const BOB = 'bob@beta.test'

interface Found {
  readonly kind: string
  readonly evidence?: string
  readonly fingerprint?: string
}

describe('certificates that an account accepts', () => {
  let directory: TemporaryDirectory
  let provider: Provider
  let bob: MadeKey
  let file: string

  const secret = { input: `${ann.password}\n` }
  const command = (args: readonly string[], mayFail = false) =>
    provider.command(['correspondent', ...args, '--password-stdin'], { ...secret, mayFail })
  const refusal = async (args: readonly string[], input = secret.input) => {
    const { code, stderr } = await provider.command(['correspondent', ...args, '--password-stdin'], {
      input,
      mayFail: true,
    })
    assert.equal(code, 1, stderr)
    return stderr
  }
  const check = async (...options: string[]): Promise<string> => {
    const [found] = await provider.json<Found[]>(['check', BOB, ...options])
    return found?.kind === 'found' ? `${found.fingerprint} ${found.evidence}` : String(found?.kind)
  }

  before(async () => {
    directory = await temporaryDirectory('correspondents')
    provider = await makeProvider({ directory: directory.path, domain: 'alpha.test', accounts: [ann, ben] })
    bob = await madeKey(['Bob <bob@beta.test>'])
    file = directory.join('bob.pgp')
    await writeFile(file, bob.certificate)
  })

  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  it('takes one with its fingerprint, or once the owner says that they compared it', async () => {
    assert.match(await refusal(['accept', ann.address, BOB, '--file', file]), /Compare it with its owner.*--yes/s)
    const other = 'A'.repeat(40)
    const wrong = await refusal(['accept', ann.address, BOB, '--file', file, '--fingerprint', other])
    assert.match(wrong, /is not the fingerprint given; nothing was changed/)
    const typed = bob.fingerprint.toLowerCase().replace(/(.{4})/g, '$1 ')
    const { stdout } = await command(['accept', ann.address, BOB, '--file', file, '--fingerprint', typed])
    assert.match(stdout.toString(), new RegExp(`accepts ${bob.fingerprint} for bob@beta.test`))
  })

  it('counts for that account alone', async () => {
    assert.equal(await check('--from', ann.address), `${bob.fingerprint} accepted`)
    assert.equal(await check('--from', ben.address), 'none')
    assert.equal(await check(), 'none')
  })

  it('is shown to the owner alone, and the files tell nobody', async () => {
    const listed = (await command(['list', ann.address])).stdout.toString()
    assert.match(listed, new RegExp(`bob@beta.test +${bob.fingerprint}`))
    assert.match(await refusal(['list', ann.address], 'not the password\n'), /password or passphrase is wrong/)
    const log = (await provider.command(['audit', 'list'])).stdout.toString()
    assert.match(log, /correspondent\.accepted +by owner +ann@alpha\.test/)
    const names = await readdir(provider.data)
    const files = [...names.filter((name) => /correspondents|discovery/.test(name)), 'audit/log']
    assert.ok(files.length > 2)
    for (const name of files) {
      const octets = await readFile(join(provider.data, name))
      for (const told of ['beta.test', bob.fingerprint]) assert.equal(octets.includes(told), false, name)
    }
  })

  it('refuses what nothing could be written with, and what it has itself', async () => {
    const secretFile = directory.join('secret.pgp')
    await writeFile(secretFile, bob.secret)
    assert.match(await refusal(['accept', ann.address, BOB, '--file', secretFile, '--yes']), /is no certificate/)
    const eve = 'eve@beta.test'
    assert.match(await refusal(['accept', ann.address, eve, '--file', file, '--yes']), /does not carry this address/)
    assert.match(await refusal(['accept', ann.address, ben.address, '--file', file, '--yes']), /of this provider/)
    const { code } = await command(['accept', ann.address, BOB, '--file', file, '--fingerprint', 'short'], true)
    assert.equal(code, 2)
  })

  it('ends when it is forgotten', async () => {
    await command(['forget', ann.address, BOB])
    assert.equal(await check('--from', ann.address), 'none')
    assert.match(await refusal(['forget', ann.address, BOB]), /accepts no certificate for bob@beta\.test/)
  })
})
