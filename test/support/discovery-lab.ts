/** A discoverer between two providers with keyservers of their own, over real TLS: beta.test and gamma.test, and what they publish. */
import { randomBytes } from 'node:crypto'
import { type Address, formatAddress } from '#formats/message/address.ts'
import { createDiscoverer, type DiscovererOptions } from '#privacy/discovery/discoverer.ts'
import type { Discoverer, Discovery } from '#privacy/discovery/discovery.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'
import { createFakeLog, type FakeLog } from './fake-log.ts'
import { createFakeResolver, type FakeZone } from './fake-resolver.ts'
import { type FakePage, type FakeWeb, startFakeWeb } from './fake-web.ts'
import { type TemporaryDirectory, temporaryDirectory } from './temporary.ts'

const DOMAINS = ['beta.test', 'gamma.test'] as const

export interface DiscoveryLab extends AsyncDisposable {
  readonly web: FakeWeb
  readonly zone: FakeZone
  readonly clock: FakeClock
  readonly logger: FakeLog
  readonly folder: TemporaryDirectory
  readonly options: DiscovererOptions
  readonly discoverer: Discoverer
  /** What the keyserver of the address answers for it from now on; null for nothing. */
  byAddress(address: Address, answer: Buffer | FakePage | null): void
  /** The same for a fingerprint or key id. */
  byKey(domain: string, key: string, answer: Buffer | FakePage | null): void
}

export const startLabWeb = (): Promise<FakeWeb> => startFakeWeb(...DOMAINS.map((domain) => `keys.${domain}`))

export async function discoveryLab(web: FakeWeb, more: Partial<DiscovererOptions> = {}): Promise<DiscoveryLab> {
  const folder = await temporaryDirectory('discovery-lab')
  for (const key of Object.keys(web.pages)) delete web.pages[key]
  web.asked.length = 0
  const zone: FakeZone = {}
  for (const domain of DOMAINS) {
    const srv = [{ priority: 0, weight: 0, port: web.port, target: `keys.${domain}` }]
    zone[`_hkps._tcp.${domain}`] = { secure: true, srv }
    zone[`keys.${domain}`] = { addresses: ['127.0.0.1'] }
  }
  const clock = createFakeClock()
  const logger = createFakeLog()
  const options: DiscovererOptions = {
    directory: null,
    resolver: createFakeResolver(zone),
    cache: { path: folder.join('discovery.db'), key: randomBytes(32) },
    clock,
    logger,
    ca: [web.ca],
    allowPrivate: true,
    httpsPort: web.port,
    ...more,
  }
  const discoverer = await createDiscoverer(options)
  const publish = (domain: string, search: string, answer: Buffer | FakePage | null) => {
    const page = questionFor(domain, search)
    if (answer === null) delete web.pages[page]
    else web.pages[page] = Buffer.isBuffer(answer) ? { body: answer } : answer
  }
  return {
    web,
    zone,
    clock,
    logger,
    folder,
    options,
    discoverer,
    byAddress: (address, answer) => publish(address.domain, encodeURIComponent(formatAddress(address)), answer),
    byKey: (domain, key, answer) => publish(domain, `0x${key}`, answer),
    async [Symbol.asyncDispose]() {
      await discoverer[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** As the web is asked, version 1. */
export const questionFor = (domain: string, search: string): string =>
  `keys.${domain} /pks/lookup?op=get&options=mr&exact=on&search=${search}`

/** Whose certificate and from where, or what came instead. */
export const spell = (found: Discovery): string =>
  found.kind === 'found' ? `${found.fingerprint} ${found.evidence}` : found.kind
