/** What is known on one connection between two commands, and the replies that every command shares. */

import type { SecureContext } from 'node:tls'
import type { InboundAgent, Peer } from '#agents/inbound/inbound.ts'
import type { Address } from '#formats/message/address.ts'
import type { EnvelopeRecipient } from '#formats/message/envelope.ts'
import type { ChunkReader } from '#formats/smtp/message-reader.ts'
import type { MailParameters } from '#formats/smtp/parameters.ts'
import { type Reply, reply, SmtpError } from '#formats/smtp/reply.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import type { SessionDesk, UserSession } from '#session/session.ts'
import type { Admission, Admitted } from './admission.ts'
import type { SmtpLimits } from './limits.ts'
import type { Hold, MemoryBudget } from './memory-budget.ts'
import type { Wire } from './wire.ts'

export type Role = 'mx' | 'lmtp' | 'submission'

/** Who is behind the server. */
export type Backend =
  | { readonly role: 'mx' | 'lmtp'; readonly agent: InboundAgent }
  | { readonly role: 'submission'; readonly desk: SessionDesk }

/** What all connections of one server share. */
export interface Service {
  readonly backend: Backend
  readonly hostname: string
  readonly postmaster: Address
  readonly limits: SmtpLimits
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly admission: Admission
  readonly memory: MemoryBudget
  tls(): SecureContext | null
  newQueueId(): string
}

/** One message on its way in, from MAIL to its reply. */
export interface Transaction extends Disposable {
  readonly reversePath: Address | null
  readonly parameters: MailParameters
  readonly recipients: EnvelopeRecipient[]
  readonly hold: Hold
  readonly peer: Peer
  /** The BDAT chunks so far. */
  chunks: ChunkReader | null
}

export class Conversation {
  readonly service: Service
  readonly wire: Wire
  readonly admitted: Admitted
  readonly connected: number
  /** What the client called itself; null until it has. */
  helo: { readonly name: string; readonly verb: 'EHLO' | 'HELO' | 'LHLO' } | null = null
  session: UserSession | null = null
  transaction: Transaction | null = null
  /** QUIT was said. */
  over = false
  errors = 0
  idleCommands = 0
  refusedRecipients = 0
  failedLogins = 0

  constructor(service: Service, wire: Wire, admitted: Admitted) {
    this.service = service
    this.wire = wire
    this.admitted = admitted
    this.connected = service.clock.now()
  }

  get role(): Role {
    return this.service.backend.role
  }

  /** Forgets the transaction, not the client (RFC 5321 §4.1.1.5). */
  reset(): void {
    this.transaction?.[Symbol.dispose]()
    this.transaction = null
  }

  peer(smtputf8: boolean): Peer {
    const { ip, tls } = this.wire
    return { ip, helo: this.helo?.name ?? '', protocol: this.#protocol(smtputf8), tls }
  }

  /** RFC 3848; RFC 6531 §4.3. */
  #protocol(smtputf8: boolean): string {
    if (this.helo?.verb === 'HELO') return 'SMTP'
    const base = this.role === 'lmtp' ? 'LMTP' : smtputf8 ? 'SMTP' : 'ESMTP'
    return `${smtputf8 ? 'UTF8' : ''}${base}${this.wire.tls ? 'S' : ''}${this.session ? 'A' : ''}`
  }

  /** The transaction that `verb` needs, with a recipient if it takes content. Throws SmtpError. */
  transactionFor(verb: string): Transaction {
    if (!this.transaction) throw outOfOrder(`${verb} needs MAIL first`)
    return this.transaction
  }

  /** Counts a refusal under its status code. */
  refused({ code, enhanced }: Reply): void {
    this.service.metrics.count('smtp_rejections', { role: this.role, status: enhanced ?? String(code) })
  }
}

export const outOfOrder = (words: string): SmtpError => new SmtpError(reply(503, '5.5.1', words))

/** Content needs somebody to go to: RFC 5321 §3.3 and RFC 2920 §3.1, RFC 2033 §4.2. */
export const noRecipients = (role: Role): Reply => reply(role === 'lmtp' ? 503 : 554, '5.5.1', 'No valid recipients')
