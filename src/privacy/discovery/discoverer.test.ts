/** What is remembered, for how long, and what replaces it. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { openDirectory } from '#custody/accounts/sql-directory.ts'
import { openPgpKeyName } from '#formats/hkp/names.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { withRevocation } from '#formats/openpgp/revocation.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createFakeLog } from '../../../test/support/fake-log.ts'
import { createFakeResolver, type FakeZone } from '../../../test/support/fake-resolver.ts'
import { type FakeWeb, startFakeWeb } from '../../../test/support/fake-web.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { createDiscoverer, type DiscovererOptions } from './discoverer.ts'
import type { Discovery } from './discovery.ts'

const BOB = { local: 'bob', domain: 'beta.test' }
const HOST = 'keys.beta.test'
const V1 = `${HOST} /pks/lookup`
const ADVANCED = 'openpgpkey.beta.test'
const WKD = `${ADVANCED} /.well-known/openpgpkey/beta.test/hu/jycbiujnsxs47xrkethgtj69xuunurok`
const MINUTE = 60_000
const DAY = 1440 * MINUTE

let web: FakeWeb
const made: Record<'bob' | 'new' | 'revoked', Buffer> = {} as never

before(async () => {
  web = await startFakeWeb(HOST, ADVANCED)
  const created = new Date(Date.UTC(2026, 0, 1))
  const fresh = () => generateKeys({ userId: '<bob@beta.test>', algorithm: 'curve25519', created })
  const bob = await fresh()
  made.bob = bob.certificate
  made.revoked = withRevocation(bob.certificate, Buffer.from(bob.revocation))
  made.new = (await fresh()).certificate
})
after(() => web[Symbol.asyncDispose]())

async function lab(more: Partial<DiscovererOptions> = {}) {
  const directory = await temporaryDirectory('discovery')
  for (const key of Object.keys(web.pages)) delete web.pages[key]
  const zone: FakeZone = {
    '_hkps._tcp.beta.test': { secure: true, srv: [{ priority: 0, weight: 0, port: web.port, target: HOST }] },
    [HOST]: { addresses: ['127.0.0.1'] },
  }
  web.pages[V1] = { body: made.bob }
  const clock = createFakeClock()
  const logger = createFakeLog()
  const options: DiscovererOptions = {
    directory: null,
    resolver: createFakeResolver(zone),
    cache: { path: directory.join('discovery.db'), key: randomBytes(32) },
    clock,
    logger,
    ca: [web.ca],
    allowPrivate: true,
    httpsPort: web.port,
    ...more,
  }
  const discoverer = await createDiscoverer(options)
  /** What came of it, and how many questions it cost the web. */
  const look = async (fresh = false) => {
    web.asked.length = 0
    const found = await discoverer.discover(BOB, { fresh })
    return [spell(found), web.asked.length] as const
  }
  return {
    zone,
    clock,
    logger,
    options,
    directory,
    discoverer,
    look,
    async [Symbol.asyncDispose]() {
      await discoverer[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    },
  }
}

function spell(found: Discovery): string {
  if (found.kind !== 'found') return found.kind
  const name = Object.entries(made).find(([, octets]) => Buffer.compare(octets, found.certificate) === 0)?.[0]
  return `${name} ${found.evidence}`
}

test('a certificate is kept for a day without asking, then renewed behind the back, and never beyond a week', async () => {
  await using one = await lab()
  assert.deepEqual(await one.look(), ['bob secure-srv', 1])
  await one.clock.advance(DAY - 1)
  assert.deepEqual(await one.look(), ['bob secure-srv', 0])
  await one.clock.advance(1)

  web.pages[V1] = { body: made.new }
  assert.equal((await one.look())[0], 'bob secure-srv')
  await one.logger.heard('a correspondent has another certificate')
  assert.deepEqual(await one.look(), ['new secure-srv', 0])

  web.pages[V1] = { status: 503 }
  await one.clock.advance(7 * DAY - 1)
  assert.equal((await one.look())[0], 'new secure-srv')
  // What was begun behind the back has ended after this.
  assert.equal((await one.look(true))[0], 'new secure-srv')
  await one.clock.advance(1)
  assert.equal((await one.look())[0], 'temporary')
})

test('a search that outlives what was kept does not hand it out', async () => {
  await using one = await lab()
  await one.look()
  await one.clock.advance(7 * DAY - 1)
  web.pages[V1] = { status: 503 }
  const [before, searching] = [await one.look(), one.discoverer.discover(BOB, { fresh: true })]
  await one.clock.advance(1)
  assert.equal(before[0], 'bob secure-srv')
  assert.equal(spell(await searching), 'temporary')
})

test('a source that wants to be asked earlier is, but not all the time', async () => {
  await using one = await lab()
  web.pages[V1] = { body: made.bob, headers: { 'cache-control': 'public, max-age=1' } }
  await one.look()
  await one.clock.advance(5 * MINUTE - 1)
  assert.deepEqual(await one.look(), ['bob secure-srv', 0])
  await one.clock.advance(1)
  web.pages[V1] = { body: made.new }
  await one.look()
  await one.logger.heard('a correspondent has another certificate')
})

test('no failure replaces what was found; its revocation does', async () => {
  await using one = await lab()
  await one.look()
  for (const page of [{ status: 503 }, 'break', { status: 302 }, { status: 404 }, { body: '<html>' }] as const) {
    web.pages[V1] = page
    assert.equal((await one.look(true))[0], 'bob secure-srv', JSON.stringify(page))
  }
  one.zone['_hkps._tcp.beta.test'] = 'bogus'
  assert.equal((await one.look(true))[0], 'bob secure-srv')
  delete one.zone['_hkps._tcp.beta.test']
  assert.equal((await one.look(true))[0], 'bob secure-srv')
  one.zone['_hkps._tcp.beta.test'] = {
    secure: true,
    srv: [{ priority: 0, weight: 0, port: web.port, target: HOST }],
  }
  web.pages[V1] = { body: made.revoked }
  assert.equal((await one.look(true))[0], 'unusable')
  assert.equal((await one.look())[0], 'unusable')
  assert.equal(one.logger.said('the certificate of a correspondent was revoked').length, 1)
})

test('a keyserver that no longer has it by address is asked for its revocation by fingerprint', async () => {
  await using one = await lab()
  const found = await one.discoverer.discover(BOB)
  assert.ok(found.kind === 'found')
  const { fingerprint } = found
  delete web.pages[V1]
  assert.deepEqual(await one.look(true), ['bob secure-srv', 3])
  const byFingerprint = web.asked[2]!
  assert.equal(byFingerprint, `${V1}?op=get&options=mr&exact=on&search=0x${fingerprint}`)
  web.pages[byFingerprint] = { body: made.bob }
  assert.equal((await one.look(true))[0], 'bob secure-srv')
  web.pages[byFingerprint] = { body: made.revoked }
  assert.equal((await one.look(true))[0], 'unusable')
})

test('weaker evidence never replaces stronger, stronger replaces weaker', async () => {
  await using one = await lab()
  const srv = one.zone['_hkps._tcp.beta.test']!
  delete one.zone['_hkps._tcp.beta.test']
  one.zone[ADVANCED] = { addresses: ['127.0.0.1'] }
  web.pages[WKD] = { body: made.bob }
  assert.equal((await one.look())[0], 'bob wkd')
  const signed = { secure: true, openpgpkey: [made.new], ttl: 86_400 }
  one.zone[openPgpKeyName(BOB)] = signed
  assert.equal((await one.look(true))[0], 'new openpgpkey')
  one.zone['_hkps._tcp.beta.test'] = srv
  web.pages[V1] = { body: made.bob }
  assert.equal((await one.look(true))[0], 'bob secure-srv')

  delete one.zone['_hkps._tcp.beta.test']
  assert.equal((await one.look(true))[0], 'bob secure-srv')
  await one.clock.advance(7 * DAY - 1)
  assert.equal((await one.look(true))[0], 'bob secure-srv')
  await one.clock.advance(1)
  assert.equal((await one.look())[0], 'new openpgpkey')
})

test('a key in DNS is kept for its TTL', async () => {
  await using one = await lab()
  delete one.zone['_hkps._tcp.beta.test']
  one.zone[openPgpKeyName(BOB)] = { secure: true, openpgpkey: [made.bob], ttl: 3600 }
  assert.equal((await one.look())[0], 'bob openpgpkey')
  one.zone[openPgpKeyName(BOB)] = 'bogus'
  await one.clock.advance(60 * MINUTE - 1)
  assert.equal((await one.look())[0], 'bob openpgpkey')
  await one.clock.advance(1)
  assert.equal((await one.look())[0], 'temporary')
})

test('nobody is remembered for ten minutes, trouble for one', async () => {
  await using one = await lab()
  web.pages[V1] = { status: 404 }
  assert.deepEqual(await one.look(), ['none', 2])
  await one.clock.advance(10 * MINUTE - 1)
  assert.deepEqual(await one.look(), ['none', 0])
  await one.clock.advance(1)
  web.pages[V1] = { status: 503 }
  assert.deepEqual(await one.look(), ['temporary', 1])
  await one.clock.advance(MINUTE - 1)
  assert.deepEqual(await one.look(), ['temporary', 0])
  await one.clock.advance(1)
  web.pages[V1] = { body: made.bob }
  assert.deepEqual(await one.look(), ['bob secure-srv', 1])
  await one.discoverer.forget(BOB)
  assert.deepEqual(await one.look(), ['bob secure-srv', 1])
})

test('lookups of one address at one time are one', async () => {
  await using one = await lab()
  web.asked.length = 0
  const [first, ...others] = await Promise.all(Array.from({ length: 20 }, () => one.discoverer.discover(BOB)))
  assert.equal(web.asked.length, 1)
  for (const other of others) assert.equal(other, first)
})

test('it survives a restart, and the file shows nobody', async () => {
  await using one = await lab()
  await one.look()
  web.pages[V1] = { body: made.new }
  await one.look(true)
  await one.discoverer[Symbol.asyncDispose]()
  const { path } = one.options.cache!
  const octets = Buffer.concat(
    await Promise.all(['', '-wal'].map((end) => readFile(path + end).catch(() => Buffer.alloc(0)))),
  )
  for (const secret of ['bob', 'beta.test', 'secure-srv', made.new.subarray(60, 90)])
    assert.equal(octets.includes(secret), false)

  await using again = await createDiscoverer(one.options)
  web.asked.length = 0
  assert.equal(spell(await again.discover(BOB)), 'new secure-srv')
  assert.equal(web.asked.length, 0)
  const [newest, oldest, ...others] = await again.sightings(BOB)
  assert.equal(others.length, 0)
  assert.notEqual(newest?.fingerprint, oldest?.fingerprint)
  assert.equal(oldest?.evidence, 'secure-srv')
  assert.deepEqual(await again.sightings({ local: 'ann', domain: 'beta.test' }), [])

  const options = { ...one.options, cache: { path, key: randomBytes(32) } }
  await using stranger = await createDiscoverer(options)
  assert.equal(spell(await stranger.discover(BOB)), 'new secure-srv')
  assert.equal(web.asked.length, 1)
})

test('what is over is deleted from the file', async () => {
  await using one = await lab()
  await one.look()
  const count = async () => {
    const { DatabaseSync } = await import('node:sqlite')
    using database = new DatabaseSync(one.options.cache!.path, { readOnly: true })
    return database.prepare('select count(*) as count from found').get()?.['count']
  }
  assert.equal(await count(), 1)
  web.pages[V1] = { status: 503 }
  await one.clock.advance(7 * DAY)
  await one.discoverer.forget({ local: 'nobody', domain: 'beta.test' })
  assert.equal(await count(), 0)
})

test('our own addresses are looked up at home, whatever DNS says', async () => {
  const place = await temporaryDirectory('discovery-home')
  await using _ = place
  await using directory = await openDirectory(place.join('directory.db'))
  await directory.addDomain('beta.test')
  const account = (id: string) => ({
    id,
    address: { local: id, domain: 'beta.test' },
    state: 'active' as const,
    created: 0,
    quota: null,
  })
  const stored = { certificate: made.bob, fingerprint: 'AB', since: 1, use: 'both' as const, custody: 'held' as const }
  await directory.addAccount(account('bob'), stored)
  await directory.addAccount(account('ann'), null)
  const to = (local: string, domain = 'beta.test') => ({ local, domain })
  await directory.addAlias(to('rob'), [to('bob')])
  await directory.addAlias(to('all'), [to('bob'), to('ann')])
  await directory.addAlias(to('away'), [to('bob', 'gamma.test')])
  await using one = await lab({ directory })
  web.asked.length = 0
  const look = async (local: string) => spell(await one.discoverer.discover(to(local)))
  const [bob, plus, rob] = [await look('Bob'), await look('bob+news'), await look('rob')]
  assert.deepEqual([bob, plus, rob], ['bob local', 'bob local', 'bob local'])
  const [ann, all, away, nobody] = [await look('ann'), await look('all'), await look('away'), await look('nobody')]
  assert.deepEqual([ann, all, away, nobody], ['none', 'none', 'none', 'none'])
  await directory.setState('bob', 'suspended')
  assert.equal(await look('bob'), 'none')
  await directory.setState('bob', 'active')
  await directory.revokeCertificate('bob', 'AB', Buffer.from('revoked'))
  assert.equal(await look('bob'), 'unusable')
  assert.deepEqual(web.asked, [])
  assert.equal(spell(await one.discoverer.discover(to('bob', 'gamma.test'))), 'none')
})
