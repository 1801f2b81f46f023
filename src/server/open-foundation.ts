/** Opens what everything else stands on, in the main process as in a front. */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { LoadedConfig } from '#config/load.ts'
import { sealingFrom } from '#custody/accounts/sealing.ts'
import { openDirectory } from '#custody/accounts/sql-directory.ts'
import { openAuditLog } from '#custody/audit/chained-audit-log.ts'
import { openKeyring } from '#custody/keyring/vault-keyring.ts'
import { createStorePool, type StorePoolOptions } from '#custody/store/store-pool.ts'
import type { Address } from '#formats/message/address.ts'
import { openCertificateFiles } from '#lib/certificate-files.ts'
import { systemClock as clock } from '#lib/clock.ts'
import { createLogger, type Fields } from '#lib/log.ts'
import { createMetrics } from '#lib/metrics.ts'
import { createResolver } from '#policy/dns/dns-client.ts'
import type { DiscovererSource } from '#privacy/discovery/discovery.ts'
import { acceptedSource, discovererSource } from '#privacy/discovery/sources.ts'
import type { Foundation } from './foundation.ts'
import { type Outside, openAccepted, openDiscoverer, scannerOf } from './when-needed.ts'

interface Around {
  /** Where other processes serve the same data. */
  readonly sharing?: StorePoolOptions['sharing']
  /** In every line of the log. */
  readonly fields?: Fields
}

/** A master certificate that is not the pinned one must not take anybody's consent. Throws EscrowRefused. */
async function checkEscrow({ escrow }: LoadedConfig): Promise<void> {
  if (escrow.certificate !== '') await (await import('#custody/escrow/policy.ts')).readPolicy(escrow, clock.now())
}

export async function openFoundation(
  config: LoadedConfig,
  closing: AsyncDisposableStack,
  { sharing, fields = {} }: Around,
): Promise<Foundation> {
  await checkEscrow(config)
  const logger = createLogger(config.log).with(fields)
  const metrics = createMetrics()
  const certificates = openCertificateFiles(config.tls, clock, logger)
  const audit = openAuditLog({ dataDir: config.data, clock })
  const directory = closing.use(await openDirectory(join(config.data, 'directory.db')))
  const keyring = closing.use(
    await openKeyring({
      dataDir: config.data,
      directory,
      audit,
      clock,
      logger,
      metrics,
      graceMs: config.sessions.grace,
      idleMs: config.sessions.idle,
      vault: { uid: config.sessions.vaultUid },
    }),
  )
  const store = closing.use(
    createStorePool({
      dataDir: config.data,
      workers: config.store.workers || Math.max(1, availableParallelism() - 1),
      sealing: sealingFrom(directory),
      indexesTexts: config.search.index,
      ...(sharing ? { sharing } : {}),
      clock,
      logger,
    }),
  )
  const domains = await directory.domains()
  const { hostname } = config
  const home =
    domains.find((domain) => hostname === domain) ??
    domains.find((domain) => hostname.endsWith(`.${domain}`)) ??
    domains[0] ??
    hostname
  const postmaster: Address = { local: 'postmaster', domain: home }
  const scanner = scannerOf(config, logger, metrics)
  return { config, logger, metrics, certificates, audit, directory, keyring, store, postmaster, scanner }
}

/** How the world is looked at, and whose certificates are known there. */
export function openOutside(foundation: Foundation, closing: AsyncDisposableStack) {
  const { config } = foundation
  const ca = config.tls.trust.map((file) => readFileSync(file, 'utf8'))
  const resolver = createResolver({ ...config.dns, ca, clock })
  const outside: Outside = { resolver, ca, accepted: closing.use(acceptedSource(() => openAccepted(foundation))) }
  // Whoever needs certificates of others is given this, and it is closed after them.
  const discovery: DiscovererSource = closing.use(discovererSource(() => openDiscoverer(foundation, outside)))
  return { outside, discovery }
}
