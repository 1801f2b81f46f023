/** Keys that change while they are remembered, at one provider or at two at once; and who is not asked when mail is read. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { generateKey } from 'openpgp'
import { withRevocation } from '#formats/openpgp/revocation.ts'
import { type DiscoveryLab, discoveryLab, spell, startLabWeb } from '../../../test/support/discovery-lab.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createFakeLog } from '../../../test/support/fake-log.ts'
import type { FakeWeb } from '../../../test/support/fake-web.ts'
import { type MadeKey, madeKey } from '../../../test/support/published.ts'
import type { Discoverer } from './discovery.ts'
import { createLookAhead } from './look-ahead.ts'

const BOB = { local: 'bob', domain: 'beta.test' }
const GIL = { local: 'gil', domain: 'gamma.test' }
const MINUTE = 60_000
const DAY = 1440 * MINUTE
const CHANGED = 'a correspondent has another certificate'
let web: FakeWeb
const made: Record<'bob' | 'newBob' | 'gil' | 'newGil', MadeKey> = {} as never

before(async () => {
  web = await startLabWeb()
  for (const name of ['bob', 'newBob'] as const) made[name] = await madeKey(['<bob@beta.test>'])
  for (const name of ['gil', 'newGil'] as const) made[name] = await madeKey(['<gil@gamma.test>'])
})
after(() => web[Symbol.asyncDispose]())

const inLab = async (run: (lab: DiscoveryLab) => Promise<void>) => {
  await using lab = await discoveryLab(web)
  await run(lab)
}
const revoked = ({ certificate, revocation }: MadeKey) => withRevocation(certificate, Buffer.from(revocation))

/** As a keyserver has it once a key was rotated: the new one by address, the old one revoked by its keys. */
function rotate({ byAddress, byKey }: DiscoveryLab, address: typeof BOB, from: MadeKey, to: MadeKey): void {
  byAddress(address, to.certificate)
  for (const key of [from.fingerprint, from.subkey]) byKey(address.domain, key, revoked(from))
}

test('the recipient rotated: the old one is used until it is asked for again, and never after', () =>
  inLab(async (lab) => {
    const { discoverer, byAddress, clock, logger } = lab
    byAddress(BOB, made.bob.certificate)
    await discoverer.discover(BOB)
    rotate(lab, BOB, made.bob, made.newBob)
    assert.equal(spell(await discoverer.discover(BOB)), `${made.bob.fingerprint} secure-srv`)
    await clock.advance(DAY)
    await discoverer.discover(BOB)
    await logger.heard(CHANGED)
    const current = `${made.newBob.fingerprint} secure-srv`
    assert.equal(spell(await discoverer.discover(BOB)), current)
    byAddress(BOB, { status: 503 })
    await clock.advance(6 * DAY)
    assert.equal(spell(await discoverer.discover(BOB, { fresh: true })), current)
    const seen = (await discoverer.sightings(BOB)).map(({ fingerprint }) => fingerprint)
    assert.deepEqual(seen, [made.newBob.fingerprint, made.bob.fingerprint])
  }))

test('two providers rotate at once: nobody gets the key of another, and what was signed before is known', () =>
  inLab(async (lab) => {
    const { discoverer, byAddress, clock, logger } = lab
    byAddress(BOB, made.bob.certificate)
    byAddress(GIL, made.gil.certificate)
    const both = async () => (await Promise.all([discoverer.discover(BOB), discoverer.discover(GIL)])).map(spell)
    assert.deepEqual(await both(), [`${made.bob.fingerprint} secure-srv`, `${made.gil.fingerprint} secure-srv`])
    await clock.advance(DAY)
    rotate(lab, BOB, made.bob, made.newBob)
    rotate(lab, GIL, made.gil, made.newGil)
    await both()
    await logger.heard(CHANGED, 2)
    assert.deepEqual(await both(), [`${made.newBob.fingerprint} secure-srv`, `${made.newGil.fingerprint} secure-srv`])
    const before = await Promise.all([
      discoverer.certificate(BOB, made.bob.fingerprint),
      discoverer.certificate(GIL, made.gil.fingerprint),
      discoverer.certificate(GIL, made.bob.fingerprint),
    ])
    assert.deepEqual(before.map(spell), [
      `${made.bob.fingerprint} secure-srv`,
      `${made.gil.fingerprint} secure-srv`,
      'none',
    ])
  }))

test('a kept certificate that expires is not used any more, whatever cannot be asked', () =>
  inLab(async ({ discoverer, byAddress, clock }) => {
    const { publicKey } = await generateKey({
      userIDs: { email: 'bob@beta.test' },
      date: new Date(clock.now() - DAY),
      keyExpirationTime: (3 * DAY) / 1000,
      format: 'object',
    })
    byAddress(BOB, Buffer.from(publicKey.write()))
    const found = await discoverer.discover(BOB)
    assert.ok(found.kind === 'found')
    assert.equal(Math.floor(found.until / 1000), Math.floor((clock.now() + 2 * DAY) / 1000))
    byAddress(BOB, { status: 503 })
    await clock.advance(2 * DAY - 1000)
    assert.equal(spell(await discoverer.discover(BOB)), spell(found))
    await clock.advance(2000)
    assert.equal(spell(await discoverer.discover(BOB, { quiet: true })), 'temporary')
    byAddress(BOB, Buffer.from(publicKey.write()))
    assert.equal(spell(await discoverer.discover(BOB, { fresh: true })), 'unusable')
  }))

test('who reads is not seen: what is remembered is enough, for a day also that there is nothing', () =>
  inLab(async ({ discoverer, byAddress, clock }) => {
    const quietly = async () => {
      web.asked.length = 0
      return [spell(await discoverer.discover(BOB, { quiet: true })), web.asked.length] as const
    }
    assert.deepEqual(await quietly(), ['none', 2])
    await clock.advance(DAY - 1)
    assert.deepEqual(await quietly(), ['none', 0])
    await clock.advance(1)
    byAddress(BOB, { status: 503 })
    assert.deepEqual(await quietly(), ['temporary', 1])
    await clock.advance(MINUTE)
    byAddress(BOB, made.bob.certificate)
    assert.deepEqual(await quietly(), [`${made.bob.fingerprint} secure-srv`, 1])
    await clock.advance(6 * DAY)
    assert.deepEqual(await quietly(), [`${made.bob.fingerprint} secure-srv`, 0])
  }))

test('authors of sealed mail are looked up beforehand, a few at once; what fails is logged alone', async () => {
  const looked: string[] = []
  const waiting: (() => void)[] = []
  const discover = (address: typeof BOB) => {
    looked.push(address.local)
    if (address.local === 'broken') throw new Error('disk')
    return new Promise<void>((resolve) => waiting.push(resolve))
  }
  const logger = createFakeLog()
  const lookAhead = createLookAhead({ discoverer: async () => ({ discover }) as unknown as Discoverer }, logger)
  for (let at = 0; at < 300; at++) lookAhead({ local: `a${at}`, domain: 'beta.test' })
  await createFakeClock().advance(0)
  assert.equal(looked.length, 4)
  while (waiting.length > 0) {
    waiting.shift()!()
    await createFakeClock().advance(0)
  }
  assert.equal(looked.length, 260, 'beyond what may wait, it is left out')
  lookAhead({ local: 'broken', domain: 'beta.test' })
  await logger.heard('the author of sealed mail could not be looked up')
  assert.equal(logger.lines.length, 1)
})
