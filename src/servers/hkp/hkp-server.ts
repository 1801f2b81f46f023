/**
 * The keyserver's front-end: HTTP/1.1 over TLS, read-only. HKP versions 1 and 2 and the Web Key Directory from the same certificates,
 * which privacy/keyserver chooses; this room knows addresses and keys only as text in a URL.
 *
 * Promises: GET, HEAD and OPTIONS are all there is; one exact name is answered with at most what it names, everything else with a
 * refusal, and nothing lists anybody; what is unknown is answered in the same words whatever it is; every wait has a deadline, every size
 * and count a cap. It must never accept content, follow a path into the file system, or log who was asked for.
 *
 * draft-ietf-openpgp-hkp-01, draft-koch-openpgp-webkey-service-21, RFC 9110 (HTTP), RFC 9112 (HTTP/1.1).
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import { http } from '#lib/node-http.ts'
import { RecentlyUsed } from '#lib/recently-used.ts'
import { Admission } from './admission.ts'
import { type Answer, badRequest, failed, notModified, tooMany } from './answer.ts'
import type { Answering, Asked } from './asked.ts'
import { defaultHkpLimits, type HkpLimits } from './limits.ts'

export interface HkpServerOptions {
  /** Asked for with the first request, and once: many providers are seldom asked for a key, and memory is dear. */
  answering(): Promise<Answering>
  /** The certificate of the moment, asked for every handshake. */
  tls(): SecureContext
  readonly limits?: Partial<HkpLimits>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

export interface HkpServer {
  /** Answers the port, which is a free one when 0 is given. Once. */
  listen(host: string, port: number): Promise<number>
  /** Takes no more clients, and lets answers that are under way finish for up to `graceMs`. */
  stop(graceMs: number): Promise<void>
}

export function createHkpServer(options: HkpServerOptions): HkpServer {
  return new TlsHkpServer(options)
}

const ALPN = { ALPNProtocols: ['http/1.1'] }
/** Answers kept ready, and their octets at most. */
const MOST_KEPT = 4000
const HEAVIEST_KEPT = 16 << 20

class TlsHkpServer implements HkpServer {
  readonly #options: HkpServerOptions
  readonly #limits: HkpLimits
  readonly #admission: Admission
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Those of them that HTTP does not know yet. */
  readonly #greeting = new Set<Socket>()
  #stopping = false
  readonly #networks = new WeakMap<Socket, string>()
  /** By target. */
  readonly #kept = new RecentlyUsed<Answer>(MOST_KEPT, HEAVIEST_KEPT)
  #keptRevision = ''
  /** When, in milliseconds since the epoch. */
  #renewed = Number.NaN
  #loading: Promise<Answering> | null = null
  #answering: Answering | null = null

  constructor(options: HkpServerOptions) {
    this.#options = options
    this.#limits = { ...defaultHkpLimits, ...options.limits }
    this.#admission = new Admission(this.#limits, options.clock)
    this.#server = this.#createServer()
  }

  /** HTTP gets each connection once its handshake is done, so that the certificate can be another one for each. */
  #createServer(): Server {
    const { headerSize, requestTime, idle, stall } = this.#limits
    const server = http.createServer({
      maxHeaderSize: headerSize,
      headersTimeout: requestTime,
      requestTimeout: requestTime,
      keepAliveTimeout: idle,
      connectionsCheckingInterval: Math.min(requestTime, 5000),
    })
    server.timeout = stall
    const [speak] = server.listeners('connection') as [(socket: Socket) => void]
    server.removeAllListeners('connection')
    server.on('connection', (socket: Socket) => this.#accept(socket, (secured) => speak.call(server, secured)))
    const answer = (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response)
    server.on('request', answer)
    // Who waits for leave to send content is answered without it (RFC 9110 §10.1.1).
    server.on('checkContinue', answer)
    server.on('checkExpectation', answer)
    return server
  }

  #accept(socket: Socket, speak: (secured: Socket) => void): void {
    const { metrics, clock, tls } = this.#options
    const { remoteAddress } = socket
    const network = remoteAddress === undefined ? null : this.#admission.enter(remoteAddress)
    metrics.count('hkp_connections', { result: network === null ? 'refused' : 'accepted' })
    socket.on('error', () => socket.destroy())
    if (network === null) {
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    this.#greeting.add(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.#greeting.delete(socket)
      this.#admission.leave(network)
      metrics.gauge('hkp_connections_open', this.#admission.open)
    })
    metrics.gauge('hkp_connections_open', this.#admission.open)
    const secured = new TLSSocket(socket, { isServer: true, secureContext: tls(), ...ALPN })
    this.#networks.set(secured, network)
    const patience = clock.after(this.#limits.handshakeTime, () => socket.destroy())
    secured.on('error', () => socket.destroy())
    secured.once('close', () => patience[Symbol.dispose]())
    secured.once('secure', () => {
      patience[Symbol.dispose]()
      this.#greeting.delete(socket)
      speak(secured)
    })
  }

  /** At once when the answer is there: most lookups are for few certificates. */
  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url: target = '' } = request
    const heading = readHeading(request.rawHeaders)
    if (heading.hasContent || this.#stopping) response.shouldKeepAlive = false
    const wait = this.#admission.lookup(this.#networks.get(request.socket) ?? '')
    const isRead = method === 'GET' || method === 'HEAD'
    if (wait > 0) this.#send(response, tooMany(wait), heading)
    else if (heading.hosts > 1 || (isRead && heading.hasContent)) this.#send(response, badRequest, heading)
    else {
      const kept = isRead ? this.#ready(target) : undefined
      if (kept) this.#send(response, kept, heading)
      else {
        this.#prepare({ method, target, host: heading.host }).then(
          (answer) => this.#send(response, answer, heading),
          (error) => {
            this.#options.logger.error({ error: error as Error }, 'lookup failed')
            this.#send(response, failed, heading)
          },
        )
      }
    }
  }

  #ready(target: string): Answer | undefined {
    try {
      return this.#renew() ? this.#kept.get(target) : undefined
    } catch {
      // What breaks the directory is told where the answer is prepared.
      return undefined
    }
  }

  async #prepare(asked: Asked): Promise<Answer> {
    this.#loading ??= this.#options.answering()
    this.#answering = await this.#loading.catch((error) => {
      this.#loading = null
      throw error
    })
    this.#renew()
    const revision = this.#keptRevision
    const answer = await this.#answering.answerTo(asked)
    const isSame = this.#keptRevision === revision && this.#answering.revision() === revision
    if (answer.keeps && isSame) this.#kept.set(asked.target, answer, answer.body.length + asked.target.length)
    return answer
  }

  #send(response: ServerResponse, answer: Answer, { condition }: Heading): void {
    this.#options.metrics.count('hkp_answers', { status: String(answer.status) })
    const { status, fields, body } = isKnown(condition, answer) ? notModified(answer) : answer
    response.writeHead(status, fields as string[])
    response.end(body, 'latin1')
  }

  /** Asking the directory costs more than all else of a lookup; within one millisecond its answer is believed. */
  #renew(): boolean {
    if (this.#answering === null) return false
    const now = this.#options.clock.now()
    if (now === this.#renewed) return true
    this.#renewed = now
    const revision = this.#answering.revision()
    if (revision !== this.#keptRevision) this.#kept.clear()
    this.#keptRevision = revision
    return true
  }

  async listen(host: string, port: number): Promise<number> {
    const server = this.#server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => {
        server.off('error', reject)
        resolve()
      })
    })
    server.on('error', (error) => this.#options.logger.error({ error }, 'hkp listener failed'))
    return (server.address() as AddressInfo).port
  }

  async stop(graceMs: number): Promise<void> {
    if (!this.#server.listening) return
    this.#stopping = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    for (const socket of this.#greeting) socket.destroy()
    using _grace = this.#options.clock.after(graceMs, () => {
      for (const socket of this.#sockets) socket.destroy()
    })
    await closed
  }
}

interface Heading {
  readonly host: string
  /** RFC 9112 §3.2: more than one is nobody's honest request. */
  readonly hosts: number
  readonly hasContent: boolean
  /** If-None-Match */
  readonly condition: string | null
}

/** What counts of the header fields, without looking at any of the others. */
function readHeading(raw: readonly string[]): Heading {
  let [host, hosts, hasContent] = ['', 0, false]
  let condition: string | null = null
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!
    if (!LENGTHS.has(name.length)) continue
    const value = raw[at + 1]!
    switch (name.toLowerCase()) {
      case 'host':
        host = value
        hosts++
        break
      case 'content-length':
        hasContent ||= value !== '0'
        break
      case 'transfer-encoding':
        hasContent = true
        break
      case 'if-none-match':
        condition = value
    }
  }
  return { host, hosts, hasContent, condition }
}

const LENGTHS: ReadonlySet<number> = new Set(
  ['host', 'content-length', 'transfer-encoding', 'if-none-match'].map(({ length }) => length),
)

/** RFC 9110 §13.1.2 */
function isKnown(condition: string | null, { etag }: Answer): boolean {
  if (condition === null || etag === null) return false
  return condition.trim() === '*' || condition.split(',').some((one) => one.trim().replace(/^W\//, '') === etag)
}
