/** What commands look at the world with: the configured resolver, and discovery as the server does it or as a stranger would. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LoadedConfig } from '#config/load.ts'
import { wipe } from '#lib/bytes.ts'
import { systemClock } from '#lib/clock.ts'
import { loadKeyFile } from '#lib/key-file.ts'
import { silentLogger } from '#lib/log.ts'
import { createResolver, type DnsClient } from '#policy/dns/dns-client.ts'
import { createDiscoverer } from '#privacy/discovery/discoverer.ts'
import type { Discoverer } from '#privacy/discovery/discovery.ts'
import type { Premises } from './premises.ts'

export const trustedBy = ({ tls }: LoadedConfig): readonly string[] =>
  tls.trust.map((file) => readFileSync(file, 'utf8'))

export function openResolver(config: LoadedConfig): DnsClient {
  const { servers, validating } = config.dns
  return createResolver({ servers, validating, ca: trustedBy(config), clock: systemClock })
}

/** `asStranger`: our own domains like all others, and nothing is remembered. */
export async function openDiscoverer(
  premises: Premises,
  resolver: DnsClient,
  asStranger: boolean,
): Promise<Discoverer> {
  const { config } = premises
  const common = {
    resolver,
    clock: systemClock,
    logger: silentLogger,
    ca: trustedBy(config),
    allowPrivate: config.relay.allowPrivate,
  }
  if (asStranger) return await createDiscoverer({ ...common, directory: null, cache: null })
  const key = await loadKeyFile(config.store.queueKey)
  try {
    const cache = { path: join(config.data, 'discovery.db'), key }
    const directory = await premises.directory()
    return await createDiscoverer({ ...common, directory, cache, accepted: premises.accepted })
  } finally {
    wipe(key)
  }
}
