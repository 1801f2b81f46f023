import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Signers } from '#custody/store/unsealing-aid.ts'
import { withRevocation } from '#formats/openpgp/revocation.ts'
import type { Discoverer, Discovery } from '#privacy/discovery/discovery.ts'
import { discoveryLab, startLabWeb } from '../../../test/support/discovery-lab.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import type { FakeWeb } from '../../../test/support/fake-web.ts'
import { type MadeKey, madeKey, openPublishedHouse, stored } from '../../../test/support/published.ts'
import { createSigners } from './signers.ts'

const BOB = 'bob@beta.test'
const ADDRESS = { local: 'bob', domain: 'beta.test' }
let web: FakeWeb
const made: Record<'old' | 'current' | 'stranger', MadeKey> = {} as never

before(async () => {
  web = await startLabWeb()
  made.old = await madeKey(['<bob@beta.test>'])
  made.current = await madeKey(['<bob@beta.test>'])
  made.stranger = await madeKey(['<eve@beta.test>'])
})
after(() => web[Symbol.asyncDispose]())

const signersOf = (discoverer: Discoverer, clock = createFakeClock()) =>
  createSigners({ discovery: { discoverer: async () => discoverer }, clock })

function spell({ certificates, trouble }: Signers): string[] {
  const names = certificates.map(({ certificate, evidence, isCurrent }) => {
    const [name] = Object.entries(made).find(([, key]) => Buffer.compare(key.certificate, certificate) === 0) ?? [
      'other',
    ]
    return `${name} ${evidence}${isCurrent ? ' current' : ''}`
  })
  return trouble === null ? names : [...names, 'trouble']
}

test('the current certificate, and an older one that the keyserver of the domain has', async () => {
  await using lab = await discoveryLab(web)
  const signers = signersOf(lab.discoverer)
  const ask = async (...issuers: string[]) => spell(await signers(BOB, issuers, 'ann'))
  lab.byAddress(ADDRESS, made.current.certificate)
  lab.byKey('beta.test', made.old.fingerprint, made.old.certificate)
  assert.deepEqual(await ask(made.current.fingerprint), ['current secure-srv current'])
  assert.deepEqual(await ask(made.current.fingerprint.slice(24)), ['current secure-srv current'], 'by key id')
  assert.deepEqual(await ask(), ['current secure-srv current'], 'who signed is not said')
  assert.deepEqual(await ask(made.old.fingerprint), ['old secure-srv'])
  const both = await ask(made.old.fingerprint, made.current.fingerprint)
  assert.deepEqual(both, ['current secure-srv current', 'old secure-srv'])
  lab.byKey('beta.test', made.stranger.fingerprint, made.stranger.certificate)
  assert.deepEqual(await ask(made.stranger.fingerprint), [], 'of another address')
  web.asked.length = 0
  await ask(made.old.fingerprint, made.current.fingerprint, made.stranger.fingerprint)
  assert.deepEqual(web.asked, [], 'all of it is remembered')
})

test('an author whose certificate was revoked since: it is there, to be judged at the time of the signature', async () => {
  await using lab = await discoveryLab(web)
  const revoked = withRevocation(made.old.certificate, Buffer.from(made.old.revocation))
  lab.byAddress(ADDRESS, revoked)
  lab.byKey('beta.test', made.old.fingerprint, revoked)
  assert.deepEqual(spell(await signersOf(lab.discoverer)(BOB, [made.old.fingerprint], 'ann')), ['other secure-srv'])
})

test('trouble is told, beside what was found', async () => {
  await using lab = await discoveryLab(web)
  const signers = signersOf(lab.discoverer)
  lab.byAddress(ADDRESS, { status: 503 })
  lab.byKey('beta.test', made.old.fingerprint, made.old.certificate)
  assert.deepEqual(spell(await signers(BOB, [made.old.fingerprint], 'ann')), ['old secure-srv', 'trouble'])
  lab.zone['_hkps._tcp.gamma.test'] = 'bogus'
  const { trouble } = await signers('gil@gamma.test', [made.old.fingerprint], 'ann')
  assert.match(trouble ?? '', /bogus/)
})

test('our own authors are in the directory, with what they gave up', async () => {
  await using house = await openPublishedHouse()
  const [first, second] = [await madeKey(['<cy@alpha.test>']), await madeKey(['<cy@alpha.test>'])]
  await house.addAccount('cy', first)
  await house.directory.addCertificate('cy', stored(second))
  await using lab = await discoveryLab(web, { directory: house.directory })
  const found = await signersOf(lab.discoverer)('cy@alpha.test', [first.fingerprint, second.fingerprint], 'ann')
  assert.deepEqual(
    found.certificates.map(({ evidence, isCurrent }) => [evidence, isCurrent]),
    [
      ['local', true],
      ['local', false],
    ],
  )
})

/** Counts what it is asked; `certificate` answers when it is told to. */
function slowDiscoverer() {
  const asked = { discover: 0, certificate: 0, accounts: new Set<string | undefined>() }
  const gate = Promise.withResolvers<Discovery>()
  const discoverer = {
    async discover(_: unknown, options: { account?: string }): Promise<Discovery> {
      asked.discover++
      asked.accounts.add(options.account)
      return { kind: 'none', steps: [] }
    },
    certificate() {
      asked.certificate++
      return gate.promise
    },
  } as unknown as Discoverer
  return { asked, discoverer, answer: () => gate.resolve({ kind: 'none', steps: [] }) }
}

test('a few keys a question, a few questions at once, and no waiting for ever', async () => {
  const { asked, discoverer, answer } = slowDiscoverer()
  const clock = createFakeClock()
  const signers = signersOf(discoverer, clock)
  const keys = Array.from({ length: 50 }, (_, at) => at.toString(16).toUpperCase().padStart(40, '0'))
  const questions = Array.from({ length: 8 }, () => signers(BOB, keys, 'ann'))
  const ninth = signers(BOB, keys.slice(0, 1), 'carol')
  await clock.advance(0)
  assert.deepEqual([asked.discover, asked.certificate], [8, 32])
  await clock.advance(10_000)
  for (const one of await Promise.all([...questions, ninth])) assert.match(one.trouble ?? '', /in time/)
  await clock.advance(0)
  assert.deepEqual([asked.discover, asked.certificate], [9, 33], 'what comes of it is remembered for the next time')
  answer()
  assert.deepEqual(await signers(BOB, [], 'carol'), { certificates: [], trouble: null })
  assert.deepEqual([...asked.accounts], ['ann', 'carol'])
  await clock.advance(0)
  assert.equal(clock.waiting, 0)
})

test('no author, no question; a discoverer that cannot be opened is trouble', async () => {
  const { asked, discoverer } = slowDiscoverer()
  for (const text of ['', 'bob', 'bob@beta.test, eve@beta.test'])
    assert.deepEqual(await signersOf(discoverer)(text, ['AB'], 'ann'), { certificates: [], trouble: null })
  assert.equal(asked.discover, 0)
  const broken = createSigners({
    discovery: { discoverer: () => Promise.reject(new Error('disk')) },
    clock: createFakeClock(),
  })
  assert.deepEqual(await broken(BOB, [], 'ann'), { certificates: [], trouble: 'disk' })
})
