/** What an account accepted counts last, and for that account alone. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { openPgpKeyName } from '#formats/hkp/names.ts'
import { withRevocation } from '#formats/openpgp/revocation.ts'
import { type Correspondents, openCorrespondents } from '#privacy/correspondents/correspondents.ts'
import { type DiscoveryLab, discoveryLab, spell, startLabWeb } from '../../../test/support/discovery-lab.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import type { FakeName } from '../../../test/support/fake-resolver.ts'
import type { FakeWeb } from '../../../test/support/fake-web.ts'
import { type MadeKey, madeKey } from '../../../test/support/published.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { withAccepted as besidePublished } from './accepted.ts'

const BOB = { local: 'bob', domain: 'beta.test' }
const SRV = '_hkps._tcp.beta.test'
let web: FakeWeb
let mine: MadeKey
let published: MadeKey

before(async () => {
  web = await startLabWeb()
  mine = await madeKey(['<bob@beta.test>'])
  published = await madeKey(['<bob@beta.test>'])
})
after(() => web[Symbol.asyncDispose]())

/** ann has accepted a certificate for bob. */
async function withAccepted(run: (lab: DiscoveryLab, correspondents: Correspondents) => Promise<void>): Promise<void> {
  await using folder = await temporaryDirectory('accepted')
  const clock = createFakeClock()
  await using accepted = await openCorrespondents({ path: folder.join('c.db'), key: randomBytes(32), clock })
  assert.equal((await accepted.accept('ann', BOB, mine.certificate)).kind, 'accepted')
  await using lab = await discoveryLab(web, { accepted, clock })
  await run({ ...lab, clock }, accepted)
}

test('where nobody publishes anything, or nothing that is proven', () =>
  withAccepted(async ({ discoverer, zone }, correspondents) => {
    const srv = zone[SRV] as FakeName
    const ask = (account?: string) => discoverer.discover(BOB, { fresh: true, ...(account ? { account } : {}) })
    for (const [name, without] of [
      [srv, 'none'],
      [{ ...srv, secure: false }, 'unusable'],
      [{}, 'none'],
    ] as const) {
      zone[SRV] = name
      assert.equal(spell(await ask('ann')), `${mine.fingerprint} accepted`)
      assert.equal(spell(await ask('carol')), without)
      assert.equal(spell(await ask()), without)
    }
    zone[openPgpKeyName(BOB)] = { secure: false, openpgpkey: [published.certificate] }
    assert.equal(spell(await ask('ann')), `${mine.fingerprint} accepted`)
    await correspondents.forget('ann', BOB)
    assert.equal(spell(await ask('ann')), 'unusable')
  }))

test('never over anything that is published, good or bad, and never in place of trouble', () =>
  withAccepted(async ({ discoverer, zone, byAddress }) => {
    const ask = async () => spell(await discoverer.discover(BOB, { fresh: true, account: 'ann' }))
    for (const [answer, expected] of [
      [withRevocation(published.certificate, Buffer.from(published.revocation)), 'unusable'],
      [withRevocation(mine.certificate, Buffer.from(mine.revocation)), 'unusable'],
      [Buffer.concat([published.certificate, mine.certificate]), 'unusable'],
      [Buffer.from('<html>'), 'unusable'],
      [{ status: 503 }, 'temporary'],
      [published.certificate, `${published.fingerprint} secure-srv`],
    ] as const) {
      byAddress(BOB, answer)
      assert.equal(await ask(), expected)
    }
    await discoverer.forget(BOB)
    for (const trouble of ['bogus', 'temporary'] as const) {
      zone[SRV] = trouble
      assert.equal(await ask(), 'temporary')
    }
  }))

test('a Web Key Directory keeps its word; that something was accepted is told beside it', async () => {
  const inDirectory = { kind: 'found', evidence: 'wkd', steps: [], at: 0, until: 1 } as const
  const accepted = { certificate: mine.certificate, at: 0 }
  for (const [{ certificate, fingerprint }, text] of [
    [mine, /accepted it$/],
    [published, new RegExp(`another one before: ${mine.fingerprint}$`)],
  ] as const) {
    const directory = { ...inDirectory, certificate, fingerprint }
    const found = await besidePublished(directory, async () => accepted, BOB, 0)
    assert.equal(spell(found), `${fingerprint} wkd`)
    assert.ok(found.kind === 'found' && found.isAccepted)
    assert.match(found.steps.at(-1)!.text, text)
    assert.equal(await besidePublished(directory, async () => null, BOB, 0), directory)
  }
})

test('trouble of a Web Key Directory alone is trouble like any other for whoever accepted a certificate', async () => {
  const trouble = { kind: 'temporary', why: 'it answers 503', steps: [], isUnproven: true } as const
  const accepted = { certificate: mine.certificate, at: 0 }
  assert.deepEqual(await besidePublished(trouble, async () => accepted, BOB, 0), {
    kind: 'temporary',
    why: 'it answers 503',
    steps: [],
  })
  assert.equal(await besidePublished(trouble, async () => null, BOB, 0), trouble)
})

test('what cannot be read is trouble; what cannot be used any more is said', () =>
  withAccepted(async ({ discoverer }) => {
    const nobody = { local: 'nobody', domain: 'beta.test' }
    assert.equal(spell(await discoverer.discover(nobody, { account: 'ann' })), 'none')
    const broken = async () => {
      throw new Error('disk')
    }
    const expired = async () => ({ certificate: withRevocation(mine.certificate, Buffer.from(mine.revocation)), at: 1 })
    for (const [accepted, expected] of [
      [broken, /^temporary .*cannot be read \(disk\)/],
      [expired, /^unusable what was accepted for bob@beta.test is not usable any more: .*revoked/],
    ] as const) {
      await using lab = await discoveryLab(web, { accepted: { accepted } })
      const found = await lab.discoverer.discover(BOB, { account: 'ann' })
      assert.match('why' in found ? `${found.kind} ${found.why}` : found.kind, expected)
    }
  }))

test('our own addresses are looked up at home alone', async () => {
  const directory = { route: async () => ({ kind: 'unknown' }) } as never
  const accepted = { accepted: () => assert.fail('not asked') }
  await using lab = await discoveryLab(web, { accepted, directory })
  assert.equal(spell(await lab.discoverer.discover(BOB, { account: 'ann' })), 'none')
})
