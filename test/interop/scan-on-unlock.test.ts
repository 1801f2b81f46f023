/**
 * Mail that its sender sealed cannot be scanned when it arrives. Between two providers of ours, with Debian's rspamd and clamd: they see
 * nothing until its owner logs in with mbsync, and then it goes where it belongs, once.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Correspondent, letter, mailArrived, mailOf, queueEmpty, submit } from '../support/correspondence.ts'
import { needs } from '../support/needs.ts'
import { type Clamd, EICAR, startClamd } from '../support/peers/clamd.ts'
import { mbsync } from '../support/peers/mbsync.ts'
import { GTUBE, type Rspamd, startRspamd } from '../support/peers/rspamd.ts'
import { eventually } from '../support/peers/run.ts'
import { Reader } from '../support/reader.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'
import { startWorld, type World } from '../support/world.ts'

const alicesAccount = { address: 'alice@alpha.test', password: 'the password of alice' }
const bobsAccount = { address: 'bob@beta.test', password: 'the password of bob' }

interface Health {
  readonly ok: boolean
  readonly parts: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[]
}

describe(
  'mail that arrived sealed is scanned when its owner opens it',
  needs('rspamd', 'clamd', 'mbsync', 'root'),
  () => {
    const closing = new AsyncDisposableStack()
    let directory: TemporaryDirectory
    let world: World
    let rspamd: Rspamd
    let clamd: Clamd
    let alice: Correspondent
    let bob: Correspondent

    before(async () => {
      directory = closing.use(await temporaryDirectory('scan-on-unlock'))
      ;[rspamd, clamd] = await Promise.all([startRspamd(directory.join('r')), startClamd(directory.join('c'))])
      closing.use(rspamd)
      closing.use(clamd)
      world = closing.use(
        await startWorld({
          directory: directory.path,
          providers: { 'alpha.test': [alicesAccount], 'beta.test': [bobsAccount] },
          names: 'fake',
          settings: { 'scan.rspamd': `"${rspamd.host}:${rspamd.port}"`, 'scan.clamd': `"unix:${clamd.path}"` },
        }),
      )
      alice = { ...alicesAccount, provider: world.providers['alpha.test']! }
      bob = { ...bobsAccount, provider: world.providers['beta.test']! }
    })
    after(() => closing.disposeAsync())

    /** How many messages each has seen. */
    const seen = async () => [
      [...rspamd.log().matchAll(/rspamd_message_parse: loaded message/g)].length,
      [...(await clamd.log()).matchAll(/^instream\(/gm)].length,
    ]

    /** Both have, and no more than that; their logs come after their answers. */
    const haveSeen = async (count: number) => {
      await eventually('all is in their logs', async () => (await seen()).every((messages) => messages >= count))
      assert.deepEqual(await seen(), [count, count])
    }

    const send = async (subject: string, body: string, fields: Readonly<Record<string, string>> = {}) => {
      const message = letter({ From: alice.address, To: bob.address, Subject: subject, ...fields }, body)
      const { code, lines } = await submit({ author: alice, to: [bob.address], message })
      assert.equal(code, 250, lines.join('\n'))
    }

    const subjectsIn = async (mailbox: string) =>
      (await mailOf(bob, mailbox)).map((message) => /^Subject: (.*)\r$/m.exec(message.toString())?.[1]).sort()

    const health = async ({ provider }: Correspondent): Promise<Health> =>
      (await (await fetch(`http://127.0.0.1:${provider.ports.admin}/health`)).json()) as Health

    it('the scanners answer, says /health', async () => {
      const { ok, parts } = await health(bob)
      assert.equal(ok, true, JSON.stringify(parts))
      const scanners = parts.filter(({ name }) => name === 'rspamd' || name === 'clamd')
      assert.deepEqual(
        scanners.map(({ detail }) => detail),
        ['answers', 'answers'],
      )
    })

    it('nothing is seen before, and junk and malware are moved then', async () => {
      await send('Good morning', 'Bob!')
      await send('Cheap things', GTUBE)
      const zipped = { 'MIME-Version': '1.0', 'Content-Type': 'application/zip', 'Content-Transfer-Encoding': 'base64' }
      const eicar = Buffer.from(EICAR).toString('base64')
      await send('The invoice', eicar, zipped)
      await queueEmpty(alice)
      const heard = world.wires['beta.test']!.heard()
      assert.ok(heard.includes('BEGIN PGP MESSAGE'))
      for (const canary of ['Cheap things', GTUBE, eicar]) assert.equal(heard.includes(canary), false, canary)
      assert.deepEqual(await seen(), [0, 0])
      const { host, ports, certificate } = bob.provider
      const login = { host, port: ports.imaps, certificate, user: bob.address, password: bob.password }
      const client = await mbsync({ directory: directory.join('mbsync'), ...login })
      const synced = await client.sync()
      assert.equal(synced.code, 0, synced.output)
      const read = await client.messages('INBOX')
      assert.deepEqual(
        read.map(({ content }) => /^Subject: (.*)$/m.exec(content.toString())?.[1]),
        ['Good morning'],
      )
      assert.deepEqual(await subjectsIn('INBOX'), ['Good morning'])
      assert.deepEqual(await subjectsIn('Junk'), ['Cheap things'])
      assert.deepEqual(await subjectsIn('Quarantine'), ['The invoice'])
      await haveSeen(3)
    })

    it('the quarantine is not subscribed to, and what was read is not scanned again', async () => {
      await using reader = await Reader.login({
        ...bob,
        user: bob.address,
        host: bob.provider.host,
        port: bob.provider.ports.imaps,
      })
      assert.match((await reader.command('LIST "" *')).toString(), /Quarantine/)
      assert.doesNotMatch((await reader.command('LSUB "" *')).toString(), /Quarantine/)
      for (const mailbox of ['INBOX', 'Junk', 'Quarantine']) await reader.fetch('1:*', mailbox)
      await haveSeen(3)
    })

    it('what its author keeps is not scanned', async () => {
      assert.equal((await mailOf(alice, 'Sent')).length, 3)
      await haveSeen(3)
    })

    it('their logs say nothing of the messages', async () => {
      const said = `${rspamd.log()}${await clamd.log()}${await bob.provider.log()}`
      assert.doesNotMatch(said, /Cheap things|The invoice|Good morning|Bob!/)
    })

    it('without scanners mail is read as ever, and /health says so', async () => {
      await Promise.all([rspamd[Symbol.asyncDispose](), clamd[Symbol.asyncDispose]()])
      await send('More cheap things', GTUBE)
      await queueEmpty(alice)
      await mailArrived(bob, 2)
      assert.deepEqual(await subjectsIn('INBOX'), ['Good morning', 'More cheap things'])
      await eventually('the log says so', async () => /mail could not be scanned/.test(await bob.provider.log()))
      const { ok, parts } = await health(bob)
      assert.equal(ok, false)
      const details = parts.filter((part) => !part.ok).map(({ detail }) => detail)
      assert.deepEqual(details, ['rspamd does not answer: ECONNREFUSED', 'clamd does not answer: ENOENT'])
    })
  },
)
