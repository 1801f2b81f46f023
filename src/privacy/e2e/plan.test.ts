import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Directory, Route } from '#custody/accounts/directory.ts'
import { type Address, formatAddress } from '#formats/message/address.ts'
import { scanHeader } from '#formats/message/header.ts'
import { silentLogger } from '#lib/log.ts'
import type { Discovery } from '#privacy/discovery/discovery.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { fakeDiscoverer, found, NONE, sourceOf, TEMPORARY } from '../../../test/support/fake-discoverer.ts'
import { address } from '../../../test/support/fake-mail.ts'
import { createPlanner, type Plan, type PlannerOptions } from './plan.ts'

const KEY = found(Buffer.from('certificate'), 'AB'.repeat(20))
const account = { id: 'a', address: address('anna@alpha.test'), state: 'active', created: 0, quota: null } as const

const ROUTES: Readonly<Record<string, Route>> = {
  'anna@alpha.test': { kind: 'account', account, detail: null },
  'team@alpha.test': { kind: 'alias', targets: [address('anna@alpha.test'), address('all@alpha.test')] },
  'all@alpha.test': { kind: 'alias', targets: [address('team@alpha.test'), address('anna@alpha.test')] },
  'out@alpha.test': { kind: 'alias', targets: [address('deep@alpha.test')] },
  'deep@alpha.test': { kind: 'alias', targets: [address('anna@alpha.test'), address('x@beta.test')] },
}

const directory: Pick<Directory, 'route' | 'policy' | 'domainPolicy'> = {
  route: async (one) => ROUTES[formatAddress(one)] ?? { kind: one.domain === 'alpha.test' ? 'unknown' : 'foreign' },
  policy: async () => null,
  domainPolicy: async (domain) => (({ 'strict.test': 'refuse', 'lax.test': 'plain' }) as const)[domain] ?? null,
}

type Answer = (address: string) => Discovery | Promise<Discovery> | undefined

function desk(answer: Answer, options: Partial<PlannerOptions> = {}) {
  const clock = createFakeClock()
  const discoverer = fakeDiscoverer(answer)
  const planner = createPlanner({
    directory,
    source: sourceOf(discoverer),
    accepted: null,
    withoutKey: 'plain',
    seals: true,
    proves: true,
    clock,
    logger: silentLogger,
    ...options,
  })
  const plan = async (to: readonly string[], lines: readonly string[] = [], body = 'body') => {
    const content = Buffer.from([...lines, '', body, ''].join('\r\n'))
    const letter = { content, header: scanHeader(content), recipients: to.map(address), author: 'a' }
    return await planner.plan(letter)
  }
  const fates = async (...wanted: Parameters<typeof plan>) => {
    const made = await plan(...wanted)
    return made.kind === 'plan' ? made.fates.map(({ kind }) => kind) : made.why
  }
  return { clock, discoverer, planner, plan, fates }
}

test('what stays here is not asked for; an alias that leads elsewhere has no key', async () => {
  const { discoverer, fates } = desk(() => KEY)
  const ours = ['anna@alpha.test', 'team@alpha.test', 'nobody@alpha.test']
  assert.deepEqual(await fates([...ours, 'out@alpha.test', 'bob@beta.test']), [
    'kept',
    'kept',
    'kept',
    'plain',
    'sealed',
  ])
  assert.deepEqual(discoverer.asked, ['bob@beta.test'])
  const strict = desk(() => KEY, { withoutKey: 'refuse' })
  assert.deepEqual(await strict.fates([...ours, 'out@alpha.test']), ['kept', 'kept', 'kept', 'refused'])
})

test('everybody is asked for once, at the same time, and nobody longer than patience lasts', async () => {
  const never = new Promise<Discovery>(() => {})
  const { clock, discoverer, fates } = desk((name) => (name.startsWith('slow') ? never : KEY))
  const wanted = fates(['slow@beta.test', 'bob@beta.test', 'bob@BETA.test', 'Bob@beta.test', 'slow@beta.test'])
  while (discoverer.asked.length < 3) await clock.advance(1)
  assert.deepEqual(discoverer.asked.toSorted(), ['Bob@beta.test', 'bob@beta.test', 'slow@beta.test'])
  await clock.advance(10_000)
  assert.deepEqual(await wanted, ['waits', 'sealed', 'sealed', 'sealed', 'waits'])
  assert.equal(clock.waiting, 0)
})

test('an answer to what came encrypted is planned strictly, also where nothing can be proven', async () => {
  const content = Buffer.from('In-Reply-To: <came@x>\r\n\r\nbody\r\n')
  const letter = { content, header: scanHeader(content), author: 'a', recipients: [address('bob@beta.test')] }
  const isReplyToSealed = async (ids: readonly string[]) => ids.includes('came@x')
  for (const [known, fate] of [
    [NONE, 'refused'],
    [TEMPORARY, 'refused'],
    [found(Buffer.from('certificate'), 'AB', 'wkd'), 'sealed'],
  ] as const) {
    const { planner } = desk(() => known, { proves: false })
    const plain = await planner.plan(letter)
    assert.ok(plain.kind === 'plan' && !plain.isSealedAnswer && !plain.seals)
    assert.deepEqual([plain.fates[0]?.kind, plain.rule], ['plain', 'plain'])
    const strict = await planner.plan({ ...letter, isReplyToSealed })
    assert.ok(strict.kind === 'plan' && strict.isSealedAnswer && strict.seals)
    assert.deepEqual([strict.fates[0]?.kind, strict.rule], [fate, 'refuse'])
  }
})

test('nobody writes in the name of a strict domain less strictly, whatever domain their account is of', async () => {
  const { fates } = desk(() => NONE, { withoutKey: 'warn' })
  const from = (text: string) => [`From: ${text}`]
  assert.deepEqual(await fates(['b@beta.test'], from('Sales <sales@STRICT.test>')), ['refused'])
  assert.deepEqual(await fates(['b@beta.test'], from('anna@alpha.test, sales@strict.test')), ['refused'])
  assert.match(
    String(await fates(['b@beta.test'], [...from('s@strict.test'), 'Letterlock-Encrypt: no'])),
    /not allowed/,
  )
  for (const lax of ['anna@alpha.test', 'a@lax.test', '"sales@strict.test" <anna@alpha.test>'])
    assert.deepEqual(await fates(['b@beta.test'], from(lax)), ['plain'])
})

test('where nothing can be proven and nobody asks for it, there is nothing to tell', async () => {
  const tells = async (options: Partial<PlannerOptions>, lines: readonly string[] = []) => {
    const made = await desk((name) => (name === 'key@beta.test' ? KEY : NONE), options).plan(['b@beta.test'], lines)
    return made.kind === 'plan' && made.seals
  }
  assert.equal(await tells({ proves: false }), false)
  assert.equal(await tells({ proves: false, withoutKey: 'warn' }), true)
  assert.equal(await tells({ proves: false }, ['Letterlock-Encrypt: pickup']), true)
  assert.equal(await tells({}), true)
  const accepted = {
    accepted: async (_: string, { local }: Address) =>
      local === 'key' ? { certificate: Buffer.from('certificate'), at: 0 } : null,
  }
  const mixed = desk((name) => (name === 'key@beta.test' ? KEY : NONE), { proves: false, accepted })
  assert.equal(((await mixed.plan(['b@beta.test', 'key@beta.test'])) as Plan).seals, true)
  assert.equal(((await mixed.plan(['b@beta.test'])) as Plan).seals, false)
})

test('what cannot be looked up by a fault of ours waits', async () => {
  const broken: Answer = () => {
    throw new Error('the disk is gone')
  }
  assert.deepEqual(await desk(broken).fates(['bob@beta.test']), ['waits'])
})

test('without a resolver that proves anything nothing waits, and nobody is asked for mail that may leave in clear', async () => {
  const plain = desk(() => TEMPORARY, { proves: false })
  assert.deepEqual(await plain.fates(['bob@beta.test']), ['plain'])
  assert.deepEqual(plain.discoverer.asked, [])
  for (const [withoutKey, fate] of [
    ['refuse', 'refused'],
    ['pickup', 'pickup'],
  ] as const) {
    const strict = desk((name) => (name === 'bob@beta.test' ? TEMPORARY : KEY), { proves: false, withoutKey })
    assert.deepEqual(await strict.fates(['bob@beta.test', 'carl@beta.test']), [fate, 'sealed'])
  }
  const accepted = { accepted: async () => ({ certificate: Buffer.from('certificate'), at: 0 }) }
  const trusting = desk(() => KEY, { proves: false, accepted })
  assert.deepEqual(await trusting.fates(['bob@beta.test']), ['sealed'], 'what the author accepted needs no proof')
  assert.deepEqual(await desk(() => TEMPORARY, { proves: false, accepted }).fates(['bob@beta.test']), ['waits'])
})

test('the field of the message is read without case, once, and only with values that are known', async () => {
  const none = desk(() => NONE)
  const strict = desk(() => NONE, { withoutKey: 'refuse' })
  const asked = (value: string) => [`LETTERLOCK-Encrypt:${value}`]
  assert.deepEqual(await none.fates(['b@beta.test'], asked(' Required ')), ['refused'])
  assert.deepEqual(await none.fates(['b@beta.test'], asked('pickup')), ['pickup'])
  assert.deepEqual(await none.fates(['b@beta.test'], asked('AUTOMATIC')), ['plain'])
  assert.deepEqual(await none.fates(['b@beta.test'], asked(' no')), ['plain'])
  assert.deepEqual(await strict.fates(['b@beta.test'], asked('automatic')), ['refused'])
  assert.match(String(await strict.fates(['b@beta.test'], asked('no'))), /Letterlock-Encrypt: no is not allowed/)
  const values = /one of required, automatic, pickup, no/
  for (const wrong of [asked(''), asked('yes'), asked('no no'), [...asked('no'), ...asked('no')]])
    assert.match(String(await none.fates(['b@beta.test'], wrong)), values)
})

test('those whom To and Cc name share a copy, groups too; everybody else has their own', async () => {
  const { plan } = desk((name) => (name === 'clear@beta.test' ? NONE : KEY))
  const header = [
    'To: Bob <bob@BETA.test>, friends: "dora d"@beta.test, <erik@gamma.test>;',
    'cc: fritz@beta.test (not hidden@beta.test)',
    'Bcc: hidden@beta.test, Hidden@beta.test',
    'Subject: hidden@beta.test',
  ]
  const to = ['bob@beta.test', 'hidden@beta.test', 'clear@beta.test', '"dora d"@beta.test', 'Bob@beta.test']
  const { copies } = (await plan([...to, 'erik@gamma.test', 'fritz@beta.test', 'hidden@beta.test'], header)) as Plan
  assert.deepEqual(copies, { written: [2], sealed: [[0, 3, 5, 6], [1, 7], [4]], waits: [], pickup: [] })
})

test('very many share several copies', async () => {
  const to = Array.from({ length: 1200 }, (_, number) => `r${number}@beta.test`)
  const { copies } = (await desk(() => KEY).plan(to, [`To: ${to.join(',\r\n ')}`])) as Plan
  assert.deepEqual(
    copies.sealed.map(({ length }) => length),
    [500, 500, 200],
  )
})

const der = (identifier: string) => Buffer.from(`3080${identifier}a080`, 'hex').toString('base64')
const SMIME = ['Content-Type: application/pkcs7-mime; smime-type=enveloped-data', 'Content-Transfer-Encoding: base64']
test('what is encrypted as a whole is left alone, by what it is and not by what it says', async () => {
  const { plan, discoverer } = desk(() => KEY, { withoutKey: 'refuse' })
  const kinds = async (lines: readonly string[], body: string) => {
    const made = (await plan(['b@beta.test'], lines, body)) as Plan
    return `${made.fates[0]!.kind}${made.signs ? '' : ' unsigned'}`
  }
  assert.equal(await kinds(SMIME, der('06092a864886f70d010703')), 'already unsigned')
  assert.equal(await kinds(SMIME, der('060b2a864886f70d0109100117')), 'already unsigned')
  assert.deepEqual(discoverer.asked, [])
  assert.equal(await kinds(SMIME, der('06092a864886f70d010702')), 'sealed unsigned', 'it is only signed')
  assert.equal(await kinds(SMIME, 'readable'), 'sealed')
  assert.equal(await kinds(['Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"'], 'x'), 'sealed')
  assert.equal(await kinds(['Content-Type: multipart/signed; boundary=x'], '--x\r\n\r\n--x--'), 'sealed unsigned')
  const lenient = desk(() => KEY)
  const signed = await lenient.fates(
    ['b@beta.test'],
    ['Content-Type: multipart/signed; boundary=x'],
    '--x\r\n\r\n--x--',
  )
  assert.deepEqual([signed, lenient.discoverer.asked], [['plain'], []])
})
