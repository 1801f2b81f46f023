/** What all connections of a server share. */
import type { SecureContext } from 'node:tls'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import type { SessionDesk } from '#session/session.ts'
import type { KeptContents } from './fetch/kept-contents.ts'
import type { ImapLimits } from './limits.ts'
import type { MailboxImages } from './mailbox-image.ts'
import type { MemoryShares, ReceivingMemory } from './memory-shares.ts'
import type { RecentMarks } from './recent.ts'

export interface ServerContext {
  readonly tls: () => SecureContext
  readonly desk: SessionDesk
  readonly limits: ImapLimits
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly recent: RecentMarks
  readonly images: MailboxImages
  readonly kept: KeptContents
  /** Octets of large commands that clients have begun, and that are being done. */
  readonly receiving: ReceivingMemory
  /** Octets of large contents that clients have not taken yet. */
  readonly fetching: MemoryShares
}
