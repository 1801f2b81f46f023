import type { Account } from '#custody/accounts/directory.ts'
import { sealingOf } from '#custody/accounts/sealing.ts'
import { type AccountMail, type MailStore, NoCertificate, type ReadingKeys } from '#custody/store/mail-store.ts'
import { createSealedMailStore } from '#custody/store/sealed-mail-store.ts'
import { createSqlMailStore } from '#custody/store/sql-mail-store.ts'
import { systemClock as clock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import { noMetrics } from '#lib/metrics.ts'
import { once } from '#lib/once.ts'
import { discovererSource } from '#privacy/discovery/sources.ts'
import { createAids } from '#privacy/e2e/aids.ts'
import { withAid } from '#privacy/e2e/unsealing-aid.ts'
import type { Premises } from './premises.ts'

/** The sealed mail store in this process, beside the running server or without one. */
export async function openSealedStore(premises: Premises): Promise<MailStore> {
  const directory = await premises.directory()
  const sql = createSqlMailStore({ dataDir: premises.config.data, clock, logger: silentLogger })
  return createSealedMailStore(sql, {
    sealing: async (account) => {
      const { certificate, device } = await sealingOf(directory, account)
      if (!certificate) throw new NoCertificate('the account has no key yet that its mail could be sealed to')
      return { certificate, device }
    },
    clock,
    logger: silentLogger,
  })
}

/** With the owner's keys: what came sealed is opened, checked and scanned as it is at a login. */
export async function openUnlocked(
  premises: Premises,
  { id }: Account,
  keys: ReadingKeys,
  closing: AsyncDisposableStack,
): Promise<AccountMail> {
  const { config } = premises
  const directory = await premises.directory()
  const { openDiscoverer, openResolver } = await import('./discovery.ts')
  const resolver = closing.use(openResolver(config))
  const discovery = closing.use(discovererSource(() => openDiscoverer(premises, resolver, false)))
  const { timeout: timeoutMs, ...scanners } = config.scan
  const scanner = once(async () => {
    const { createScanner } = await import('#privacy/scanning/scanning.ts')
    const { hostname } = config
    return createScanner({ ...scanners, timeoutMs, hostname, clock, logger: silentLogger, metrics: noMetrics })
  })
  const scans = scanners.rspamd !== null || scanners.clamd !== null
  const aids = createAids({ directory, discovery, scanner: scans ? scanner : null, authservId: config.hostname, clock })
  const store = closing.use(await openSealedStore(premises))
  return closing.use(await store.open(id, withAid(keys, aids(id))))
}

/** An old key has come back: what none opened when mail was re-sealed waits again, and re-sealing goes on if it was not paused. */
export async function retryUnreadable(premises: Premises, account: Account): Promise<void> {
  await using store = await openSealedStore(premises)
  await using mail = await store.open(account.id, null)
  const { unreadable, state } = await mail.coverage()
  if (unreadable === 0) return
  await mail.resealing('running')
  if (state === 'paused') await mail.resealing('paused')
}
