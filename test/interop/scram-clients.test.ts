/**
 * Programs that log in by SCRAM-SHA-256 with libraries of their own: GNU SASL and msmtp with it, mbsync and mutt with Cyrus SASL. And what
 * those that choose by themselves do with the account's own password.
 */
import assert from 'node:assert/strict'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { connectDialog } from '../support/dialog.ts'
import { needs } from '../support/needs.ts'
import { mutt } from '../support/peers/mutt.ts'
import { type Ran, run } from '../support/peers/run.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { playScram, ScramClient } from '../support/scram.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

const address = 'ann@alpha.test'
const PASSWORD = 'correct horse battery'
const message = 'From: ann@alpha.test\nTo: ann@alpha.test\nSubject: By SCRAM\n\nNobody saw the password.\n'

describe('SCRAM-SHA-256', needs('gsasl', 'msmtp', 'mbsync', 'mutt', 'script'), () => {
  let directory: TemporaryDirectory
  let provider: Provider
  let app = ''

  before(async () => {
    directory = await temporaryDirectory('scram')
    await mkdir(directory.join('provider'))
    const accounts = [{ address, password: PASSWORD }]
    // two, so that what one process learns the other must know
    const settings = { 'front.processes': '2' }
    provider = await makeProvider({ directory: directory.join('provider'), domain: 'alpha.test', accounts, settings })
    await provider.start()
  })
  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  const gsasl = (password: string): Promise<Ran> => {
    const who = ['--authentication-id', address, '--password', password]
    // It binds to the channel wherever it can, also where only the mechanism without it is offered.
    const tls = ['--no-cb', `--x509-ca-file=${provider.ca}`]
    const how = ['--imap', '--verbose', '--mechanism=SCRAM-SHA-256']
    return run('gsasl', [...how, ...who, ...tls, provider.host, String(provider.ports.imap)], { mayFail: true })
  }

  async function msmtp(auth: 'on' | 'scram-sha-256', password: string): Promise<Ran> {
    const settings = [
      ...['account letterlock', `host ${provider.host}`, `port ${provider.ports.submissions}`, `from ${address}`],
      ...['tls on', 'tls_starttls off', `tls_trust_file ${provider.ca}`, `auth ${auth}`, `user ${address}`],
      `password ${password}`,
    ]
    await writeFile(directory.join('msmtprc'), `${settings.join('\n')}\n`, { mode: 0o600 })
    const args = ['-C', directory.join('msmtprc'), '-a', 'letterlock', '--debug', address]
    return run('msmtp', args, { input: message, mayFail: true })
  }

  async function mbsync(mechanisms: string, password: string): Promise<Ran> {
    await mkdir(directory.join('mail'), { recursive: true })
    await writeFile(directory.join('password'), password, { mode: 0o600 })
    const config = `
FSync no

IMAPAccount provider
Host ${provider.host}
Port ${provider.ports.imaps}
User ${address}
PassCmd "cat ${directory.join('password')}"
AuthMechs ${mechanisms}
SSLType IMAPS
CertificateFile ${provider.certificate}

IMAPStore far
Account provider

MaildirStore near
Path ${directory.join('mail')}/
Inbox ${directory.join('mail')}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
SyncState *
`
    await writeFile(directory.join('mbsyncrc'), config)
    return run('mbsync', ['-c', directory.join('mbsyncrc'), '-D', 'all'], { mayFail: true })
  }

  const copyWith = async (password: string): Promise<string> => {
    const settings = ['set mbox_type=mbox']
    const target = { directory: directory.path, host: provider.host, port: provider.ports.imaps, user: address }
    const to = directory.join('copied')
    await rm(to, { force: true })
    const keys = `<copy-message>${to}<enter><quit>`
    await mutt({ ...target, password, ca: provider.ca, settings }, 'INBOX', keys)
    return readFile(to, 'utf8').catch(() => '')
  }

  it('is not offered where nobody has an app password: programs that prefer it take the own password elsewhere', async () => {
    const sent = await msmtp('on', PASSWORD)
    assert.equal(sent.code, 0, sent.output)
    assert.ok(!sent.output.includes('SCRAM-SHA'))
    const synced = await mbsync('*', PASSWORD)
    assert.equal(synced.code, 0, synced.output)
    assert.match(await copyWith(PASSWORD), /^Subject: By SCRAM$/m)
  })

  it('GNU SASL logs in by it and believes the server', async () => {
    const made = await provider.json<{ password: string }>(
      ['app-password', 'add', address, '--label', 'everything', '--password-stdin'],
      { input: `${PASSWORD}\n` },
    )
    app = made.password
    const { code, output } = await gsasl(app)
    assert.equal(code, 0, output)
    assert.match(output, /server trusted/)
  })

  it('msmtp sends, mbsync copies and mutt reads by it', async () => {
    const sent = await msmtp('scram-sha-256', app)
    assert.equal(sent.code, 0, sent.output)
    assert.match(sent.output, /AUTH SCRAM-SHA-256/)
    const synced = await mbsync('*', app)
    assert.equal(synced.code, 0, synced.output)
    assert.match(synced.output, /Authenticating with SASL mechanism SCRAM-SHA-256/)
    assert.match(await copyWith(app), /^Subject: By SCRAM$/m)
  })

  it('POP3 takes it too', async () => {
    const target = { host: provider.host, port: provider.ports.pop3s, tls: true }
    await using talk = await connectDialog(target)
    await talk.play('S: +OK …')
    const answer = await playScram(talk, new ScramClient(address, app), { command: 'AUTH', prompt: '+ ' })
    assert.equal(answer, '+OK Welcome')
    await talk.play('C: STAT\nS: +OK 2 …\nC: QUIT\nS: +OK …')
  })

  it('a program that took it for the own password fails once, and then goes on without it', async () => {
    assert.notEqual((await mbsync('*', PASSWORD)).code, 0)
    const again = await mbsync('*', PASSWORD)
    assert.equal(again.code, 0, again.output)
    assert.match(again.output, /Authenticating with SASL mechanism PLAIN/)
    // who insists is let in all the same
    await using talk = await connectDialog({ host: provider.host, port: provider.ports.imaps, tls: true })
    await talk.play('S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL- ID ENABLE SASL-IR AUTH=PLAIN AUTH=LOGIN] …')
    const how = { command: '1 AUTHENTICATE', prompt: '+ ' }
    assert.match(await playScram(talk, new ScramClient(address, app), how), /^1 OK /)
  })

  it('no password is in the log', async () => {
    const log = await provider.log()
    for (const secret of [app, PASSWORD, Buffer.from(app).toString('base64')]) assert.ok(!log.includes(secret))
  })
})
