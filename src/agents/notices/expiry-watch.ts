/**
 * Looks at everybody's current certificates once a day and says when one is about to expire: a notice to its owner 30, 14 and 3
 * days before and once when it has, a line in the log, a number in the metrics. Mail is sealed to it all the same.
 *
 * Each notice has a window shorter than the store remembers delivery keys, so it comes once, however often the server starts;
 * who was away for a whole window gets the next one.
 */
import { setImmediate } from 'node:timers/promises'
import type { Account, Directory, StoredCertificate } from '#custody/accounts/directory.ts'
import { formatAddress } from '#formats/message/address.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import { type ExpiringKey, expiryNotice } from './expiry-words.ts'
import type { Notices } from './notices.ts'

const DAY = 86_400_000

/** Less than two weeks: see above. */
const WINDOW = 13 * DAY

/** Time left when each notice falls due; the last one falls due when none is left. */
const STAGES = [30, 14, 3, 0] as const

/** The notice that is due with this much time left, or null. */
export function stageAt(left: number): number | null {
  const stage = STAGES.findLast((days) => left <= days * DAY)
  return stage !== undefined && left > stage * DAY - WINDOW ? stage : null
}

export interface ExpiryWatchOptions {
  readonly directory: Pick<Directory, 'accounts' | 'certificates'>
  readonly notices: Notices
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Until when mail can be sealed to this certificate by others; null for ever. Throws MalformedOpenPgp. */
export function usableUntil(octets: Bytes): number | null {
  const { encryptionKeys, expires } = parseCertificate(octets)
  if (encryptionKeys.length === 0) return expires
  if (encryptionKeys.some((key) => key.expires === null)) return null
  return Math.max(...encryptionKeys.map((key) => key.expires!))
}

/** Begins at once, in the background, and looks again every day until it is disposed. */
export function watchExpiry(options: ExpiryWatchOptions): AsyncDisposable {
  const { clock, logger } = options
  const stopping = new AbortController()
  let timer: Disposable | null = null
  const look = async (): Promise<void> => {
    try {
      await lookAtAll(options, stopping.signal)
    } catch (error) {
      logger.error({ error: error as Error }, 'certificates could not be looked at')
    }
    if (!stopping.signal.aborted)
      timer = clock.after(DAY, () => {
        looking = look()
      })
  }
  let looking = look()
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      timer?.[Symbol.dispose]()
      await looking
    },
  }
}

async function lookAtAll(options: ExpiryWatchOptions, signal: AbortSignal): Promise<void> {
  const { directory, clock, metrics } = options
  const counts = { soon: 0, expired: 0 }
  for (const account of await directory.accounts()) {
    // others come first: this takes its time
    await setImmediate()
    if (signal.aborted) return
    if (account.state !== 'active') continue
    for (const stored of await directory.certificates(account.id)) {
      const expires = stored.current || stored.endToEnd ? expiryOf(stored, account, options) : null
      if (expires === null) continue
      const left = expires - clock.now()
      if (left > STAGES[0] * DAY) continue
      counts[left > 0 ? 'soon' : 'expired']++
      await warn({ account, stored, expires, left }, options)
    }
  }
  for (const [state, count] of Object.entries(counts)) metrics.gauge('certificates_expiring', count, { state })
}

function expiryOf(stored: StoredCertificate, account: Account, { logger }: ExpiryWatchOptions): number | null {
  try {
    return usableUntil(stored.certificate)
  } catch (error) {
    const { fingerprint } = stored
    logger.error({ account: account.id, fingerprint, error: error as Error }, 'a stored certificate is unreadable')
    return null
  }
}

async function warn(
  { account, stored, expires, left }: { account: Account; stored: StoredCertificate; expires: number; left: number },
  { notices, logger }: ExpiryWatchOptions,
): Promise<void> {
  const stage = stageAt(left)
  if (stage === null) return
  const { fingerprint, custody } = stored
  const daysLeft = Math.max(0, Math.ceil(left / DAY))
  logger.warn(
    { account: account.id, fingerprint, daysLeft },
    left > 0 ? 'certificate expires' : 'certificate has expired',
  )
  const key: ExpiringKey = { address: formatAddress(account.address), fingerprint, custody, expires, daysLeft }
  try {
    await notices.send(account.id, expiryNotice(key, stage))
  } catch (error) {
    logger.error({ account: account.id, fingerprint, error: error as Error }, 'the owner of a certificate was not told')
  }
}
