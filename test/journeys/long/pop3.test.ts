/** One account that fetches its mail with POP3: sealed at rest, by password and app password, across restarts. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { connectDialog, type Dialog, playDialog } from '../../support/dialog.ts'
import { makeProvider, type Provider } from '../../support/provider.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary.ts'

const address = 'eve@alpha.test'
const PASSWORD = 'first password'

describe('fetching with POP3 from the running server', () => {
  let directory: TemporaryDirectory
  let provider: Provider

  const secret = { input: `${PASSWORD}\n` }
  const talkTo = (port: 'pop3s' | 'pop3' | 'imaps') =>
    connectDialog({ host: provider.host, port: provider.ports[port], tls: port !== 'pop3' })
  const login = (password: string) => `C: USER ${address}\nS: +OK …\nC: PASS ${password}\nS:`

  async function open(password = PASSWORD): Promise<Dialog> {
    const talk = await talkTo('pop3s')
    await talk.play(`S: +OK Letterlock is ready\n${login(password)} +OK Welcome`)
    return talk
  }

  async function deliver(...subjects: string[]): Promise<void> {
    const mail = (subject: string) => `
      C: MAIL FROM:<bob@beta.test>
      S: 250 …
      C: RCPT TO:<${address}>
      S: 250 …
      C: DATA
      S: 354 …
      C: From: bob@beta.test
      C: Subject: ${subject}
      C:
      C: ..dot
      C: .
      S: 250 …
    `
    const { host, ports } = provider
    const transcript = `S: 220 …\nC: EHLO mx.beta.test\nS: ...\nS: 250 …\n${subjects.map(mail).join('')}C: QUIT\nS: 221 …`
    await playDialog({ host, port: ports.smtp }, transcript)
  }

  /** Numbers and unique ids. */
  async function ids(talk: Dialog): Promise<string[]> {
    await talk.play('C: UIDL\nS: +OK …')
    const lines: string[] = []
    for (let line = await talk.line(); line !== '.'; line = await talk.line()) lines.push(line!)
    return lines
  }

  const add = (label: string, scope: string) =>
    provider.json<{ password: string }>(
      ['app-password', 'add', address, '--label', label, '--scope', scope, '--password-stdin'],
      secret,
    )

  before(async () => {
    directory = await temporaryDirectory('pop3')
    provider = await makeProvider({ directory: directory.path, domain: 'alpha.test' })
    await Promise.all([provider.start(), provider.addAccount({ address, password: PASSWORD })])
    await deliver('one', 'two', 'three')
  })

  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  it('tells exact sizes of sealed mail, hands it out as it came, and removes what it was told to', async () => {
    await using talk = await talkTo('pop3')
    await talk.play(`S: +OK …\nC: STLS\nS: +OK …\nTLS\n${login(PASSWORD)} +OK Welcome`)
    const [stat = ''] = await talk.play('C: STAT\nS: +OK 3 …')
    const [listed = ''] = await talk.play('C: LIST 2\nS: +OK 2 …')
    const lines = await talk.play('C: RETR 2\nS: ...\nS: ..dot\nS: .')
    const octets = lines.slice(1, -1).reduce((sum, line) => sum + Buffer.byteLength(line.replace(/^\./, '')) + 2, 0)
    assert.equal(listed, `+OK 2 ${octets}`)
    assert.ok(Number(stat.split(' ')[2]) > 2 * octets)
    assert.ok(lines.includes('Subject: two'))
    await talk.play(
      'C: TOP 3 0\nS: ...\nS: Subject: three\nS: ...\nS: .\nC: DELE 1\nS: +OK …\nC: QUIT\nS: +OK Goodbye, 1 messages removed\nCLOSED',
    )
    await using imap = await talkTo('imaps')
    await imap.play(`
      S: * OK …
      C: 1 LOGIN ${address} "${PASSWORD}"
      S: 1 OK …
      C: 2 SELECT INBOX
      S: ...
      S: 2 OK …
      C: 3 FETCH 1:* (UID FLAGS)
      S: * 1 FETCH (UID 2 FLAGS (\\Seen…))
      S: * 2 FETCH (UID 3 FLAGS (…))
      S: 3 OK …
    `)
  })

  it("knows messages by the same ids after a restart, and lets a dead client's lock go", async () => {
    await using first = await open()
    const before = await ids(first)
    assert.equal(before.length, 2)
    await first.play('C: DELE 1\nS: +OK …')
    await provider.restart()
    await first.play('CLOSED')
    await deliver('four')
    await using again = await open()
    const now = await ids(again)
    assert.deepEqual(now.slice(0, 2), before)
    assert.equal(now.length, 3)
    await again.play('C: QUIT\nS: +OK …\nCLOSED')
  })

  it('lets app passwords fetch that are for it, one client at a time, and none of a suspended account', async () => {
    const [phone, other] = await Promise.all([add('phone', 'pop3'), add('other', 'imap')])
    await using talk = await open(phone.password)
    await using second = await talkTo('pop3s')
    await second.play(`S: +OK …\n${login(other.password)} -ERR [AUTH] User or password is wrong`)
    await second.play(`${login(PASSWORD)} -ERR [IN-USE] …`)
    await talk.play('C: RETR 1\nS: ...\nS: .')
    await provider.command(['account', 'suspend', address])
    await talk.play('CLOSED')
    await second.play(`${login(PASSWORD)} -ERR [AUTH] User or password is wrong`)
  })
})
