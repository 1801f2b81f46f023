/** What all connections of a server share. */
import type { SecureContext } from 'node:tls'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import type { SessionDesk } from '#session/session.ts'
import type { KeptContents } from './fetch/kept-contents.ts'
import type { ImapLimits } from './limits.ts'
import type { MailboxImages } from './mailbox-image.ts'
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
  /** Octets of commands that clients have begun and not yet ended. */
  readonly receiving: { octets: number }
}
