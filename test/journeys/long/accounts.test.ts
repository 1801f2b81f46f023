/** An account's life at the command line while the server runs: made, its password changed and lost, suspended, removed. */
import assert from 'node:assert/strict'
import { lstat, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { needs } from '../../support/needs.ts'
import { curlAppend, curlImap, curlSubmit } from '../../support/peers/curl.ts'
import { eventually } from '../../support/peers/run.ts'
import { makeProvider, type Provider } from '../../support/provider.ts'
import { Reader } from '../../support/reader.ts'
import { dotStuffed, openLine } from '../../support/smtp-line.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary.ts'

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
    type Coverage = { waiting: number; unreadable: number }
    const figures = async (args: string[], ...given: string[]) => {
      const { waiting, unreadable } = await provider.json<Coverage>(
        ['key', 'reseal', address, ...args],
        secrets(...given),
      )
      return { waiting, unreadable }
    }
    assert.deepEqual(await figures(['--password-stdin'], 'fresh password'), { waiting: 0, unreadable: 1 })
    await provider.json(['account', 'relink', address, '--password-stdin'], secrets('fresh password', 'third password'))
    assert.deepEqual(await figures(['--pause']), { waiting: 1, unreadable: 0 })
    await opens('fresh password')
  })

  it('has its old mail brought under the new key while its owner is logged in', async () => {
    type Coverage = { contents: number; current: number; waiting: number; state: string }
    const resumed = await provider.json<Coverage>(['key', 'reseal', address, '--resume'])
    assert.deepEqual([resumed.state, resumed.waiting], ['running', 1])
    const { host, ports } = provider
    await using owner = await Reader.login({ host, port: ports.imaps, user: address, password: 'fresh password' })
    await owner.count()
    await eventually('all is re-sealed', async () => (await provider.log()).includes('re-sealing: ended'))
    const { contents, current, state } = await provider.json<Coverage>(['key', 'reseal', address, '--status'])
    assert.deepEqual([contents, current, state], [1, 1, 'off'])
    assert.match(
      String((await provider.command(['account', 'show', address])).stdout),
      /100% sealed to the current key/,
    )
    await opens('fresh password')
  })

  it('leaves nothing in the data directory that others may read', async () => {
    const names = await readdir(provider.data, { recursive: true })
    assert.ok(names.length > 10)
    // Databases have files that come and go.
    for (const name of names)
      assert.equal(((await lstat(join(provider.data, name)).catch(() => null))?.mode ?? 0) & 0o077, 0, name)
  })

  it('shows its certificate as one JSON document', async () => {
    const shown = await provider.json<{ certificate: string }>(['key', 'export', address, '--public'])
    assert.match(shown.certificate, /^-----BEGIN PGP PUBLIC KEY BLOCK-----\n/)
  })

  it('has aliases, and only those are removed', async () => {
    await provider.json(['alias', 'add', 'info@alpha.test', address])
    await provider.json(['alias', 'remove', 'Info@Alpha.test'])
    const again = await provider.command(['alias', 'remove', 'info@alpha.test'], { mayFail: true })
    assert.equal(again.code, 1)
    assert.match(again.stderr, /^letterlock: there is no alias info@alpha\.test; .*\n$/)
  })

  it('is served by one server alone, whatever the ports of a second one', async () => {
    const { code, stderr } = await provider.command(['serve'], { mayFail: true })
    assert.equal(code, 1)
    assert.match(stderr, /^letterlock: a server runs on \S+ already; stop that one first\n$/)
  })

  it('is told wrong usage by exit status 2', async () => {
    for (const args of [['queue', 'retry'], ['account', 'password', address, '--reset', '--recovery'], ['nonsense']])
      assert.equal((await provider.command(args, { mayFail: true })).code, 2, args.join(' '))
  })

  it('has mail under both spellings of an international domain, from outside and from within', async () => {
    const lena = { address: 'lena@bücher.test', password: 'another password' }
    await provider.json(['domain', 'add', 'bücher.test'])
    await provider.addAccount(lena)
    const target = { host: provider.host, ca: provider.ca, port: provider.ports.submissions }
    const line = await openLine(provider.host, provider.ports.smtp)
    await line.say('', '220')
    await line.say('EHLO client.test\r\n', '250')
    await line.say('MAIL FROM:<carol@beta.test>\r\n', '250')
    await line.say('RCPT TO:<lena@xn--bcher-kva.test>\r\n', '250')
    await line.say('DATA\r\n', '354')
    await line.say(dotStuffed(message), '250')
    line.end()
    const owner = { ...target, user: address, password: 'fresh password' }
    const to = ['lena@xn--bcher-kva.test', 'Lena@bücher.test']
    const submitted = await curlSubmit(owner, address, to, message)
    assert.equal(submitted.code, 0, submitted.output)
    const own = { ...target, port: provider.ports.imaps, user: 'lena@xn--bcher-kva.test', password: lena.password }
    const status = (await curlImap(own, '/', 'STATUS INBOX (MESSAGES)')).output
    assert.match(status, /MESSAGES 2\b/)
    assert.deepEqual(await provider.json(['queue', 'list']), [])
  })

  it('is suspended, resumed and removed', async () => {
    await provider.json(['account', 'suspend', address])
    await isRefused('fresh password')
    await provider.json(['account', 'resume', address])
    await opens('fresh password')
    await provider.json(['account', 'remove', address])
    await isRefused('fresh password')
    const left = await provider.json<{ address: string }[]>(['account', 'list'])
    assert.ok(left.every((account) => account.address !== address))
  })

  it('leaves an audit log that says what was done, and shows when it was changed', async () => {
    const listed = await provider.json<{ event: string; actor: string }[]>(['audit', 'list', '--account', address])
    const done = listed.map(({ event, actor }) => `${event} by ${actor}`)
    assert.deepEqual(
      [done.at(0), ...done.slice(-3)],
      [
        'account.created by operator',
        'account.suspended by operator',
        'account.resumed by operator',
        'account.removed by operator',
      ],
    )
    for (const event of ['password.changed', 'password.recovered', 'account.relinked'])
      assert.ok(done.includes(`${event} by owner`), event)
    const { head } = await provider.json<{ head: string }>(['audit', 'verify'])
    const { stdout } = await provider.command(['audit', 'verify', '--head', head])
    assert.match(stdout.toString(), /^The audit log is intact: \d+ entries\.\nIt is the log whose head was noted/)
    const log = join(provider.data, 'audit', 'log')
    await writeFile(log, (await readFile(log, 'utf8')).replace('account.suspended', 'account.resumed'))
    const broken = await provider.command(['audit', 'verify'], { mayFail: true })
    assert.equal(broken.code, 1)
    assert.match(broken.stdout.toString(), /BROKEN.*\n- line \d+ was altered/)
    assert.match(broken.stderr, /^letterlock: the audit log is not as it was written\n$/)
  })
})
