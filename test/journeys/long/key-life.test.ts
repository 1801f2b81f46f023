/**
 * The life of an account's keys with 200 messages in the mailbox: through every change of its locks and keys all of them are there,
 * octet for octet, for whoever has a credential that should open them, and for nobody else.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { makeProvider, type Provider } from '../../support/provider.ts'
import { Reader } from '../../support/reader.ts'
import { dotStuffed, openLine } from '../../support/smtp-line.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary.ts'

const address = 'vera@alpha.test'
const MESSAGES = 200

const letter = (number: number): Buffer =>
  Buffer.from(
    `From: load@beta.test\r\nTo: ${address}\r\nMessage-ID: <life-${number}@beta.test>\r\nSubject: ${number}\r\n\r\n` +
      `${createHash('sha512').update(String(number)).digest('hex')}\r\n`.repeat(1 + (number % 40)),
  )

describe('the life of the keys of an account with 200 messages', () => {
  let directory: TemporaryDirectory
  let provider: Provider
  /** What the mailbox held when it was first read. */
  let originals: readonly Buffer[] = []
  let recoveryCode = ''

  const secrets = (...lines: string[]) => ({ input: lines.map((line) => `${line}\n`).join('') })
  const command = <T>(args: readonly string[], ...lines: string[]) =>
    provider.json<T>([...args, '--password-stdin'], secrets(...lines))
  const reader = (password: string) =>
    Reader.login({ host: provider.host, port: provider.ports.imaps, user: address, password })

  async function readsAll(password: string): Promise<void> {
    await using mail = await reader(password)
    const found = await mail.fetch(`1:${MESSAGES}`)
    assert.equal(found.length, MESSAGES)
    for (const [index, message] of found.entries())
      assert.ok(message.equals(originals[index]!), `message ${index + 1} is not what it was`)
  }

  const isRefused = (password: string) => assert.rejects(reader(password), /AUTHENTICATIONFAILED/)

  async function receive(numbers: readonly number[]): Promise<void> {
    const line = await openLine(provider.host, provider.ports.smtp)
    await line.say('', '220')
    await line.say('EHLO life.test\r\n', '250')
    for (const number of numbers) {
      await line.say(`MAIL FROM:<load@beta.test>\r\nRCPT TO:<${address}>\r\nDATA\r\n`, '250', '250', '354')
      await line.say(dotStuffed(letter(number)), '250')
    }
    line.end()
  }

  before(async () => {
    directory = await temporaryDirectory('key-life')
    provider = await makeProvider({ directory: directory.path, domain: 'alpha.test' })
    await provider.start()
  })

  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  it('begins, and receives 200 messages', async () => {
    await provider.addAccount({ address, password: 'password 0' })
    recoveryCode = provider.recoveryCodes.get(address)!
    await receive(Array.from({ length: MESSAGES }, (_, number) => number))
    await using mail = await reader('password 0')
    originals = await mail.fetch(`1:${MESSAGES}`)
    assert.equal(originals.length, MESSAGES)
    for (const [number, message] of originals.entries()) {
      const sent = letter(number)
      assert.ok(message.subarray(-sent.length).equals(sent), `message ${number}`)
    }
  })

  it('changes the password five times', async () => {
    for (let turn = 0; turn < 5; turn++) {
      await command(['account', 'password', address], `password ${turn}`, `password ${turn + 1}`)
      await isRefused(`password ${turn}`)
      await readsAll(`password ${turn + 1}`)
    }
  })

  it('has app passwords, each for its own use, until they are revoked', async () => {
    const add = (label: string, scope: string) =>
      command<{ id: string; password: string }>(
        ['app-password', 'add', address, '--label', label, '--scope', scope],
        'password 5',
      )
    const phone = await add('phone', 'imap,smtp')
    const scanner = await add('scanner', 'smtp')
    await readsAll(phone.password)
    await isRefused(scanner.password)
    await command(['app-password', 'revoke', address, phone.id], 'password 5')
    await isRefused(phone.password)
    await readsAll('password 5')
  })

  it('loses the password and comes back by the recovery code, once', async () => {
    const used = recoveryCode
    const recovered = await command<{ recoveryCode: string }>(
      ['account', 'password', address, '--recovery'],
      used,
      'password 6',
    )
    recoveryCode = recovered.recoveryCode
    await isRefused('password 5')
    await readsAll('password 6')
    const again = await provider.command(['account', 'password', address, '--recovery', '--password-stdin'], {
      ...secrets(used, 'password 7'),
      mayFail: true,
    })
    assert.equal(again.code, 1)
    await readsAll('password 6')
  })

  it('rotates its key: the new one is current at once, the old one is revoked and still reads', async () => {
    type Keys = { keys: { fingerprint: string; current: boolean; revoked: boolean }[] }
    const [old] = (await provider.json<Keys>(['key', 'list', address])).keys
    await command(['key', 'rotate', address], 'password 6')
    const { keys } = await provider.json<Keys>(['key', 'list', address])
    assert.equal(keys.length, 2)
    const now = keys.find((key) => key.current)!
    assert.notEqual(now.fingerprint, old!.fingerprint)
    assert.deepEqual(
      keys.map(({ fingerprint, revoked }) => [fingerprint, revoked]),
      [
        [now.fingerprint, false],
        [old!.fingerprint, true],
      ],
    )
    await readsAll('password 6')
    await receive([MESSAGES])
    await using mail = await reader('password 6')
    assert.ok((await mail.fetch(`${MESSAGES + 1}`))[0]!.subarray(-letter(MESSAGES).length).equals(letter(MESSAGES)))
  })

  it('loses everything and is reset: old mail is there and opens for nobody, new mail does', async () => {
    await command(['account', 'password', address, '--reset'], 'password 7')
    await isRefused('password 6')
    await receive([MESSAGES + 1])
    await using mail = await reader('password 7')
    assert.equal(await mail.count(), MESSAGES + 2)
    const newest = await mail.fetch(`${MESSAGES + 2}`)
    assert.ok(newest[0]!.subarray(-letter(MESSAGES + 1).length).equals(letter(MESSAGES + 1)))
    for (const number of [1, MESSAGES / 2, MESSAGES, MESSAGES + 1]) {
      const read = await mail.fetch(String(number)).catch(() => [])
      assert.deepEqual(read, [], `message ${number} opens without its key`)
    }
  })

  it('relinks with the old password, and all is readable again', async () => {
    await command(['account', 'relink', address], 'password 7', 'password 6')
    await readsAll('password 7')
    await isRefused('password 6')
    await using mail = await reader('password 7')
    assert.equal((await mail.fetch('1:*')).length, MESSAGES + 2)
  })

  it('seals all of it to the current key', async () => {
    await command(['key', 'reseal', address], 'password 7')
    type Coverage = { contents: number; current: number; waiting: number; unreadable: number }
    const coverage = await provider.json<Coverage>(['key', 'reseal', address, '--status'])
    assert.deepEqual(
      [coverage.contents, coverage.current, coverage.waiting, coverage.unreadable],
      [MESSAGES + 2, MESSAGES + 2, 0, 0],
    )
    await readsAll('password 7')
  })

  it('has all of it in the audit log, which nobody changed', async () => {
    type Entry = { event: string; address?: string }
    const entries = await provider.json<Entry[] | { entries: Entry[] }>(['audit', 'list', '--account', address])
    const events = (Array.isArray(entries) ? entries : entries.entries).map(({ event }) => event)
    for (const event of [
      'account.created',
      'password.changed',
      'app-password.added',
      'app-password.revoked',
      'password.recovered',
      'key.rotated',
      'account.reset',
      'account.relinked',
    ])
      assert.ok(events.includes(event), event)
    assert.equal(events.filter((event) => event === 'password.changed').length, 5)
    assert.equal((await provider.command(['audit', 'verify'])).code, 0)
  })
})
