/** One account with a password for each device: what each may do, how each ends, and what a passphrase changes. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connectDialog, type Dialog } from '../../support/dialog.ts'
import { needs } from '../../support/needs.ts'
import { curlAppend, curlImap, curlSubmit } from '../../support/peers/curl.ts'
import { makeProvider, type Provider } from '../../support/provider.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary.ts'

const address = 'eve@alpha.test'
const PASSWORD = 'first password'
const PASSPHRASE = 'something long besides'
const message = Buffer.from('From: eve@alpha.test\r\nTo: eve@alpha.test\r\nSubject: Hello\r\n\r\nReadable.\r\n')
const WANTED = 'This account also wants its passphrase, which mail programs cannot ask for: use an app password'

/** What --json prints of one that was made. */
interface Made {
  readonly id: string
  readonly password: string
}

describe('the devices of an account beside the running server', needs('curl'), () => {
  let directory: TemporaryDirectory
  let provider: Provider
  const made: Record<'reader' | 'sender' | 'stolen', Made> = Object.create(null)

  const secrets = (...lines: string[]) => ({ input: lines.map((line) => `${line}\n`).join('') })
  const target = (password: string, port: 'imaps' | 'submissions') => ({
    host: provider.host,
    port: provider.ports[port],
    user: address,
    password,
    ca: provider.ca,
  })
  const read = (password: string) => curlImap(target(password, 'imaps'), '/INBOX;UID=1')
  const submit = (password: string) => curlSubmit(target(password, 'submissions'), address, [address], message)
  const statuses = async (password: string) => [(await read(password)).code, (await submit(password)).code]
  const talkTo = (port: 'imaps' | 'submissions') =>
    connectDialog({ host: provider.host, port: provider.ports[port], tls: true })

  async function idleWith(password: string): Promise<Dialog> {
    const talk = await talkTo('imaps')
    await talk.play(`
      S: * OK …
      C: 1 LOGIN ${address} "${password}"
      S: 1 OK …
      C: 2 SELECT INBOX
      S: ...
      S: 2 OK …
      C: 3 IDLE
      S: + …
    `)
    return talk
  }

  const add = (label: string, ...options: string[]) =>
    provider.json<Made>(
      ['app-password', 'add', address, '--label', label, ...options, '--password-stdin'],
      secrets(PASSWORD),
    )

  before(async () => {
    directory = await temporaryDirectory('app-passwords')
    provider = await makeProvider({ directory: directory.path, domain: 'alpha.test' })
    await Promise.all([provider.start(), provider.addAccount({ address, password: PASSWORD })])
    const all = [add('reader', '--scope', 'imap'), add('sender', '--scope', 'smtp'), add('stolen')]
    const [reader, sender, stolen] = await Promise.all(all)
    Object.assign(made, { reader, sender, stolen })
    assert.equal((await curlAppend(target(PASSWORD, 'imaps'), 'INBOX', message)).code, 0)
  })

  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  it('holds each to its scope on the wire, as a wrong password is held', async () => {
    const refused = 67
    assert.deepEqual(await statuses(PASSWORD), [0, 0])
    assert.deepEqual(await statuses(made.reader.password), [0, refused])
    assert.deepEqual(await statuses(made.sender.password), [refused, 0])
    assert.deepEqual(await statuses(made.stolen.password.toLowerCase().replaceAll('-', ' ')), [0, 0])
    assert.deepEqual((await read(made.reader.password)).stdout, message)
  })

  it('ends the sessions of one that expires, that the operator blocks, that is revoked, and no others', async () => {
    const guest = await add('guest', '--scope', 'imap', '--expires', '20s')
    await using byGuest = await idleWith(guest.password)
    await using byStolen = await idleWith(made.stolen.password)
    await using byReader = await idleWith(made.reader.password)
    await provider.json(['app-password', 'revoke', address, made.stolen.id, '--operator'])
    await byStolen.play('S: * BYE …\nCLOSED')
    assert.equal((await read(made.stolen.password)).code, 67)
    await byReader.play('C: DONE\nS: 3 OK …\nC: 4 IDLE\nS: + …')
    const command = ['app-password', 'revoke', address, made.reader.id, '--password-stdin']
    await provider.json(command, secrets(PASSWORD))
    await byReader.play('S: * BYE …\nCLOSED')
    assert.equal((await read(made.reader.password)).code, 67)
    await byGuest.play('S: * BYE …\nCLOSED')
    assert.equal((await read(guest.password)).code, 67)
    type Listed = { readonly label: string; readonly state: string; readonly lastUse: string | null }
    const listed = await provider.json<Listed[]>(['app-password', 'list', address])
    assert.deepEqual(listed.map(({ label, state, lastUse }) => [label, state, lastUse !== null]).sort(), [
      ['guest', 'expired', true],
      ['sender', 'active', true],
    ])
  })

  it('wants the passphrase from its owner, and app passwords from mail programs', async () => {
    await provider.json(['account', 'passphrase', address, '--password-stdin'], secrets(PASSWORD, PASSPHRASE))
    await using imap = await talkTo('imaps')
    await imap.play(`S: * OK …\nC: 1 LOGIN ${address} "${PASSWORD}"\nS: 1 NO [AUTHORIZATIONFAILED] ${WANTED}`)
    await using smtp = await talkTo('submissions')
    const plain = Buffer.from(`\0${address}\0${PASSWORD}`).toString('base64')
    await smtp.play(`
      S: 220 …
      C: EHLO client.test
      S: ...
      S: 250 …
      C: AUTH PLAIN ${plain}
      S: 535 5.7.8 ${WANTED}
    `)
    assert.equal((await submit(made.sender.password)).code, 0)
    const to = directory.join('exported')
    const command = ['export', address, '--to', to, '--password-stdin']
    await provider.json(command, secrets(PASSWORD, PASSPHRASE))
    const [first] = await readdir(join(to, 'cur'))
    assert.deepEqual(await readFile(join(to, 'cur', first!)), message)
  })
})
