/** What an idle server has not in memory: opened, and its code loaded, when something first needs it. */
import { join } from 'node:path'
import type { createAuthorDesk } from '#agents/notices/author-desk.ts'
import type { LoadedConfig } from '#config/load.ts'
import { wipe } from '#lib/bytes.ts'
import { systemClock as clock } from '#lib/clock.ts'
import { loadKeyFile } from '#lib/key-file.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import { once } from '#lib/once.ts'
import type { DnsClient } from '#policy/dns/dns-client.ts'
import type { Correspondents } from '#privacy/correspondents/correspondents.ts'
import type { AcceptedCertificates, Discoverer, DiscovererSource } from '#privacy/discovery/discovery.ts'
import { type PickupSource, pickupSource } from '#privacy/pickup/pickup-source.ts'
import type { Foundation } from './foundation.ts'

/** What is sealed under keys that come of the queue key is opened with it; the key itself is not kept. */
async function withQueueKey<T>({ store }: LoadedConfig, open: (key: Buffer) => Promise<T>): Promise<T> {
  const key = await loadKeyFile(store.queueKey)
  try {
    return await open(key)
  } finally {
    wipe(key)
  }
}

/** How the world is looked at. */
export interface Outside {
  readonly resolver: DnsClient
  /** CAs in PEM that are trusted besides the system's. */
  readonly ca: readonly string[]
  readonly accepted: AcceptedCertificates
}

export async function openAccepted({ config }: Foundation): Promise<Correspondents> {
  const { openCorrespondents } = await import('#privacy/correspondents/correspondents.ts')
  const path = join(config.data, 'correspondents.db')
  return await withQueueKey(config, (key) => openCorrespondents({ path, key, clock }))
}

export async function openDiscoverer(
  { config, directory, logger }: Foundation,
  { resolver, ca, accepted }: Outside,
): Promise<Discoverer> {
  const { createDiscoverer } = await import('#privacy/discovery/discoverer.ts')
  const path = join(config.data, 'discovery.db')
  const { allowPrivate } = config.relay
  const shared = { directory, resolver, accepted, clock, logger, ca, allowPrivate }
  return await withQueueKey(config, (key) => createDiscoverer({ ...shared, cache: { path, key } }))
}

/** What submission needs for recipients elsewhere, loaded with the first message to one. */
export function plannerOf(
  { config, directory, logger }: Foundation,
  { resolver, accepted }: Outside,
  source: DiscovererSource,
) {
  const { seal: seals, withoutKey } = config.e2e
  const { proves } = resolver
  return once(async () => {
    const { createPlanner } = await import('#privacy/e2e/plan.ts')
    return createPlanner({ directory, source, accepted, withoutKey, seals, proves, clock, logger })
  })
}

/** Opened when mail is kept for pickup, or was once. */
export function openPickup({ config, logger }: Foundation, author: ReturnType<typeof createAuthorDesk>): PickupSource {
  const path = join(config.data, 'pickup.db')
  const open = async () => {
    const { openPickupStore } = await import('#privacy/pickup/pickup-store.ts')
    const tell = author.pickupExpired
    return await withQueueKey(config, (key) => openPickupStore({ path, key, clock, logger, tell }))
  }
  return pickupSource({ path, open, clock, logger })
}

export function scannerOf({ scan, hostname }: LoadedConfig, logger: Logger, metrics: Metrics): Foundation['scanner'] {
  const { timeout: timeoutMs, ...scanners } = scan
  if (scanners.rspamd === null && scanners.clamd === null) return null
  return once(async () => {
    const { createScanner } = await import('#privacy/scanning/scanning.ts')
    return createScanner({ ...scanners, timeoutMs, hostname, clock, logger, metrics })
  })
}
