/** Mail to people without a usable key: what each policy does with it, what a message may ask for itself, and what its author is told. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { enums, generateKey } from 'openpgp'
import { openPgpKeyName } from '#formats/hkp/names.ts'
import {
  type Correspondent,
  fieldsOf,
  letter,
  mailArrived,
  mailOf,
  type SubmissionReply,
  submit,
} from '../../support/correspondence.ts'
import type { ZoneRecord } from '../../support/fake-dns.ts'
import { type FakeMta, startFakeMta } from '../../support/fake-mta.ts'
import { eventually, freePort, ownLoopback } from '../../support/peers/run.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary.ts'
import { startWorld, type World } from '../../support/world.ts'

const account = (name: string) => ({ address: `${name}@alpha.test`, password: `the password of ${name}` })
const NAMES = ['plain', 'warn', 'refuse', 'pickup'] as const
type Name = (typeof NAMES)[number]

const HOUR = 3_600_000

/** Of two hours ago, and good for one. */
async function keyRecord(local: string, domain: string, life: number): Promise<ZoneRecord> {
  const { publicKey } = await generateKey({
    userIDs: [{ email: `${local}@${domain}` }],
    type: 'ecc',
    curve: enums.curve.curve25519Legacy,
    date: new Date(Date.now() - 2 * HOUR),
    keyExpirationTime: life / 1000,
    format: 'object',
  })
  const value = Buffer.from(publicKey.write()).toString('base64')
  return { name: `${openPgpKeyName({ local, domain })}.`, type: 'OPENPGPKEY', value }
}

describe('policies for mail to people without a key', () => {
  const closing = new AsyncDisposableStack()
  let directory: TemporaryDirectory
  let world: World
  let mta: FakeMta
  const author = (name: Name): Correspondent => ({ ...account(name), provider: world.providers['alpha.test']! })

  before(async () => {
    directory = closing.use(await temporaryDirectory('end-to-end-policy'))
    const host = ownLoopback()
    mta = closing.use(await startFakeMta({ host, port: await freePort(host) }))
    const mailFor = (domain: string): ZoneRecord[] => [
      { name: `${domain}.`, type: 'MX', value: `10 mx.${domain}.` },
      { name: `mx.${domain}.`, type: 'A', value: host },
    ]
    const others = {
      'gamma.test': [
        ...mailFor('gamma.test'),
        await keyRecord('old', 'gamma.test', HOUR),
        await keyRecord('gina', 'gamma.test', 9 * HOUR),
      ],
      'delta.test': [...mailFor('delta.test'), await keyRecord('dan', 'delta.test', 9 * HOUR)],
    }
    const providers = { 'alpha.test': NAMES.map(account) }
    world = closing.use(
      await startWorld({ directory: directory.path, providers, others, names: 'fake', mailPort: mta.port }),
    )
    await world.publish({ 'delta.test': 'insecure' })
    for (const name of NAMES.slice(1))
      await author(name).provider.command(['account', 'policy', author(name).address, name])
  })
  after(() => closing.disposeAsync())

  let number = 0
  async function write(
    name: Name,
    to: readonly string[],
    demand?: string,
  ): Promise<SubmissionReply & { body: string }> {
    const body = `body-number-${++number}`
    const { address } = author(name)
    const fields = {
      From: address,
      To: to.join(', '),
      Subject: 'Subject',
      ...(demand === undefined ? {} : { 'Letterlock-Encrypt': demand }),
    }
    return { ...(await submit({ author: author(name), to, message: letter(fields, body) })), body }
  }

  const received = (body: string) => mta.messages.filter(({ content }) => content.includes(body))
  const protections = async (name: Name) =>
    (await mailOf(author(name), 'Sent')).map((message) => fieldsOf(message, 'Letterlock-Protection'))

  it('plain: it leaves as it was written, and its author can see that', async () => {
    const { code, lines, body } = await write('plain', ['nobody@gamma.test', 'gina@gamma.test'], 'automatic')
    assert.equal(code, 250)
    assert.match(lines.at(-1)!, /not encrypted for 1 of 2 recipients/)
    await mta.taken(2)
    const [clear, ...more] = received(body)
    assert.equal(more.length, 0, 'gina gets it sealed')
    assert.deepEqual(
      clear!.commands.filter((line) => line.startsWith('RCPT')).map((line) => line.toLowerCase().includes('nobody@')),
      [true],
    )
    assert.doesNotMatch(clear!.content, /Letterlock-/i)
    const told = (await protections('plain')).at(-1)!
    assert.deepEqual(told.map((text) => text.split(';').slice(0, 2).join(';')).sort(), [
      'plain; to=nobody@gamma.test',
      'sealed; to=gina@gamma.test',
    ])
  })

  for (const [to, why] of [
    ['old@gamma.test', /expired/],
    ['dan@delta.test', /DNSSEC/],
  ] as const)
    it(`${to}: a certificate that cannot be used is none, and the author is told why`, async () => {
      const { code, body } = await write('plain', [to])
      assert.equal(code, 250)
      await mta.taken(mta.messages.length + (received(body).length === 0 ? 1 : 0))
      assert.equal(received(body).length, 1)
      assert.match((await protections('plain')).at(-1)![0]!, why)
      const refused = await write('refuse', [to])
      assert.equal(refused.code, 550)
      assert.match(refused.lines.join('\n'), why)
    })

  it('a message may demand encryption: refused for all when one has no key', async () => {
    const { code, lines, body } = await write('plain', ['gina@gamma.test', 'nobody@gamma.test'], 'Required')
    assert.equal(code, 550)
    assert.match(lines.join('\n'), /^550[ -]5\.7\.1 .*nobody@gamma\.test/m)
    assert.doesNotMatch(lines.join('\n'), /gina/)
    assert.equal(received(body).length, 0)
    const before = mta.messages.length
    const alone = await write('plain', ['gina@gamma.test'], 'required')
    assert.equal(alone.code, 250)
    await mta.taken(before + 1)
    assert.match(mta.messages.at(-1)!.content, /BEGIN PGP MESSAGE/)
  })

  it('a message may ask not to be encrypted, and not for something unknown', async () => {
    const { code, body } = await write('plain', ['gina@gamma.test'], 'no')
    assert.equal(code, 250)
    await mta.taken(mta.messages.length + (received(body).length === 0 ? 1 : 0))
    assert.equal(received(body).length, 1)
    const unknown = await write('plain', ['gina@gamma.test'], 'perhaps')
    assert.equal(unknown.code, 550)
    assert.match(unknown.lines.join('\n'), /5\.7\.1 .*Letterlock-Encrypt.*required.*automatic.*pickup.*no/)
  })

  it('warn: it leaves, and a message tells its author', async () => {
    const { code, body } = await write('warn', ['nobody@gamma.test'])
    assert.equal(code, 250)
    const [notice] = await mailArrived(author('warn'), 1)
    assert.match(notice!.toString(), /nobody@gamma\.test/)
    await eventually('the message', async () => received(body).length === 1)
  })

  it('refuse: nothing leaves, and the message cannot ask for less', async () => {
    for (const demand of [undefined, 'automatic', 'no']) {
      const { code, body } = await write('refuse', ['nobody@gamma.test'], demand)
      assert.equal(code, 550)
      assert.equal(received(body).length, 0)
    }
    assert.equal((await mailOf(author('refuse'), 'Sent')).length, 0)
  })

  it('pickup: it is kept here, sealed, and its author is told', async () => {
    const { code, body } = await write('pickup', ['nobody@gamma.test'])
    assert.equal(code, 250)
    const [notice] = await mailArrived(author('pickup'), 1)
    assert.match(notice!.toString(), /nobody@gamma\.test/)
    const { provider, address } = author('pickup')
    const kept = await provider.json<{ recipient: string }[]>(['pickup', 'list', address])
    assert.deepEqual(
      kept.map(({ recipient }) => recipient),
      ['nobody@gamma.test'],
    )
    assert.equal(received(body).length, 0)
  })

  it('a strict domain cannot be loosened by its accounts', async () => {
    const { provider } = author('plain')
    await provider.command(['domain', 'policy', 'alpha.test', 'refuse'])
    for (const name of ['plain', 'warn'] as const)
      assert.equal((await write(name, ['nobody@gamma.test'])).code, 550, name)
    await provider.command(['domain', 'policy', 'alpha.test', 'default'])
    assert.equal((await write('plain', ['nobody@gamma.test'])).code, 250)
  })
})
