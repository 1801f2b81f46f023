/**
 * The heart of it: alice writes with swaks, bob reads with mbsync, each at a provider of their own, found through a really signed zone.
 * What bob gets is what alice wrote; who stands between sees no word of it, the subject included.
 */
import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { formsOf, sweep } from '../support/canary.ts'
import { type Correspondent, currentKeyOf, fieldsOf, queueEmpty } from '../support/correspondence.ts'
import { letters, traceOf } from '../support/letters.ts'
import { needs } from '../support/needs.ts'
import { asSent, mbsync } from '../support/peers/mbsync.ts'
import { swaks } from '../support/peers/swaks.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'
import { startWorld, type World } from '../support/world.ts'

const ACCOUNTS = {
  'alpha.test': [{ address: 'alice@alpha.test', password: 'the password of alice' }],
  'beta.test': [{ address: 'bob@beta.test', password: 'the password of bob' }],
}
const canaries = { subject: 'quiet-kingfisher-subject', body: 'hollow-oak-tree-body' }

/** What servers put on top of a message. */
const TRACE = ['authentication-results', 'delivered-to', 'received', 'return-path']

describe('between two providers', needs('knotd', 'keymgr', 'kzonesign', 'unbound', 'swaks', 'mbsync'), () => {
  let directory: TemporaryDirectory
  let world: World
  let alice: Correspondent
  let bob: Correspondent

  before(async () => {
    directory = await temporaryDirectory('end-to-end')
    world = await startWorld({ directory: directory.path, providers: ACCOUNTS, names: 'signed' })
    alice = { ...ACCOUNTS['alpha.test'][0]!, provider: world.providers['alpha.test']! }
    bob = { ...ACCOUNTS['beta.test'][0]!, provider: world.providers['beta.test']! }
  })
  after(async () => {
    await world?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  const send = async (message: Buffer) => {
    const { host, ports, ca } = alice.provider
    const login = { user: alice.address, password: alice.password }
    const target = { host, port: ports.submissions, tls: 'implicit', ca, login } as const
    const { code, output } = await swaks({ ...target, from: alice.address, to: [bob.address], message })
    assert.equal(code, 0, output)
    assert.match(output, /250 2\.0\.0/)
    assert.doesNotMatch(output, /not encrypted/)
  }
  const findings = () =>
    sweep({
      canaries,
      directories: [alice, bob].map(({ provider }) => dirname(provider.data)),
      processes: [alice, bob].map(({ provider }) => provider.pid),
    })

  it('what alice wrote arrives to the octet, and is nowhere on the way', async () => {
    const wire = world.wires['beta.test']!
    const all = letters(alice.address, bob.address, canaries.subject, canaries.body)
    // Nobody may submit what has no header that all readers agree on.
    const sent = all.filter(({ name }) => name !== 'broken-header')
    wire.hold()
    for (const { content } of sent) await send(content)
    assert.deepEqual(await findings(), [], 'while it waits in the queue of alpha')
    wire.letGo()
    await queueEmpty(alice)
    const heard = wire.heard()
    assert.ok(heard.includes('-----BEGIN PGP MESSAGE-----'), 'the tap saw what went by')
    for (const { name, octets } of Object.entries(canaries).flatMap((canary) => formsOf(...canary)))
      assert.ok(!heard.includes(octets), `${name} on the wire`)
    assert.deepEqual(await findings(), [], 'before bob has logged in')

    const { host, ports, certificate } = bob.provider
    const options = { host, port: ports.imaps, user: bob.address, password: bob.password, certificate }
    const client = await mbsync({ ...options, directory: directory.join('mbsync') })
    const { code, output } = await client.sync()
    assert.equal(code, 0, output)
    const read = (await client.messages('INBOX')).map(({ content }) => asSent(content))
    assert.equal(read.length, sent.length)
    const { fingerprint } = await currentKeyOf(alice)
    for (const { name, content } of sent) {
      const got = read.find((message) => message.includes(`<${name}@journey.test>`))
      assert.ok(got, name)
      const trace = traceOf(got, content)
      assert.ok(trace !== null, `${name}: ${got}`)
      for (const line of trace
        .replace(/\r\n[ \t]/g, ' ')
        .split('\r\n')
        .slice(0, -1))
        assert.ok(TRACE.includes(line.split(':')[0]!.toLowerCase()), line)
      const results = fieldsOf(got, 'Authentication-Results').filter((value) => value.startsWith('mail.beta.test'))
      assert.equal(results.length, 1, name)
      assert.match(results[0]!, /^mail\.beta\.test;\s*openpgp=pass\b/)
      assert.match(results[0]!, /secure-srv/)
      assert.ok(results[0]!.toUpperCase().includes(fingerprint), results[0])
    }
    assert.deepEqual(await findings(), [], 'when bob has read it')
  })

  it('what alice keeps in Sent is what she wrote, and says how it left', async () => {
    const { host, ports, certificate } = alice.provider
    const options = { host, port: ports.imaps, user: alice.address, password: alice.password, certificate }
    const client = await mbsync({ ...options, directory: directory.join('mbsync-alice') })
    await client.sync()
    const [kept] = (await client.messages('Sent')).map(({ content }) => asSent(content))
    assert.ok(kept?.includes(canaries.subject))
    const [protection = ''] = fieldsOf(kept!, 'Letterlock-Protection')
    assert.match(protection, /^sealed; to=bob@beta\.test; key=[0-9A-F]{40}; found=secure-srv/)
    assert.ok(protection.includes((await currentKeyOf(bob)).fingerprint))
  })
})
