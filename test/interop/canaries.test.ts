/**
 * Secrets that a provider was given, looked for in its memory when everybody has logged out: what a core dump of it would hold.
 * Passwords in every form in which they travel, right and wrong ones, whole, cut and never finished; codes, passphrases and keys.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { Premises } from '#cli/premises.ts'
import { formsOf, secretNumbers } from '../support/canary.ts'
import { MailLine } from '../support/mail-line.ts'
import { type Needles, searchMemory } from '../support/memory-image.ts'
import { needs } from '../support/needs.ts'
import { eventually } from '../support/peers/run.ts'
import { pidsOf } from '../support/processes.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { ScramClient } from '../support/scram.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

/** Begins every password, so that one search finds all of them; the rest of each says which it is. */
const mark = randomBytes(9).toString('hex')
const password = (which: string) => `${mark}-${which}`
const base64 = (text: string) => Buffer.from(text).toString('base64')

const alice = { address: 'alice@alpha.test', password: password('alice') }
const bob = { address: 'bob@alpha.test', password: password('bob') }
const [changed, recovered] = [password('changed'), password('recovered')]
const passphrase = password('passphrase')

const tagged = /^a (?:OK|NO|BAD).*\r\n/m
const goAhead = /^\+.*\r\n/m
const challenge = /^334.*\r\n/m
const reply = /^[25]\d\d .*\r\n/m

describe('what is left in memory', needs('root', 'prlimit'), () => {
  let directory: TemporaryDirectory
  let provider: Provider
  let ca: string
  let indexKey: Buffer
  /** Of exchanges by SCRAM, right and cut off. */
  const exchanged: Record<string, string | Uint8Array> = {}

  const imap = async () => {
    const line = await MailLine.to(provider.host, provider.ports.imaps, ca)
    await line.hear(/^\* OK.*\r\n/)
    return line
  }
  const smtp = async () => {
    const line = await MailLine.to(provider.host, provider.ports.submissions, ca)
    await line.hear(reply)
    await line.say(reply, 'EHLO client.test\r\n')
    return line
  }
  const loggedIn = async (who = alice) => {
    const line = await imap()
    assert.match(await line.say(tagged, `a LOGIN ${who.address} ${who.password}\r\n`), /^a OK/m)
    return line
  }
  const processes = async () => {
    const uids = new Map<number, string>()
    for (const pid of pidsOf([provider.pid])) {
      const status = await readFile(`/proc/${pid}/status`, 'latin1')
      uids.set(pid, /^Uid:\t(\d+)/m.exec(status)![1]!)
    }
    const [vault] = [...uids].filter(([, uid]) => uid === '65533').map(([pid]) => pid)
    assert.ok(vault)
    return { vault, others: [...uids.keys()].filter((pid) => pid !== vault) }
  }
  const searchOthers = async (needles: Needles) => {
    const findings: string[] = []
    for (const pid of (await processes()).others) findings.push(...(await searchMemory(pid, needles)))
    return findings
  }
  const isQuiet = () =>
    eventually('all keys are wiped', async () => {
      const health = await fetch(`http://127.0.0.1:${provider.ports.admin}/health`)
      return (await health.text()).includes('0 accounts unlocked') ? true : undefined
    })
  const marked: Needles = new Map([['a password', formsOf('', mark).map(({ octets }) => octets)]])

  before(async () => {
    directory = await temporaryDirectory('canaries')
    const settings = { 'sessions.grace': '"1s"', 'limits.failedLogins': '1000' }
    provider = await makeProvider({ directory: directory.path, domain: 'alpha.test', accounts: [alice, bob], settings })
    await provider.start()
    ca = await readFile(provider.ca, 'utf8')
  })

  after(async () => {
    await provider?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  it('is no password that came by IMAP, however it came', async () => {
    using line = await imap()
    await line.say(tagged, `a LOGIN ${alice.address} ${password('atom')}\r\n`)
    await line.say(tagged, `a LOGIN ${alice.address} "${password('quo\\\\ted')}"\r\n`)
    await line.say(tagged, `a AUTHENTICATE PLAIN ${base64(`\0${alice.address}\0${password('initial')}`)}\r\n`)
    using second = await imap()
    const literal = password('literal')
    const announced = `a LOGIN {${alice.address.length}+}\r\n${alice.address} {${literal.length}+}\r\n`
    await second.say(tagged, announced, literal, '\r\n')
    await second.say(goAhead, 'a AUTHENTICATE PLAIN\r\n')
    await second.say(tagged, `${base64(`\0${alice.address}\0${password('line')}`)}\r\n`)
    await second.say(tagged, `a LOGIN ${alice.address} "${password('ha').slice(0, -4)}`, `${mark}lves"\r\n`)
    using third = await imap()
    await third.say(tagged, `a LOGIN ${alice.address} ${password('too many')} words\r\n`)
    await third.say(goAhead, `a LOGIN ${alice.address} {${literal.length}}\r\n`)
    await third.say(tagged, `${literal}\r\n`)
    using right = await loggedIn()
    await right.say(tagged, 'a LOGOUT\r\n')
    using never = await imap()
    await never.say(tagged, 'a NOOP\r\n', `a LOGIN ${alice.address} "${password('never')}`)
  })

  it('is no password that came by SMTP, however it came', async () => {
    using line = await smtp()
    await line.say(reply, `AUTH PLAIN ${base64(`\0${alice.address}\0${password('initial')}`)}\r\n`)
    await line.say(challenge, 'AUTH PLAIN\r\n')
    await line.say(reply, `${base64(`\0${alice.address}\0${password('line')}`)}\r\n`)
    using second = await smtp()
    await second.say(challenge, 'AUTH LOGIN\r\n')
    await second.say(challenge, `${base64(alice.address)}\r\n`)
    await second.say(reply, `${base64(password('login'))}\r\n`)
    await second.say(reply, `AUTH PLAIN ${base64(`\0${alice.address}\0${password('bad')}`)}!\r\n`)
    using third = await smtp()
    const halves = base64(`\0${bob.address}\0${bob.password}`)
    assert.match(await third.say(reply, `AUTH PLAIN ${halves.slice(0, 50)}`, `${halves.slice(50)}\r\n`), /^235/m)
    using never = await smtp()
    await never.say(reply, 'NOOP\r\n', `AUTH PLAIN ${base64(`\0${alice.address}\0${password('never')}`)}`)
  })

  it('is no proof of an app password, nor the key that comes out of it', async () => {
    const added = ['app-password', 'add', bob.address, '--label', 'phone', '--password-stdin']
    const made = await provider.json<{ password: string }>(added, { input: `${bob.password}\n` })
    exchanged['app password'] = made.password
    const keep = (which: string, { secrets }: ScramClient) => {
      for (const [name, octets] of Object.entries(secrets)) exchanged[`${name}, ${which}`] = octets
    }
    const begin = (line: MailLine, client: ScramClient) =>
      line.say(goAhead, `a AUTHENTICATE SCRAM-SHA-256 ${client.first}\r\n`)
    using line = await imap()
    const byImap = new ScramClient(bob.address, made.password)
    const first = await begin(line, byImap)
    const last = await line.say(goAhead, `${byImap.final(first.trim().slice(2))}\r\n`)
    assert.ok(byImap.believes(last.trim().slice(2)))
    assert.match(await line.say(tagged, '\r\n'), /^a OK/m)
    await line.say(tagged, 'a LOGOUT\r\n')
    keep('IMAP', byImap)
    using second = await smtp()
    const bySmtp = new ScramClient(bob.address, made.password)
    const answer = await second.say(challenge, `AUTH SCRAM-SHA-256 ${bySmtp.first}\r\n`)
    await second.say(challenge, `${bySmtp.final(answer.trim().slice(4))}\r\n`)
    assert.match(await second.say(reply, '\r\n'), /^235/m)
    keep('SMTP', bySmtp)
    using never = await imap()
    const cut = new ScramClient(bob.address, made.password)
    const proved = cut.final((await begin(never, cut)).trim().slice(2))
    await never.say(/^/, proved)
    keep('cut off', cut)
    using refused = await imap()
    const wrong = new ScramClient(bob.address, made.password)
    await refused.say(tagged, `${wrong.final((await begin(refused, wrong)).trim().slice(2))}AAAA\r\n`)
    keep('with a longer end', wrong)
  })

  it('is no secret of what an owner does at the command line while it runs', async () => {
    const secrets = (...lines: string[]) => ({ input: lines.map((line) => `${line}\n`).join('') })
    const change = ['account', 'password', alice.address, '--password-stdin']
    await provider.command(change, secrets(alice.password, changed))
    using line = await loggedIn({ ...alice, password: changed })
    await line.say(tagged, 'a LOGOUT\r\n')
    const code = provider.recoveryCodes.get(alice.address)!
    await provider.command([...change, '--recovery'], secrets(code, recovered))
    using again = await loggedIn({ ...alice, password: recovered })
    await again.say(tagged, 'a LOGOUT\r\n')
    const out = directory.join('key.asc')
    await provider.command(
      ['key', 'export', alice.address, '--out', out, '--password-stdin'],
      secrets(recovered, passphrase),
    )
  })

  it('is the keys of a session, as long as it lives', async () => {
    await using premises = new Premises({ data: provider.data })
    const account = await premises.account(alice.address)
    await using keys = await (await premises.keyring()).unlock(account.id, Buffer.from(recovered))
    indexKey = Buffer.from(await keys!.indexKey())
    using line = await loggedIn({ ...alice, password: recovered })
    const message = 'Subject: Hello\r\n\r\nA letter.\r\n'
    await line.say(goAhead, `a APPEND INBOX {${message.length}}\r\n`)
    await line.say(tagged, `${message}\r\n`)
    await line.say(tagged, 'a SELECT INBOX\r\n')
    assert.match(await line.say(tagged, 'a FETCH 1:* (ENVELOPE BODY[])\r\n'), /A letter\./)
    // Found while they must be there: the search does find what is.
    const { vault } = await processes()
    const numbers = await secretNumbers(await readFile(directory.join('key.asc'), 'utf8'), passphrase)
    assert.notDeepEqual(await searchMemory(vault, rawly(numbers)), [])
    assert.notDeepEqual(await searchOthers(rawly({ indexKey })), [])
    await line.say(tagged, 'a LOGOUT\r\n')
  })

  it('is none of them when all have logged out, in no process', async () => {
    await isQuiet()
    const numbers = await secretNumbers(await readFile(directory.join('key.asc'), 'utf8'), passphrase)
    const codes = Object.fromEntries([...provider.recoveryCodes].map(([address, code]) => [`code of ${address}`, code]))
    const bare = Object.entries(codes).map(([name, code]) => [`${name}, bare`, code.replaceAll('-', '')] as const)
    const secrets = { ...numbers, indexKey, ...codes, ...Object.fromEntries(bare) }
    const formed = ([name, one]: [string, string | Uint8Array]): [string, Buffer[]] => [
      name,
      formsOf(name, one).map(({ octets }) => octets),
    ]
    const needles: Needles = new Map([...marked, ...rawly(secrets), ...Object.entries(exchanged).map(formed)])
    assert.deepEqual(await searchOthers(needles), [])
    assert.deepEqual(await searchMemory((await processes()).vault, needles), [], 'not even in the vault')
  })

  it('is told when the vault dies: sessions end, and the next login has a new one', async () => {
    using line = await loggedIn({ ...alice, password: recovered })
    const { vault } = await processes()
    process.kill(vault, 'SIGSEGV')
    assert.match(await line.hear(/^\* BYE.*\r\n/m), /please log in again/)
    using next = await loggedIn({ ...alice, password: recovered })
    await next.say(tagged, 'a LOGOUT\r\n')
    assert.notEqual((await processes()).vault, vault)
  })
})

/** Secrets that travel as octets only. */
function rawly(secrets: Readonly<Record<string, string | Uint8Array>>): Needles {
  return new Map(Object.entries(secrets).map(([name, octets]) => [name, [Buffer.from(octets)]]))
}
