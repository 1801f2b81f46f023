/**
 * The SMTP front-end: MX (RFC 5321), LMTP (RFC 2033) and submission (RFC 6409), by role. It speaks, keeps the state of each
 * connection and enforces limits; who is a recipient, who may log in and what becomes of a message is decided behind it, by
 * the InboundAgent or the SessionDesk.
 *
 * Promises: a message is acknowledged only with the reply of who made it durable; only CRLF.CRLF ends DATA; nothing said in
 * clear counts after STARTTLS; a credential never becomes a string and is wiped; every wait has a deadline, every buffer and
 * every count a cap, and a client that does not read its replies is not read from.
 *
 * It must never: relay without login, log in without TLS, add to or change a message, bounce.
 *
 * Extensions: PIPELINING (2920), SIZE (1870), 8BITMIME (6152), SMTPUTF8 (6531), ENHANCEDSTATUSCODES (2034), CHUNKING (3030,
 * without BINARYMIME), DSN (3461), STARTTLS (3207), AUTH (4954), LIMITS (9422).
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { Address } from '#formats/message/address.ts'
import { formatReply, reply } from '#formats/smtp/reply.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import { Admission } from './admission.ts'
import { converse } from './connection.ts'
import { type Backend, Conversation, type Service } from './conversation.ts'
import { defaultLimits, type SmtpLimits } from './limits.ts'
import { MemoryBudget } from './memory-budget.ts'
import { Wire } from './wire.ts'

export interface SmtpServerOptions {
  /** Role, and who is behind it. */
  readonly backend: Backend
  /** Our own name, in the greeting and in EHLO. */
  readonly hostname: string
  /** Whom a bare `<postmaster>` means (RFC 5321 §4.5.1); `postmaster@` hostname by default. */
  readonly postmaster?: Address
  /** TLS from the first octet (RFC 8314), instead of STARTTLS. */
  readonly implicitTls?: boolean
  /** The certificate of the moment, asked for every handshake; null: no TLS. */
  tls(): SecureContext | null
  readonly limits?: Partial<SmtpLimits>
  /** Shared with other servers, so that the cap holds over all of them; otherwise `limits.memory` is for this one alone. */
  readonly memory?: MemoryBudget
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  newQueueId(): string
}

export interface SmtpServer extends AsyncDisposable {
  /** May be called for several addresses; port 0 takes any. Answers the port. Rejects with the error of the socket. */
  listen(host: string, port: number): Promise<number>
  /** Takes no new connections, ends idle ones with 421, lets messages under way finish for `graceMs`, then cuts the rest. */
  stop(graceMs: number): Promise<void>
}

export function createSmtpServer(options: SmtpServerOptions): SmtpServer {
  return new NetSmtpServer(options)
}

function serviceOf(options: SmtpServerOptions): Service {
  const { backend, hostname, clock, logger, metrics } = options
  const limits = { ...defaultLimits, ...options.limits }
  return {
    backend,
    hostname,
    postmaster: options.postmaster ?? { local: 'postmaster', domain: hostname },
    limits,
    clock,
    log: logger,
    metrics,
    admission: new Admission(limits, clock),
    memory: options.memory ?? new MemoryBudget(limits.memory),
    tls: () => options.tls(),
    newQueueId: () => options.newQueueId(),
  }
}

class NetSmtpServer implements SmtpServer {
  readonly #service: Service
  readonly #implicitTls: boolean
  readonly #listeners = new Set<Server>()
  readonly #wires = new Set<Wire>()
  #stopping = false

  constructor(options: SmtpServerOptions) {
    this.#service = serviceOf(options)
    this.#implicitTls = options.implicitTls ?? false
  }

  async listen(host: string, port: number): Promise<number> {
    // RFC 2033 §5
    if (this.#service.backend.role === 'lmtp' && port === 25) throw new Error('LMTP must not be served on port 25')
    const listener = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket))
    listener.listen(port, host)
    await once(listener, 'listening')
    // Accepting can fail when files run out; the listener goes on.
    listener.on('error', (error) => this.#service.log.error({ error }, 'connection could not be accepted'))
    this.#listeners.add(listener)
    return (listener.address() as AddressInfo).port
  }

  #accept(socket: Socket): void {
    const { admission, backend, clock, metrics } = this.#service
    const { role } = backend
    const ip = socket.remoteAddress?.replace(/^::ffff:/, '')
    const admitted = ip && !this.#stopping ? admission.admit(ip, role === 'submission') : null
    metrics.count('smtp_connections', { role, result: admitted ? 'taken' : 'refused' })
    if (!ip || !admitted) {
      this.#turnAway(socket)
      return
    }
    const wire = new Wire(socket, ip, clock)
    this.#wires.add(wire)
    const countOpen = () => {
      metrics.gauge('smtp_open_connections', admission.open, { role, tls: this.#implicitTls ? 'implicit' : 'starttls' })
    }
    countOpen()
    void converse(new Conversation(this.#service, wire, admitted), this.#implicitTls)
    void wire.closed.then(() => {
      this.#wires.delete(wire)
      admitted[Symbol.dispose]()
      countOpen()
    })
  }

  #turnAway(socket: Socket): void {
    socket.on('error', () => socket.destroy())
    if (this.#implicitTls) {
      socket.destroy()
      return
    }
    const words = this.#stopping ? 'Shutting down' : 'Too many connections'
    // RFC 5321 §3.1 and §4.3.2: 421 instead of the greeting.
    socket.end(formatReply(reply(421, '4.3.2', `${this.#service.hostname} ${words}`)), () => socket.destroy())
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    for (const listener of this.#listeners) listener.close()
    this.#listeners.clear()
    for (const wire of this.#wires) wire.stop()
    using _grace = this.#service.clock.after(graceMs, () => {
      for (const wire of this.#wires) wire.cut()
    })
    await Promise.all([...this.#wires].map((wire) => wire.closed))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop(0)
  }
}
