/**
 * Keys and names change while providers write to each other: what was sealed to an old key stays readable, what cannot be looked up
 * waits, and nothing leaves in clear because something failed.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type Correspondent,
  currentKeyOf,
  fieldsOf,
  letter,
  mailArrived,
  mailOf,
  queueEmpty,
  queueOf,
  submit,
} from '../../support/correspondence.ts'
import { eventually } from '../../support/peers/run.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary.ts'
import { startWorld, type World } from '../../support/world.ts'

const account = (address: string) => ({ address, password: `the password of ${address}` })
const ACCOUNTS = {
  'alpha.test': [account('alice@alpha.test')],
  'beta.test': ['bob', 'bea', 'ben', 'bill', 'bess'].map((name) => account(`${name}@beta.test`)),
}

describe('keys and names that change between two providers', () => {
  let directory: TemporaryDirectory
  let world: World
  const person = (name: string): Correspondent => {
    const domain = name === 'alice' ? 'alpha.test' : 'beta.test'
    return { ...account(`${name}@${domain}`), provider: world.providers[domain]! }
  }

  before(async () => {
    directory = await temporaryDirectory('end-to-end-keys')
    world = await startWorld({ directory: directory.path, providers: ACCOUNTS, names: 'fake' })
  })
  after(async () => {
    await world?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  /** Answers what the provider of the author said. */
  async function write(from: Correspondent, to: Correspondent, body: string): Promise<string> {
    const message = letter({ From: from.address, To: to.address, Subject: `Subject of ${body}` }, body)
    const { code, lines } = await submit({ author: from, to: [to.address], message })
    assert.equal(code, 250, lines.join('\n'))
    return lines.join('\n')
  }

  const rotate = ({ provider, address, password }: Correspondent, ...more: string[]) =>
    provider.command(['key', 'rotate', address, ...more, '--password-stdin'], { input: `${password}\n` })

  /** All of it was sealed, and could be opened. */
  async function reads(reader: Correspondent, ...bodies: readonly string[]): Promise<void> {
    const messages = await mailArrived(reader, bodies.length)
    for (const body of bodies) {
      const found = messages.find((message) => message.toString().endsWith(`\r\n\r\n${body}\r\n`))
      assert.ok(found, `${reader.address} cannot read ${body}`)
      assert.match(fieldsOf(found, 'Authentication-Results')[0] ?? '', /openpgp=pass/, body)
    }
    assert.equal(messages.length, bodies.length)
  }

  const isOnTheWire = (domain: string, text: string) => world.wires[domain]!.heard().includes(text)

  it('the recipient rotates while the sender remembers the key before', async () => {
    const [alice, bob] = [person('alice'), person('bob')]
    await write(alice, bob, 'to the first key')
    await queueEmpty(alice)
    await rotate(bob)
    await write(alice, bob, 'still to the first key')
    await reads(bob, 'to the first key', 'still to the first key')
    await alice.provider.command(['check', '--fresh', bob.address])
    await write(alice, bob, 'to the second key')
    await reads(bob, 'to the first key', 'still to the first key', 'to the second key')
    const kept = (await mailOf(alice, 'Sent')).map((message) => fieldsOf(message, 'Letterlock-Protection')[0] ?? '')
    const keys = kept.map((field) => /key=([0-9A-F]+)/.exec(field)?.[1])
    assert.equal(new Set(keys.slice(0, 2)).size, 1)
    assert.equal(keys[2], (await currentKeyOf(bob)).fingerprint)
    assert.notEqual(keys[2], keys[0])
  })

  it('the author rotates before the recipient reads: signed by a key of theirs all the same', async () => {
    const [alice, bess] = [person('alice'), person('bess')]
    await write(alice, bess, 'signed by the key before')
    await queueEmpty(alice)
    await rotate(alice)
    await write(alice, bess, 'signed by the key of today')
    await reads(bess, 'signed by the key before', 'signed by the key of today')
  })

  it('the keyserver is down: mail to a stranger waits, and is sealed when it is back', async () => {
    const [alice, bea] = [person('alice'), person('bea')]
    const port = bea.provider.ports.https
    await bea.provider.configure({ 'ports.https': '0' })
    await bea.provider.restart()
    await write(alice, bea, 'waits for the keyserver')
    const waiting = await eventually('a try', async () =>
      (await queueOf(alice)).find(({ recipients }) => recipients[0]!.tries > 0),
    )
    assert.match(waiting.recipients[0]!.lastReply ?? '', /4\.7\.5/)
    assert.ok(!isOnTheWire('beta.test', 'waits for the keyserver'))
    await bea.provider.configure({ 'ports.https': String(port) })
    await bea.provider.restart()
    // Trouble is remembered for a minute, and so is when to try again.
    await alice.provider.restart()
    await alice.provider.command(['queue', 'retry', '--all'])
    await reads(bea, 'waits for the keyserver')
    assert.ok(!isOnTheWire('beta.test', 'waits for the keyserver'))
  })

  for (const [state, name] of [
    ['bogus', 'ben'],
    ['failing', 'bill'],
  ] as const)
    it(`DNS is ${state}: mail waits, and is sealed when it is well again`, async () => {
      const [alice, stranger] = [person('alice'), person(name)]
      const body = `waits because names are ${state}`
      await world.publish({ 'beta.test': state })
      await alice.provider.restart()
      await write(alice, stranger, body)
      const waiting = await eventually('a try', async () =>
        (await queueOf(alice)).find(({ recipients }) => recipients[0]!.tries > 0),
      )
      assert.match(waiting.recipients[0]!.lastReply ?? '', /4\.7\.5/)
      await world.publish()
      await alice.provider.restart()
      await alice.provider.command(['queue', 'retry', '--all'])
      await reads(stranger, body)
      assert.ok(!isOnTheWire('beta.test', body))
    })

  it('the recipient gives the key up: nothing is sealed to it any more, and nothing leaves in clear against the wish', async () => {
    const [alice, bea] = [person('alice'), person('bea')]
    const input = `${bea.password}\n`
    await bea.provider.command(['key', 'revoke', bea.address, '--force', '--password-stdin'], { input })
    await alice.provider.command(['check', '--fresh', bea.address])
    const fields = { From: alice.address, To: bea.address, Subject: 'For nobody', 'Letterlock-Encrypt': 'required' }
    const message = letter(fields, 'sealed to nobody')
    const { code, lines } = await submit({ author: alice, to: [bea.address], message })
    assert.equal(code, 550)
    assert.match(lines.join('\n'), /^550[ -]5\.7\.1 .*bea@beta\.test/m)
    assert.ok(!isOnTheWire('beta.test', 'sealed to nobody'))
  })

  it('both rotate at once while mail flows both ways', async () => {
    const [alice, bob] = [person('alice'), person('bob')]
    const before = [(await mailOf(alice)).length, (await mailOf(bob)).length]
    let over = false
    const written = [0, 0]
    const flow = async (from: Correspondent, to: Correspondent, side: 0 | 1) => {
      while (!over) await write(from, to, `flowing ${side} ${written[side]!++}`)
    }
    const rotating = Promise.all([rotate(alice), rotate(bob)]).finally(() => {
      over = true
    })
    await Promise.all([rotating, flow(bob, alice, 0), flow(alice, bob, 1)])
    await write(bob, alice, `flowing 0 ${written[0]!++}`)
    await write(alice, bob, `flowing 1 ${written[1]!++}`)
    for (const [side, reader] of [alice, bob].entries()) {
      const messages = await mailArrived(reader, before[side]! + written[side]!)
      for (let number = 0; number < written[side]!; number++) {
        const body = `flowing ${side} ${number}`
        const found = messages.filter((message) => message.toString().endsWith(`\r\n\r\n${body}\r\n`))
        assert.equal(found.length, 1, body)
        assert.match(fieldsOf(found[0]!, 'Authentication-Results')[0] ?? '', /openpgp=pass/, body)
      }
    }
    assert.ok(!isOnTheWire('beta.test', 'flowing') && !isOnTheWire('alpha.test', 'flowing'))
  })
})
