/** What all connections of a server share. */
import type { SecureContext } from 'node:tls'
import type { Claims } from '#lib/claims.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import type { SessionDesk } from '#session/session.ts'
import type { KnownSizes } from './known-sizes.ts'
import type { Pop3Limits } from './limits.ts'

export interface ServerContext {
  readonly tls: () => SecureContext
  readonly desk: SessionDesk
  readonly limits: Pop3Limits
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly sizes: KnownSizes
  /** A maildrop is for one client at a time (RFC 1939 §4), whichever process serves it. */
  readonly locks: Claims
}
