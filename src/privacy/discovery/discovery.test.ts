/** Every decision of a search, through real TLS, with a resolver that says what the case wants. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { generateKey } from 'openpgp'
import { openPgpKeyName } from '#formats/hkp/names.ts'
import { armor } from '#formats/openpgp/armor.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { withRevocation } from '#formats/openpgp/revocation.ts'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import type { SrvRecord } from '#policy/dns/resolver.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createFakeResolver, type FakeName, type FakeZone } from '../../../test/support/fake-resolver.ts'
import { type FakeWeb, startFakeWeb } from '../../../test/support/fake-web.ts'
import { createDiscoverer } from './discoverer.ts'
import type { Discovery } from './discovery.ts'

const BOB = { local: 'bob', domain: 'beta.test' }
const HOST = 'keys.beta.test'
const V1 = `${HOST} /pks/lookup`
const V2 = `${HOST} /pks/v2/certs/by-identity/bob%40beta.test`
const ADVANCED = 'openpgpkey.beta.test'
// Of draft-koch-openpgp-webkey-service §3.1, made with gpg-wks-client --print-wkd-hash
const HASH = 'jycbiujnsxs47xrkethgtj69xuunurok'
const WKD = `${ADVANCED} /.well-known/openpgpkey/beta.test/hu/${HASH}`
const DIRECT = `beta.test /.well-known/openpgpkey/hu/${HASH}`
const OPENPGPKEY = openPgpKeyName(BOB)

let web: FakeWeb
/** Trusted, under a name that nobody asked for; and of the right name, but not trusted. */
let stranger: FakeWeb
let unknown: FakeWeb
const made: Record<'bob' | 'other' | 'revoked' | 'foreign' | 'expired', Buffer> = {} as never

before(async () => {
  web = await startFakeWeb(HOST, ADVANCED, 'beta.test', 'second.beta.test')
  stranger = await startFakeWeb('gamma.test')
  unknown = await startFakeWeb(HOST)
  const fresh = (userId: string) =>
    generateKeys({ userId, algorithm: 'curve25519', created: new Date(Date.now() - 60_000) })
  const old = await fresh('bob@beta.test')
  made.bob = (await fresh('Bob <bob@beta.test>')).certificate
  made.other = (await fresh('Bob <bob@beta.test>')).certificate
  made.foreign = (await fresh('Eve <eve@beta.test>')).certificate
  made.revoked = withRevocation(old.certificate, Buffer.from(old.revocation))
  const expired = await generateKey({
    userIDs: { email: 'bob@beta.test' },
    date: new Date('2020-01-01'),
    keyExpirationTime: 86_400,
    format: 'object',
  })
  made.expired = Buffer.from(expired.publicKey.write())
})
after(async () => {
  for (const one of [web, stranger, unknown]) await one[Symbol.asyncDispose]()
})

const srv = (more: Partial<SrvRecord> = {}): SrvRecord => ({
  priority: 0,
  weight: 0,
  port: web.port,
  target: HOST,
  ...more,
})
const local: FakeName = { addresses: ['127.0.0.1'] }
const armored = (...certificates: Buffer[]) => ({
  body: certificates.map((one) => armor('PUBLIC KEY BLOCK', one)).join('\n'),
})

interface Case {
  readonly zone?: () => FakeZone
  readonly pages?: () => Record<string, FakeWeb['pages'][string]>
  readonly allowPrivate?: boolean
  readonly httpsPort?: () => number
  /** Kind, with the evidence or something that `why` says. */
  readonly expect: string | RegExp
  /** Something that a step says. */
  readonly says?: RegExp
  /** Which of these were asked. */
  readonly asked?: readonly string[]
}

const signed = (records: Partial<FakeName> = {}): FakeZone => ({
  '_hkps._tcp.beta.test': { secure: true, srv: [srv()], ...records },
  [HOST]: local,
})
const absent: FakeName = { secure: true }
/** A signed domain without keyserver. */
const without = (): FakeZone => ({ '_hkps._tcp.beta.test': absent, '_hkp._tcp.beta.test': absent })
const withKey = (more: Partial<FakeName> = {}): FakeZone => ({
  ...without(),
  [OPENPGPKEY]: { secure: true, openpgpkey: [made.bob], ...more },
})

const cases: Record<string, Case> = {
  'secure SRV and a certificate': {
    zone: signed,
    pages: () => ({ [V1]: armored(made.bob) }),
    expect: 'found secure-srv',
    says: /secured by DNSSEC/,
    asked: [`${HOST} /pks/lookup?op=get&options=mr&exact=on&search=bob%40beta.test`],
  },
  '_hkp where there is no _hkps': {
    zone: () => ({ '_hkp._tcp.beta.test': { secure: true, srv: [srv()] }, [HOST]: local }),
    pages: () => ({ [V1]: { body: made.bob } }),
    expect: 'found secure-srv',
  },
  'a keyserver of version 2 only': {
    zone: signed,
    pages: () => ({ [V1]: { status: 501 }, [V2]: { body: made.bob } }),
    expect: 'found secure-srv',
  },
  'certificates of old beside the current one': {
    zone: signed,
    pages: () => ({ [V1]: armored(made.revoked, made.bob, made.expired) }),
    expect: 'found secure-srv',
  },
  'insecure SRV': {
    zone: () => signed({ secure: false }),
    pages: () => ({ [V1]: armored(made.bob) }),
    expect: /unusable .*not secured by DNSSEC/,
    asked: [],
  },
  'both SRV insecure': {
    zone: () => {
      const zone = signed({ secure: false })
      return { ...zone, '_hkp._tcp.beta.test': zone['_hkps._tcp.beta.test']! }
    },
    expect: /unusable _hkps\._tcp/,
    says: /^_hkps\._tcp\.beta\.test: there is .*\n_hkp\._tcp\.beta\.test: there is /,
    asked: [],
  },
  'bogus SRV': { zone: () => ({ '_hkps._tcp.beta.test': 'bogus' }), expect: /temporary .*bogus/, asked: [] },
  'bogus second SRV': { zone: () => ({ '_hkp._tcp.beta.test': 'bogus' }), expect: /temporary .*bogus/ },
  'DNS does not answer': { zone: () => ({ '_hkps._tcp.beta.test': 'temporary' }), expect: /temporary .*no answer/ },
  'the keyserver is down': {
    zone: () => ({ ...signed({ srv: [srv({ port: 1 })] }) }),
    expect: /temporary .*ECONNREFUSED/,
  },
  'the addresses of the keyserver are bogus': {
    zone: () => ({ ...signed(), [HOST]: 'bogus' }),
    expect: /temporary .*bogus/,
  },
  'the keyserver has no address': { zone: () => ({ ...signed(), [HOST]: {} }), expect: /temporary .*no address/ },
  'the keyserver breaks off': { zone: signed, pages: () => ({ [V1]: 'break' }), expect: /temporary/ },
  'an answer that can be cut short': {
    zone: signed,
    pages: () => ({ [V1]: 'endless' }),
    expect: /temporary .*where it ends/,
  },
  'the keyserver fails': {
    zone: signed,
    pages: () => ({ [V1]: { status: 503 } }),
    expect: /temporary (?!unproven).*503/,
  },
  'the keyserver forbids': { zone: signed, pages: () => ({ [V1]: { status: 403 } }), expect: /temporary .*403/ },
  'it understands neither version': {
    zone: signed,
    pages: () => ({ [V1]: { status: 501 }, [V2]: { status: 400 } }),
    expect: /temporary .*501 and 400/,
  },
  'a TLS certificate for the domain that named the host': {
    zone: () => ({ ...signed({ srv: [srv({ target: 'keys.gamma.test' })] }), 'keys.gamma.test': local }),
    pages: () => ({ 'keys.gamma.test /pks/lookup': armored(made.bob) }),
    expect: 'found secure-srv',
  },
  'wrong TLS name': {
    zone: () => signed({ srv: [srv({ port: stranger.port })] }),
    expect: /temporary .*does not match/,
  },
  'a TLS certificate of nobody': {
    zone: () => signed({ srv: [srv({ port: unknown.port })] }),
    expect: /temporary .*self-signed/,
  },
  'a Web Key Directory of another TLS name': {
    zone: () => ({ [ADVANCED]: local }),
    httpsPort: () => stranger.port,
    expect: 'none',
    says: /does not match/,
  },
  redirect: {
    zone: signed,
    pages: () => ({
      [V1]: { status: 302, headers: { location: `https://${HOST}:${web.port}/other` } },
      [`${HOST} /other`]: armored(made.bob),
    }),
    expect: /temporary .*302/,
    asked: [`${HOST} /pks/lookup?op=get&options=mr&exact=on&search=bob%40beta.test`],
  },
  'more than 64 kB': {
    zone: signed,
    pages: () => ({ [V1]: { body: Buffer.concat([made.bob, Buffer.alloc(65_536)]) } }),
    expect: /unusable .*64 kB/,
  },
  'more than 64 kB without saying so': {
    zone: signed,
    pages: () => ({ [V1]: { headers: { 'transfer-encoding': 'chunked' }, body: Buffer.alloc(65_537) } }),
    expect: /unusable .*64 kB/,
  },
  'two current certificates': {
    zone: signed,
    pages: () => ({ [V1]: { body: Buffer.concat([made.bob, made.other]) } }),
    expect: /unusable .*2 certificates are current/,
  },
  revoked: { zone: signed, pages: () => ({ [V1]: armored(made.revoked) }), expect: /unusable .*revoked/ },
  expired: { zone: signed, pages: () => ({ [V1]: armored(made.expired) }), expect: /unusable .*expired/ },
  'of somebody else': {
    zone: signed,
    pages: () => ({ [V1]: armored(made.foreign) }),
    expect: /unusable .*does not carry this address/,
  },
  'no certificate at all': { zone: signed, pages: () => ({ [V1]: { body: '<html>' } }), expect: /unusable .*no cert/ },
  'nobody there': { zone: signed, expect: 'none', says: /has no certificate for the address/ },
  'nobody there, and a page for everything': {
    zone: signed,
    pages: () => ({ [V2]: { body: '<html>' } }),
    expect: 'none',
  },
  'nobody there, but in signed DNS': { zone: () => ({ ...withKey(), ...signed() }), expect: 'found openpgpkey' },
  'nobody there: the Web Key Directory is not asked': {
    zone: () => ({ ...signed(), [ADVANCED]: local }),
    pages: () => ({ [WKD]: { body: made.bob } }),
    expect: 'none',
  },
  'a loopback address': {
    zone: signed,
    pages: () => ({ [V1]: armored(made.bob) }),
    allowPrivate: false,
    expect: /unusable .*private networks/,
    asked: [],
  },
  'an IP address as target': {
    zone: () => ({ ...signed({ srv: [srv({ target: '127.0.0.1' })] }), '127.0.0.1': local }),
    expect: 'none',
    asked: [],
  },
  'decidedly not offered': { zone: () => signed({ srv: [srv({ target: '' })] }), expect: 'none', asked: [] },
  'the second target after the first': {
    zone: () => ({
      ...signed({ srv: [srv({ priority: 2, target: 'second.beta.test' }), srv({ priority: 1, port: 1 })] }),
      'second.beta.test': local,
    }),
    pages: () => ({ 'second.beta.test /pks/lookup': armored(made.bob) }),
    expect: 'found secure-srv',
    says: /ECONNREFUSED/,
  },
  OPENPGPKEY: { zone: withKey, expect: 'found openpgpkey' },
  'insecure OPENPGPKEY': { zone: () => withKey({ secure: false }), expect: /unusable .*OPENPGPKEY/ },
  'bogus OPENPGPKEY': { zone: () => ({ ...without(), [OPENPGPKEY]: 'bogus' }), expect: /temporary .*bogus/ },
  'OPENPGPKEY fails in a signed domain': {
    zone: () => ({ ...without(), [OPENPGPKEY]: 'temporary' }),
    expect: 'temporary no answer in time',
  },
  'OPENPGPKEY fails where nothing is signed': { zone: () => ({ [OPENPGPKEY]: 'temporary' }), expect: 'none' },
  'revoked in OPENPGPKEY': { zone: () => withKey({ openpgpkey: [made.revoked] }), expect: /unusable .*revoked/ },
  'OPENPGPKEY is no certificate': {
    zone: () => withKey({ openpgpkey: [Buffer.from('abc')] }),
    expect: /unusable .*no certificate/,
  },
  'Web Key Directory': {
    zone: () => ({ [ADVANCED]: local }),
    pages: () => ({ [WKD]: { body: made.bob } }),
    expect: 'found wkd',
    asked: [`${WKD}?l=bob`],
  },
  'Web Key Directory, direct': {
    zone: () => ({ 'beta.test': local }),
    pages: () => ({ [DIRECT]: { body: made.bob } }),
    expect: 'found wkd',
    asked: [`${DIRECT}?l=bob`],
  },
  'no direct one where the advanced host is': {
    zone: () => ({ [ADVANCED]: local, 'beta.test': local }),
    pages: () => ({ [DIRECT]: { body: made.bob } }),
    expect: 'none',
    asked: [`${WKD}?l=bob`],
  },
  'Web Key Directory although SRV is insecure': {
    zone: () => ({ ...signed({ secure: false }), [ADVANCED]: local }),
    pages: () => ({ [WKD]: { body: made.bob } }),
    expect: 'found wkd',
  },
  'a web site that answers everything': {
    zone: () => ({ 'beta.test': local }),
    pages: () => ({ [DIRECT]: { body: '<html>' } }),
    expect: 'none',
  },
  'a web site that fails': {
    zone: () => ({ 'beta.test': local }),
    pages: () => ({ [DIRECT]: { status: 503 } }),
    expect: 'none',
  },
  'a Web Key Directory that fails': {
    zone: () => ({ [ADVANCED]: local }),
    pages: () => ({ [WKD]: { status: 503 } }),
    expect: /temporary unproven .*503/,
  },
  'revoked in the Web Key Directory': {
    zone: () => ({ [ADVANCED]: local }),
    pages: () => ({ [WKD]: { body: made.revoked } }),
    expect: /unusable .*revoked/,
  },
  'bogus host of the Web Key Directory': {
    zone: () => ({ [ADVANCED]: 'bogus' }),
    expect: /temporary unproven .*bogus/,
  },
  'a Web Key Directory on a private address': {
    zone: () => ({ [ADVANCED]: local }),
    pages: () => ({ [WKD]: { body: made.bob } }),
    allowPrivate: false,
    expect: 'none',
    asked: [],
  },
  nothing: { expect: 'none', asked: [] },
}

function spell(found: Discovery): string {
  if (found.kind === 'found') return `found ${found.evidence}`
  if (found.kind === 'none') return 'none'
  return `${found.kind} ${found.kind === 'temporary' && found.isUnproven ? 'unproven ' : ''}${found.why}`
}

for (const [name, { zone, pages, allowPrivate = true, httpsPort, expect, says, asked }] of Object.entries(cases)) {
  test(name, async () => {
    for (const key of Object.keys(web.pages)) delete web.pages[key]
    web.asked.length = 0
    Object.assign(web.pages, pages?.())
    await using discoverer = await createDiscoverer({
      directory: null,
      resolver: createFakeResolver(zone?.() ?? {}),
      cache: null,
      clock: systemClock,
      logger: silentLogger,
      ca: [web.ca, stranger.ca],
      httpsPort: httpsPort?.() ?? web.port,
      allowPrivate,
    })
    const found = await discoverer.discover(BOB)
    if (typeof expect === 'string') assert.equal(spell(found), expect)
    else assert.match(spell(found), expect)
    const steps = found.steps.map((step) => step.text).join('\n')
    assert.notEqual(steps, '')
    if (says) assert.match(steps, says)
    if (asked) assert.deepEqual(web.asked, asked)
  })
}

test('a keyserver that says nothing for 5 seconds', async () => {
  const clock = createFakeClock(Date.now())
  Object.assign(web.pages, { [V1]: 'hang' })
  const resolver = createFakeResolver(signed())
  const common = { directory: null, cache: null, logger: silentLogger, ca: [web.ca], allowPrivate: true }
  await using discoverer = await createDiscoverer({ ...common, resolver, clock })
  const found = discoverer.discover(BOB)
  await web.hanging()
  await clock.advance(4999)
  await clock.advance(1)
  assert.match(spell(await found), /temporary .*no answer in 5 seconds/)

  const again = discoverer.discover(BOB, { fresh: true })
  await web.hanging()
  await discoverer[Symbol.asyncDispose]()
  assert.match(spell(await again), /temporary .*stopping/)
})
