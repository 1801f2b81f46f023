/** Discovery over a really signed zone, a really validating resolver and our own keyserver. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createSecureContext } from 'node:tls'
import type { Directory } from '#custody/accounts/directory.ts'
import { openDirectory } from '#custody/accounts/sql-directory.ts'
import { openPgpKeyName } from '#formats/hkp/names.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { noMetrics } from '#lib/metrics.ts'
import { createResolver, type DnsClient } from '#policy/dns/dns-client.ts'
import { createDiscoverer } from '#privacy/discovery/discoverer.ts'
import { createKeyserver } from '#privacy/keyserver/keyserver.ts'
import { createHkpServer } from '#servers/hkp/hkp-server.ts'
import { createAnswering } from '#servers/hkp/routes.ts'
import { needs } from '../support/needs.ts'
import { type DnssecLab, LAB, startDnssecLab, type ZoneState } from '../support/peers/dnssec.ts'
import { ownLoopback } from '../support/peers/run.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'
import { selfSigned } from '../support/tls.ts'

const STATES: readonly ZoneState[] = [
  'secure',
  'insecure',
  'bad-signature',
  'expired',
  'missing-ds',
  'unsupported-algorithm',
]

describe('discovery by Knot, Unbound and our keyserver', needs('knotd', 'keymgr', 'kzonesign', 'unbound'), () => {
  const closing = new AsyncDisposableStack()
  const tls = selfSigned(`keys.secure.${LAB}`)
  let directory: Directory
  let resolver: DnsClient
  let certificates: Readonly<Record<string, Buffer>>

  before(async () => {
    const place = closing.use(await temporaryDirectory('discovery'))
    directory = closing.use(await openDirectory(place.join('directory.db')))
    certificates = await publish(directory)
    const host = ownLoopback()
    const keyserver = createHkpServer({
      answering: async () =>
        createAnswering({ keyserver: createKeyserver({ directory, clock: systemClock }), now: Date.now }),
      tls: () => createSecureContext(tls),
      clock: systemClock,
      logger: silentLogger,
      metrics: noMetrics,
    })
    const port = await keyserver.listen(host, 0)
    closing.defer(() => keyserver.stop(0))
    const lab = closing.use(await startLab(place, host, port, certificates['bob']!))
    resolver = closing.use(createResolver({ servers: [lab.resolver], validating: true, clock: systemClock }))
  })
  after(() => closing.disposeAsync())

  const discover = async (local: string, zone: string, more: { allowPrivate?: boolean; ca?: string[] } = {}) => {
    await using discoverer = await createDiscoverer({
      directory: null,
      resolver,
      cache: null,
      clock: systemClock,
      logger: silentLogger,
      ca: [tls.cert],
      allowPrivate: true,
      ...more,
    })
    return await discoverer.discover({ local, domain: `${zone}.${LAB}` })
  }

  test('secure: the keyserver that the zone names has the certificate', async () => {
    const found = await discover('alice', 'secure')
    assert.ok(found.kind === 'found', JSON.stringify(found))
    assert.equal(found.evidence, 'secure-srv')
    assert.deepEqual(Buffer.from(found.certificate), certificates['alice'])
  })

  test('what cannot be proven is not used, what is refuted waits', async () => {
    const kinds = await Promise.all(STATES.map(async (state) => [state, (await discover('alice', state)).kind]))
    assert.deepEqual(Object.fromEntries(kinds), {
      secure: 'found',
      insecure: 'unusable',
      'bad-signature': 'temporary',
      expired: 'temporary',
      'missing-ds': 'unusable',
      'unsupported-algorithm': 'unusable',
    })
  })

  test('nobody is there', async () => {
    const none = await discover('nobody', 'secure')
    assert.equal(none.kind, 'none', JSON.stringify(none))
  })

  test('a certificate in signed DNS', async () => {
    const found = await discover('bob', 'secure')
    assert.ok(found.kind === 'found' && found.evidence === 'openpgpkey', JSON.stringify(found))
    assert.deepEqual(Buffer.from(found.certificate), certificates['bob'])
    assert.equal((await discover('bob', 'insecure')).kind, 'unusable')
  })

  test('a TLS certificate that nobody trusts, and a keyserver inside our own network', async () => {
    assert.equal((await discover('alice', 'secure', { ca: [] })).kind, 'temporary')
    const inside = await discover('alice', 'secure', { allowPrivate: false })
    assert.ok(inside.kind === 'unusable' && /private networks/.test(inside.why), JSON.stringify(inside))
  })
})

/** One account; answers its certificate, and bob's, who has none. */
async function publish(directory: Directory): Promise<Record<string, Buffer>> {
  const domain = `secure.${LAB}`
  await directory.addDomain(domain)
  const created = new Date(Date.now() - 60_000)
  const make = async (local: string) =>
    (await generateKeys({ userId: `<${local}@${domain}>`, algorithm: 'curve25519', created })).certificate
  const [alice, bob] = [await make('alice'), await make('bob')]
  await directory.addAccount(
    { id: 'alice', address: { local: 'alice', domain }, state: 'active', created: 0, quota: null },
    { certificate: alice, fingerprint: parseCertificate(alice).fingerprint, since: 0, use: 'both', custody: 'held' },
  )
  return { alice, bob }
}

function startLab(place: TemporaryDirectory, host: string, port: number, bob: Buffer): Promise<DnssecLab> {
  const zones = STATES.map((state) => {
    const name = openPgpKeyName({ local: 'bob', domain: `${state}.${LAB}` })
    const key = `${name}. OPENPGPKEY ${bob.toString('base64')}`
    const records = `_hkps._tcp SRV 0 0 ${port} keys\nkeys A ${host}\n${key}`
    return [state, { state, records }] as const
  })
  return startDnssecLab(place.path, Object.fromEntries(zones))
}
