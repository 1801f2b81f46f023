/**
 * The IMAP libraries that webmails, scripts and filters are built on, each driven by a small program in its own language
 * (imap-libraries/) against a running provider. Warnings of their parsers count as failures.
 */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ImapFlow } from 'imapflow'
import { needs } from '../support/needs.ts'
import { run } from '../support/peers/run.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

const ACCOUNT = { address: 'libraries@alpha.test', password: 'correct "horse" of all' }
const program = (name: string) => fileURLToPath(new URL(`imap-libraries/${name}`, import.meta.url))

describe('libraries and filters', () => {
  let directory: TemporaryDirectory
  let provider: Provider

  before(async () => {
    directory = await temporaryDirectory('libraries')
    await mkdir(directory.join('provider'))
    await mkdir(directory.join('.imapfilter'))
    provider = await makeProvider({ directory: directory.join('provider'), domain: 'alpha.test', accounts: [ACCOUNT] })
    await provider.start()
    const { host, ca, ports } = provider
    const server = { host, port: ports.imaps, user: ACCOUNT.address, password: ACCOUNT.password, ca }
    await writeFile(directory.join('server.json'), JSON.stringify(server), { mode: 0o600 })
    const lua = Object.entries(server).map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
    await writeFile(directory.join('server.lua'), `server = { ${lua.join(', ')} }\n`, { mode: 0o600 })
  })
  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  const drive = async (command: string, ...args: string[]) => {
    const env = { PATH: process.env['PATH'], HOME: directory.path, LC_ALL: 'C.UTF-8' }
    const { code, stdout, stderr } = await run(command, args, {
      cwd: directory.path,
      env,
      mayFail: true,
    })
    assert.equal(code, 0, `${stderr}\n${stdout}`)
  }
  const server = () => directory.join('server.json')

  it('Roundcube', needs('php', '/usr/share/roundcube'), () => drive('php', program('roundcube.php'), server()))

  it("PHP's functions, which are the UW library", needs('php', '/usr/share/doc/php-imap'), () =>
    drive('php', program('c-client.php'), server()),
  )

  it('Mail::IMAPClient', needs('perl', '/usr/share/doc/libmail-imapclient-perl'), () =>
    drive('perl', program('mail-imapclient.pl'), server()),
  )

  it('Mail::IMAPTalk', needs('perl', '/usr/share/doc/libmail-imaptalk-perl'), () =>
    drive('perl', program('mail-imaptalk.pl'), server()),
  )

  it('imap-tools', needs('/usr/bin/python3', '/usr/share/doc/python3-imap-tools'), () =>
    drive('/usr/bin/python3', program('imap-tools.py'), server()),
  )

  it("Ruby's Net::IMAP", needs('ruby'), () => drive('ruby', program('net-imap.rb'), server()))

  it('imapfilter', needs('imapfilter'), () => drive('imapfilter', '-t', provider.ca, '-c', program('filter.lua')))

  it('movemail takes mail away', needs('movemail'), async () => {
    const { host, ports } = provider
    const auth = { user: ACCOUNT.address, pass: ACCOUNT.password }
    const flow = new ImapFlow({
      host,
      port: ports.imaps,
      auth,
      secure: true,
      tls: { rejectUnauthorized: false },
      logger: false,
    })
    await flow.connect()
    for (const subject of ['first', 'second']) {
      const letter = `From: a@beta.test\r\nSubject: ${subject}\r\n\r\nFrom here\r\n`
      await flow.append('INBOX', Buffer.from(letter))
    }
    const pass = [ACCOUNT.address, ACCOUNT.password].map(encodeURIComponent).join(':')
    await drive('movemail', `imaps://${pass}@${host}:${ports.imaps}/INBOX`, directory.join('mbox'))
    const taken = await readFile(directory.join('mbox'), 'utf8')
    assert.deepEqual(taken.match(/^(Subject: .*|>?From here)$/gm), [
      'Subject: first',
      '>From here',
      'Subject: second',
      '>From here',
    ])
    await flow.mailboxOpen('INBOX')
    assert.deepEqual(await flow.search({ all: true }), [])
    await flow.logout()
  })
})
