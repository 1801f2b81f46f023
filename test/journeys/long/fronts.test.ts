/** Two processes that serve one account's clients: told of each other's changes at once, ended together, replaced alone, and right in the end. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { dearmor } from '#formats/openpgp/armor.ts'
import { connectDialog, type Dialog } from '../../support/dialog.ts'
import { needs } from '../../support/needs.ts'
import { mbsync } from '../../support/peers/mbsync.ts'
import { eventually } from '../../support/peers/run.ts'
import { makeProvider, type Provider } from '../../support/provider.ts'
import { Reader } from '../../support/reader.ts'
import { encryptedMessage, type Person } from '../../support/sealed-letters.ts'
import { openLine } from '../../support/smtp-line.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary.ts'

const ann = { address: 'ann@alpha.test', password: 'the password of ann' }
const WAITING = 1000
/** Sealed by their senders: opened and replaced by the first session that meets them. */
const SEALED = 20

const head = (number: number) => [
  'From: carol@beta.test',
  `To: ${ann.address}`,
  `Subject: Number ${number}`,
  `Message-ID: <${number}@beta.test>`,
  'Date: Sun, 22 Nov 2026 08:00:00 +0000',
]
const plain = (number: number) => [...head(number), '', `This is number ${number}.`, ''].join('\n')

describe('two fronts', needs('mbsync'), () => {
  let directory: TemporaryDirectory
  let provider: Provider

  function login(): Promise<Reader> {
    logins++
    return Reader.login({ host: provider.host, port: provider.ports.imaps, user: ann.address, ...ann })
  }

  const talkTo = (port: 'imaps' | 'pop3s') =>
    connectDialog({ host: provider.host, port: provider.ports[port], tls: true })

  async function idling(): Promise<Dialog> {
    logins++
    const talk = await talkTo('imaps')
    await talk.play(`
      S: * OK …
      C: 1 LOGIN ${ann.address} "${ann.password}"
      S: 1 OK …
      C: 2 SELECT Drafts
      S: ...
      S: 2 OK …
      C: 3 IDLE
      S: + …
    `)
    return talk
  }

  /** Processes of the fronts, by their number. */
  async function fronts(): Promise<Map<number, number>> {
    const lines = (await provider.log()).split('\n').filter((line) => line.includes('"msg":"a front is ready"'))
    return new Map(
      lines
        .map((line) => JSON.parse(line) as { front: number; process: number })
        .map((one) => [one.front, one.process]),
    )
  }

  let logins = 0

  /** Which front each of so many last logins came to. The log is a moment behind. */
  async function loginsAt(count: number): Promise<number[]> {
    const lines = await eventually('all logins are in the log', async () => {
      const found = (await provider.log()).split('\n').filter((line) => line.includes('"msg":"imap login"'))
      return found.length === logins ? found : null
    })
    return lines.slice(-count).map((line) => (JSON.parse(line) as { front: number }).front)
  }

  const health = async () => (await fetch(`http://127.0.0.1:${provider.ports.admin}/health`)).status

  before(async () => {
    directory = await temporaryDirectory('fronts')
    for (const name of ['provider', 'mbsync', 'source', 'source/new', 'source/cur', 'source/tmp'])
      await mkdir(directory.join(name))
    for (let number = 1; number <= WAITING; number++)
      await writeFile(directory.join('source/cur', `${1_700_000_000 + number}.${number}.here:2,`), plain(number))
    const settings = { 'front.processes': '2', 'limits.failedLogins': '6' }
    provider = await makeProvider({
      directory: directory.join('provider'),
      domain: 'alpha.test',
      accounts: [ann],
      settings,
    })
    await provider.command(['import', ann.address, '--from', `maildir:${directory.join('source')}`])
    await provider.start()
    const exported = await provider.command(['key', 'export', ann.address, '--public'])
    const reader = { certificate: dearmor(exported.stdout).octets } as unknown as Person
    const line = await openLine(provider.host, provider.ports.lmtp)
    await line.say('', '220')
    await line.say('LHLO beta.test\r\n', '250')
    for (let number = WAITING + 1; number <= WAITING + SEALED; number++) {
      const inner = Buffer.from(`Content-Type: text/plain\r\n\r\nThis is number ${number}.\r\n`)
      const { message } = encryptedMessage(head(number), inner, reader)
      await line.say(`MAIL FROM:<carol@beta.test>\r\nRCPT TO:<${ann.address}>\r\nDATA\r\n`, '250', '250', '354')
      await line.say(Buffer.concat([message, Buffer.from('.\r\n')]), '250')
    }
    await line.say('QUIT\r\n', '221')
  })

  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  it('put 1,020 waiting messages into one index while both of them copy, move and expunge', async () => {
    await using a = await login()
    await using b = await login()
    assert.deepEqual((await loginsAt(2)).sort(), [1, 2])
    await a.command('CREATE Box')
    await Promise.all([a.command('SELECT INBOX'), b.command('SELECT INBOX')])
    const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)
    const one = async () => {
      for (let first = 1; first <= 200; first += 20) await a.command(`UID MOVE ${first}:${first + 9} Box`)
      await a.command('UID FETCH 401:600 (ENVELOPE BODYSTRUCTURE)')
      await a.command('UID STORE 601:650 +FLAGS.SILENT (\\Deleted)')
      await a.command('UID EXPUNGE 601:640')
      await a.command(`UID FETCH ${WAITING - 100}:* (ENVELOPE RFC822.SIZE)`)
    }
    const other = async () => {
      await b.command('UID FETCH 1:* (ENVELOPE RFC822.SIZE)')
      for (let first = 201; first <= 400; first += 20) await b.command(`UID COPY ${first}:${first + 9} Box`)
      await b.command('UID STORE 631:700 +FLAGS (\\Deleted)')
      await b.command('UID EXPUNGE 641:700')
      await b.command(`UID FETCH ${WAITING + 1}:* BODY.PEEK[]`)
    }
    await Promise.all([one(), other()])
    const isMoved = (number: number) => number <= 200 && (number - 1) % 20 < 10
    const isCopied = (number: number) => number > 200 && number <= 400 && (number - 1) % 20 < 10
    const kept = range(1, WAITING + SEALED).filter((n) => !isMoved(n) && !(n > 600 && n <= 700))
    const boxed = range(1, WAITING).filter((n) => isMoved(n) || isCopied(n))
    for (const reader of [a, b]) {
      await reader.command('CLOSE')
      for (const [mailbox, expected] of [
        ['INBOX', kept],
        ['Box', boxed],
      ] as const) {
        const messages = (await reader.fetch('1:*', mailbox)).map(String)
        const numbers = messages.map((text) => Number(/^Subject: Number (\d+)\r$/m.exec(text)![1]))
        assert.deepEqual(
          numbers.sort((x, y) => x - y),
          expected,
        )
        for (const text of messages) assert.match(text, /^This is number \d+\.\r$/m)
      }
    }
    assert.doesNotMatch(await provider.log(), /damaged|made again|"level":"error"/)
  })

  it('tell both at once what is delivered', async () => {
    await using a = await idling()
    await using b = await idling()
    assert.deepEqual((await loginsAt(2)).sort(), [1, 2])
    await using c = await login()
    const text = 'Subject: To both\r\n\r\nHello\r\n'
    const literal = `APPEND Drafts {${text.length}+}\r\n${text}`
    for (const exists of [1, 2, 3]) {
      await c.command(literal)
      for (const talk of [a, b]) await talk.play(`S: * ${exists} EXISTS\nS: * … RECENT`)
    }
  })

  it('serve a maildrop to one client at a time', async () => {
    const pass = `C: USER ${ann.address}\nS: +OK …\nC: PASS ${ann.password}\nS:`
    await using first = await talkTo('pop3s')
    await first.play(`S: +OK …\n${pass} +OK …`)
    await using second = await talkTo('pop3s')
    await second.play(`S: +OK …\n${pass} -ERR [IN-USE] …`)
    await first.play('C: QUIT\nS: +OK …')
    await second.play(`${pass} +OK …\nC: QUIT\nS: +OK …`)
  })

  it('end all sessions of an account when its password changes', async () => {
    await using a = await idling()
    await using b = await idling()
    assert.deepEqual((await loginsAt(2)).sort(), [1, 2])
    await provider.command(['account', 'password', ann.address, '--password-stdin'], {
      input: `${ann.password}\nanother password\n`,
    })
    for (const talk of [a, b]) await talk.play('S: * BYE …')
    await provider.command(['account', 'password', ann.address, '--password-stdin'], {
      input: `another password\n${ann.password}\n`,
    })
  })

  it('go on when one of them dies, and it comes back', async () => {
    await using a = await idling()
    await using b = await idling()
    const [frontOfA, frontOfB] = await loginsAt(2)
    assert.notEqual(frontOfA, frontOfB)
    const before = await fronts()
    process.kill(before.get(frontOfA!)!, 'SIGKILL')
    assert.equal(await a.line(), null)
    await using c = await login()
    await c.command('SELECT INBOX')
    await b.play('C: DONE\nS: 3 OK …')
    await eventually(
      'the front is back',
      async () => (await fronts()).get(frontOfA!) !== before.get(frontOfA!) && (await health()) === 200,
    )
    assert.match(await provider.log(), /a front ended and is started again/)
    await using d = await login()
    assert.deepEqual(await loginsAt(1), [frontOfA])
    await d.command('SELECT INBOX')
  })

  it('synchronise with mbsync, twice', async () => {
    const client = await mbsync({
      directory: directory.join('mbsync'),
      host: provider.host,
      port: provider.ports.imaps,
      user: ann.address,
      password: ann.password,
      certificate: provider.certificate,
    })
    for (const _ of [1, 2]) assert.equal((await client.sync()).code, 0)
    await using reader = await login()
    assert.equal((await client.messages('INBOX')).length, await reader.count())
  })

  it('brake guessing over both', async () => {
    const guess = async (expected: string) => {
      await using talk = await talkTo('imaps')
      await talk.play(`S: * OK …\nC: 1 LOGIN nobody@alpha.test wrong\nS: 1 NO [${expected}] …`)
    }
    for (let time = 0; time < 6; time++) await guess('AUTHENTICATIONFAILED')
    // What one of them counted, the other hears of.
    for (let time = 0; time < 2; time++) await guess('UNAVAILABLE')
  })
})
