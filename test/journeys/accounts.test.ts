/** An account's life at the command line while the server runs: made, its password changed and lost, suspended, removed. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { needs } from '../support/needs.ts'
import { curlAppend, curlImap } from '../support/peers/curl.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

const address = 'eve@alpha.test'
const message = Buffer.from('From: eve@alpha.test\r\nSubject: From the first day\r\n\r\nStill readable.\r\n')

describe('the life of an account beside the running server', needs('curl'), () => {
  let directory: TemporaryDirectory
  let provider: Provider

  const read = (password: string, path = '/INBOX;UID=1') =>
    curlImap({ host: provider.host, port: provider.ports.imaps, user: address, password, ca: provider.ca }, path)
  const opens = async (password: string) => {
    const ran = await read(password)
    assert.deepEqual(ran.stdout, message, ran.output)
  }
  const isRefused = async (password: string) => assert.equal((await read(password)).code, 67)
  const secrets = (...lines: string[]) => ({ input: lines.map((line) => `${line}\n`).join('') })
  const changePassword = (options: readonly string[], lines: readonly string[]) =>
    provider.json<{ recoveryCode?: string }>(
      ['account', 'password', address, ...options, '--password-stdin'],
      secrets(...lines),
    )

  before(async () => {
    directory = await temporaryDirectory('accounts')
    provider = await makeProvider({ directory: directory.path, domain: 'alpha.test' })
    await provider.start()
  })

  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  it('is made, and can log in at once', async () => {
    await provider.addAccount({ address, password: 'first password' })
    const target = {
      host: provider.host,
      port: provider.ports.imaps,
      user: address,
      password: 'first password',
      ca: provider.ca,
    }
    assert.equal((await curlAppend(target, 'INBOX', message)).code, 0)
    await opens('first password')
    const twice = await provider.command(['account', 'add', address, '--password-stdin'], {
      ...secrets('other'),
      mayFail: true,
    })
    assert.equal(twice.code, 1)
    assert.match(twice.stderr, /eve@alpha\.test is taken/)
    const listed = await provider.json<{ address: string }[]>(['account', 'list'])
    assert.deepEqual(
      listed.map((account) => account.address),
      [address],
    )
  })

  it('changes its password and keeps key and mail', async () => {
    const keys = await provider.json(['key', 'list', address])
    await changePassword([], ['first password', 'second password'])
    await isRefused('first password')
    await opens('second password')
    assert.deepEqual(await provider.json(['key', 'list', address]), keys)
    const wrong = await provider.command(['account', 'password', address, '--password-stdin'], {
      ...secrets('first password', 'x'.repeat(12)),
      mayFail: true,
    })
    assert.equal(wrong.code, 1)
    assert.match(wrong.stderr, /old password is wrong/)
  })

  it('opens again with the recovery code, once', async () => {
    const code = provider.recoveryCodes.get(address)!
    const { recoveryCode } = await changePassword(['--recovery'], [code, 'third password'])
    await isRefused('second password')
    await opens('third password')
    const used = await provider.command(['account', 'password', address, '--recovery', '--password-stdin'], {
      ...secrets(code, 'fourth password'),
      mayFail: true,
    })
    assert.equal(used.code, 1)
    assert.ok(recoveryCode)
    await opens('third password')
  })

  it('is reset without either, and its old mail comes back with the old password', async () => {
    await changePassword(['--reset'], ['fresh password'])
    await isRefused('third password')
    assert.notDeepEqual((await read('fresh password')).stdout, message)
    await provider.json(['account', 'relink', address, '--password-stdin'], secrets('fresh password', 'third password'))
    await opens('fresh password')
  })

  it('is suspended, resumed and removed', async () => {
    await provider.json(['account', 'suspend', address])
    await isRefused('fresh password')
    await provider.json(['account', 'resume', address])
    await opens('fresh password')
    await provider.json(['account', 'remove', address])
    await isRefused('fresh password')
    assert.deepEqual(await provider.json(['account', 'list']), [])
  })
})
