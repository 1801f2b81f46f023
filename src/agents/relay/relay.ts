/**
 * The relay: carries mail to other providers, host by host in the order that the domain's MX records give (RFC 5321 §5), or
 * hands all of it to a smarthost.
 *
 * It answers with one outcome per recipient and leaves waiting, trying again and telling the sender to the queue. Temporary
 * trouble, ours or theirs, is never a failure. It encrypts wherever that is offered (RFC 3207, opportunistic as in RFC 7435)
 * and logs when it could not; credentials go to a smarthost only inside TLS with a valid certificate. It never changes a
 * message and never lets a lone CR or LF out. Private and loopback addresses are refused unless allowed: DNS records of
 * strangers must not make us talk to our own network.
 */
import { domainOf } from '#formats/message/address.ts'
import type { EnvelopeRecipient } from '#formats/message/envelope.ts'
import { type Reply, reply } from '#formats/smtp/reply.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Resolver } from '#policy/dns/resolver.ts'
import type { DeliveryAgent, Outcome, QueuedMail } from '../queue/queue.ts'
import { hasOnlyCrlf } from '../queue/queue-content.ts'
import type { Credentials } from './authentication.ts'
import { type Hop, type NextHops, nextHops, resolveHosts } from './next-hops.ts'
import { createRelayTls } from './relay-tls.ts'
import {
  openSession,
  type RelayTimeouts,
  type Session,
  type SessionOptions,
  STANDARD_TIMEOUTS,
  type TlsMode,
} from './session.ts'
import { SessionPool } from './session-pool.ts'
import { type Transacted, transact, unfit } from './transaction.ts'

export interface Smarthost {
  readonly host: string
  readonly port: number
  /** `required` (STARTTLS) and `implicit` want a valid certificate. */
  readonly tls: TlsMode
  /** Both or neither, and only with `required` or `implicit`. */
  readonly user?: string | undefined
  readonly passwordFile?: string | undefined
}

export interface RelayOptions {
  readonly resolver: Resolver
  /** What we call ourselves in EHLO. */
  readonly hostname: string
  readonly clock: Clock
  readonly logger: Logger
  /** Certificates in PEM that are trusted besides those of the runtime. */
  readonly tls?: { readonly ca: readonly string[] }
  readonly smarthost?: Smarthost | undefined
  /** The local address of connections. */
  readonly bind?: string | undefined
  readonly ports?: { readonly smtp: number }
  readonly allowPrivate?: boolean
  readonly timeouts?: RelayTimeouts
}

export interface Relay extends DeliveryAgent, AsyncDisposable {}

/** Throws when the smarthost's settings contradict each other. */
export function createRelay(options: RelayOptions): Relay {
  const { smarthost } = options
  if (smarthost && (smarthost.user === undefined) !== (smarthost.passwordFile === undefined)) {
    throw new Error('smarthost: user and passwordFile belong together')
  }
  if (smarthost?.user !== undefined && smarthost.tls !== 'required' && smarthost.tls !== 'implicit') {
    throw new Error('smarthost: a login needs tls "required" or "implicit"')
  }
  return new MailRelay(options)
}

/** RFC 5321 §4.5.3.1.8 promises room for 100. */
const RECIPIENTS = 100
const LONE_LINE_ENDS = reply(554, '5.6.0', 'the message has lone CR or LF octets, which SMTP cannot carry')
const NO_SMARTHOST = reply(451, '4.4.3', 'the smarthost cannot be found')
const STOPPING = reply(451, '4.3.2', 'this server is stopping')

class MailRelay implements Relay {
  readonly #options: RelayOptions
  readonly #session: SessionOptions
  readonly #timeouts: RelayTimeouts
  readonly #pool: SessionPool
  readonly #mode: TlsMode
  readonly #credentials: Credentials | null

  constructor(options: RelayOptions) {
    const { hostname, bind, clock, tls, smarthost } = options
    this.#options = options
    this.#timeouts = options.timeouts ?? STANDARD_TIMEOUTS
    this.#session = { hostname, bind, clock, timeouts: this.#timeouts, tls: createRelayTls(tls?.ca ?? []) }
    this.#pool = new SessionPool(clock)
    this.#mode = smarthost?.tls ?? 'opportunistic'
    this.#credentials = credentialsOf(smarthost)
  }

  async deliver(
    mail: QueuedMail,
    recipients: readonly EnvelopeRecipient[],
    signal: AbortSignal,
  ): Promise<readonly Outcome[]> {
    const all = (kind: 'deferred' | 'failed', why: Reply): Outcome[] =>
      recipients.map(() => ({ kind, why, remote: null }))
    if (recipients.length === 0) return []
    if (!hasOnlyCrlf(mail.content)) return all('failed', LONE_LINE_ENDS)
    const domain = domainOf(recipients[0]!.address)
    const idle = this.#pool.take(domain)
    const pooled = idle && (await this.#hand(idle, domain, mail, recipients, signal))
    if (pooled && pooled.kind === 'done') return pooled.outcomes
    const routed = await this.#route(domain)
    if (routed.kind === 'failed') return all('failed', routed.why)
    if (routed.kind === 'deferred') {
      return recipients.map(() => ({ kind: 'deferred', why: routed.why, remote: null, unreachable: true }))
    }
    return await this.#tryHops(routed.hops, domain, mail, recipients, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pool[Symbol.dispose]()
  }

  async #route(domain: string): Promise<NextHops> {
    const { resolver, hostname, ports, allowPrivate = false, smarthost } = this.#options
    if (!smarthost) return await nextHops(domain, { resolver, hostname, port: ports?.smtp ?? 25, allowPrivate })
    const { host, port } = smarthost
    const routed = await resolveHosts([host], { resolver, hostname, port, allowPrivate: true })
    // A smarthost that cannot be found is our mistake, not the sender's.
    return routed.kind === 'failed' ? { kind: 'deferred', why: NO_SMARTHOST } : routed
  }

  /** Hosts one after another until one takes or refuses the mail; what none did waits. */
  async #tryHops(
    hops: readonly Hop[],
    domain: string,
    mail: QueuedMail,
    recipients: readonly EnvelopeRecipient[],
    signal: AbortSignal,
  ): Promise<readonly Outcome[]> {
    const logger = this.#options.logger.with({ queueId: mail.queueId })
    const options = { ...this.#session, signal, logger }
    let temporary: { why: Reply; remote: string } | null = null
    let permanent: { why: Reply; remote: string } | null = null
    for (const hop of hops) {
      if (signal.aborted) return recipients.map(() => ({ kind: 'deferred', why: STOPPING, remote: null }))
      const opened = await openSession(hop, this.#mode, this.#credentials, options)
      if (opened.kind === 'open') {
        const handed = await this.#hand(opened.session, domain, mail, recipients, signal)
        if (handed.kind === 'done') return handed.outcomes
        temporary ??= { why: handed.why, remote: hop.host }
      } else {
        const { why } = opened
        logger.info({ host: hop.host, ip: hop.ip, code: why.code, status: why.enhanced }, 'host not usable')
        if (opened.kind === 'refused') permanent ??= { why, remote: hop.host }
        else temporary ??= { why, remote: hop.host }
      }
    }
    // As long as one host may take it later there is hope.
    if (temporary) {
      const { why, remote } = temporary
      return recipients.map(() => ({ kind: 'deferred', why, remote, unreachable: true }))
    }
    return recipients.map(() => ({ kind: 'failed', ...permanent! }))
  }

  /** As many transactions as the server wants for this number of recipients; afterwards the session is idle or ended. */
  async #hand(
    session: Session,
    domain: string,
    mail: QueuedMail,
    recipients: readonly EnvelopeRecipient[],
    signal: AbortSignal,
  ): Promise<Transacted> {
    const why = unfit(session, mail, recipients)
    const { host } = session.hop
    if (why) {
      this.#pool.give(domain, session)
      return { kind: 'done', outcomes: recipients.map(() => ({ kind: 'failed', why, remote: host })) }
    }
    using _ = session.client.cutOn(signal)
    const outcomes: (Outcome | null)[] = recipients.map(() => null)
    let left = [...recipients.keys()]
    while (left.length > 0) {
      const batch = left.slice(0, recipientsAtOnce(session))
      const transacted = await transact(session, mail, pick(recipients, batch), this.#timeouts)
      if (transacted.kind === 'lost') {
        if (left.length === recipients.length) return transacted
        return {
          kind: 'done',
          outcomes: outcomes.map((one) => one ?? { kind: 'deferred', why: transacted.why, remote: host }),
        }
      }
      for (const [index, at] of batch.entries()) outcomes[at] = transacted.outcomes[index]!
      // RFC 5321 §4.5.3.1.10: those that were too many go into the next transaction, as long as each makes headway.
      const headway = transacted.outcomes.some((one) => one.kind === 'delivered')
      left = [...(headway ? batch.filter((at) => isTooMany(outcomes[at])) : []), ...left.slice(batch.length)]
    }
    this.#logHandover(session, mail)
    this.#pool.give(domain, session)
    return { kind: 'done', outcomes: outcomes.map((outcome) => outcome!) }
  }

  #logHandover({ hop, tls }: Session, { queueId }: QueuedMail): void {
    const { host, ip } = hop
    this.#options.logger.info(
      { queueId, host, ip, tls: tls?.version ?? null, cipher: tls?.cipher ?? null, verified: tls?.verified ?? false },
      'transaction with another server ended',
    )
  }
}

const pick = <T>(all: readonly T[], places: readonly number[]): T[] => places.map((at) => all[at]!)

function recipientsAtOnce(session: Session): number {
  // RFC 9422 §4.2
  const limit = /(?:^| )RCPTMAX=([0-9]{1,6})/i.exec(session.keywords.get('LIMITS') ?? '')?.[1]
  return Math.max(1, Math.min(RECIPIENTS, Number(limit ?? RECIPIENTS)))
}

function isTooMany(outcome: Outcome | null | undefined): boolean {
  if (outcome?.kind !== 'deferred' || outcome.why.code !== 452) return false
  return outcome.why.enhanced === null || outcome.why.enhanced === '4.5.3'
}

function credentialsOf(smarthost: Smarthost | undefined): Credentials | null {
  const { user, passwordFile } = smarthost ?? {}
  return user === undefined || passwordFile === undefined ? null : { user, passwordFile }
}
