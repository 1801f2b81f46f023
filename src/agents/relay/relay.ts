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
import { reply } from '#formats/smtp/reply.ts'
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
// What our smarthost has against us is ours to mend; until then nobody's mail comes back.
const SMARTHOST_REFUSES = reply(451, '4.4.1', 'the smarthost does not take mail from this server')
const SMARTHOST = 'smarthost'
const STOPPING = reply(451, '4.3.2', 'this server is stopping')

/** One message and its recipients of one domain, on their way out. */
interface Load {
  readonly mail: QueuedMail
  readonly recipients: readonly EnvelopeRecipient[]
  readonly signal: AbortSignal
  /** Under which sessions are kept for the next load. */
  readonly key: string
}

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
    const detectLoops = smarthost === undefined
    this.#session = { hostname, detectLoops, bind, clock, timeouts: this.#timeouts, tls: createRelayTls(tls?.ca ?? []) }
    this.#pool = new SessionPool(clock)
    this.#mode = smarthost?.tls ?? 'opportunistic'
    this.#credentials = credentialsOf(smarthost)
  }

  async deliver(
    mail: QueuedMail,
    recipients: readonly EnvelopeRecipient[],
    signal: AbortSignal,
  ): Promise<readonly Outcome[]> {
    if (recipients.length === 0) return []
    const domain = domainOf(recipients[0]!.address)
    const load = { mail, recipients, signal, key: this.#options.smarthost ? SMARTHOST : domain }
    if (!hasOnlyCrlf(mail.content)) return forAll(load, { kind: 'failed', why: LONE_LINE_ENDS, remote: null })
    const idle = this.#pool.take(load.key)
    const pooled = idle && (await this.#hand(idle, load))
    if (pooled?.kind === 'done') return pooled.outcomes
    const routed = await this.#route(domain)
    if (routed.kind === 'hops') return await this.#tryHops(routed.hops, load)
    const { kind, why } = routed
    return forAll(load, { kind, why, remote: null, ...(kind === 'deferred' ? { unreachable: true } : {}) })
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

  /** Hosts one after another until one takes or refuses the mail; as long as one may take it later it waits. */
  async #tryHops(hops: readonly Hop[], load: Load): Promise<readonly Outcome[]> {
    const logger = this.#options.logger.with({ queueId: load.mail.queueId })
    let waits: Outcome | null = null
    let refused: Outcome | null = null
    let reached = false
    for (const hop of hops) {
      if (load.signal.aborted) return forAll(load, { kind: 'deferred', why: STOPPING, remote: null })
      const remote = hop.host
      const opened = await openSession(hop, this.#mode, this.#credentials, {
        ...this.#session,
        signal: load.signal,
        logger,
      })
      if (opened.kind === 'open') {
        const handed = await this.#hand(opened.session, load)
        if (handed.kind === 'done') return handed.outcomes
        // It may be this message that breaks the conversation: the domain's other mail need not wait for it.
        reached = true
        waits ??= { kind: 'deferred', why: handed.why, remote }
        continue
      }
      const { why } = opened
      logger.info({ host: hop.host, ip: hop.ip, code: why.code, status: why.enhanced }, 'host not usable')
      if (opened.kind === 'unreachable') waits ??= { kind: 'deferred', why, remote }
      else if (this.#options.smarthost) waits ??= { kind: 'deferred', why: SMARTHOST_REFUSES, remote }
      else refused ??= { kind: 'failed', why, remote }
    }
    if (waits) return forAll(load, reached ? waits : { ...waits, unreachable: true })
    return forAll(load, refused!)
  }

  /** As many transactions as the server wants for this number of recipients; afterwards the session is idle or ended. */
  async #hand(session: Session, load: Load): Promise<Transacted> {
    const { mail, recipients, signal, key } = load
    const remote = session.hop.host
    const why = unfit(session, mail, recipients)
    if (why) {
      this.#pool.give(key, session)
      return { kind: 'done', outcomes: forAll(load, { kind: 'failed', why, remote }) }
    }
    using _ = session.client.cutOn(signal)
    const outcomes: (Outcome | null)[] = recipients.map(() => null)
    let left = [...recipients.keys()]
    while (left.length > 0) {
      const batch = left.slice(0, recipientsAtOnce(session))
      const transacted = await transact(session, mail, pick(recipients, batch), this.#timeouts)
      if (transacted.kind === 'lost') {
        if (left.length === recipients.length) return transacted
        const lost: Outcome = { kind: 'deferred', why: transacted.why, remote }
        return { kind: 'done', outcomes: outcomes.map((one) => one ?? lost) }
      }
      for (const [index, at] of batch.entries()) outcomes[at] = transacted.outcomes[index]!
      // RFC 5321 §4.5.3.1.10: those that were too many go into the next transaction, as long as each makes headway.
      const headway = transacted.outcomes.some((one) => one.kind === 'delivered')
      left = [...(headway ? batch.filter((at) => isTooMany(outcomes[at])) : []), ...left.slice(batch.length)]
    }
    this.#logHandover(session, mail)
    this.#pool.give(key, session)
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

const forAll = ({ recipients }: Load, outcome: Outcome): Outcome[] => recipients.map(() => outcome)

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
