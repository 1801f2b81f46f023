/**
 * What servers of line protocols do until a client has its connection, and at the end: listeners, bounds on connections, metrics, and
 * a stop that lets running commands finish. The protocol begins with `connect`.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { type Clock, pause } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import type { Settling } from '#lib/settling.ts'
import { type Admission, ConnectionCounts, type ConnectionLimits } from './admission.ts'

export interface LineConnection {
  /** Resolves when everything of it is over. */
  readonly done: Promise<void>
  /** Never rejects. */
  run(): Promise<void>
  /** The server stops: ends it now where the client is waited for, otherwise once its command is done. */
  leave(): void
  destroy(): void
}

export interface LineServerOptions {
  /** Names lines of the log and metrics. */
  readonly protocol: string
  /** Whether listeners speak TLS from the first octet on, unless `listen` says otherwise. */
  readonly implicitTls: boolean
  readonly limits: ConnectionLimits
  /** What a client is told for whom there is no room, where it does not expect TLS. */
  readonly refusal: string
  readonly connect: (
    socket: Socket,
    ip: string,
    implicitTls: boolean,
    admission: Admission,
  ) => LineConnection | Promise<LineConnection>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** Collects what many logins and goodbyes have left. */
  readonly settling?: Pick<Settling, 'worked'>
}

const ignore = (): void => {}

export class LineServer {
  readonly #options: LineServerOptions
  readonly #counts: ConnectionCounts
  readonly #listeners = new Set<Server>()
  readonly #connections = new Set<LineConnection>()
  #stopping = false

  constructor(options: LineServerOptions) {
    this.#options = options
    this.#counts = new ConnectionCounts(options.limits)
  }

  /** Returns the port, which is a free one when 0 is given. Several listeners of one server share its limits. */
  async listen(host: string, port: number, implicitTls = this.#options.implicitTls): Promise<number> {
    const { logger, protocol } = this.#options
    const listener = createServer((socket) => void this.serve(socket, implicitTls))
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject)
      listener.listen(port, host, resolve)
    })
    listener.on('error', (error) => logger.error({ error }, `${protocol} listener failed`))
    this.#listeners.add(listener)
    const address = listener.address()
    return typeof address === 'object' && address ? address.port : port
  }

  /** Serves a client that somebody else listened for; resolves when it is gone. Never rejects. */
  async serve(socket: Socket, implicitTls = this.#options.implicitTls): Promise<void> {
    try {
      await this.#accept(socket, implicitTls)
    } catch (error) {
      socket.destroy()
      this.#options.logger.error({ error: error as Error }, `${this.#options.protocol} connection failed`)
    }
  }

  async #accept(socket: Socket, implicitTls: boolean): Promise<void> {
    const { connect, metrics, protocol, refusal } = this.#options
    const ip = socket.remoteAddress
    const admission = ip === undefined ? null : this.#counts.admit(ip)
    socket.on('error', ignore)
    metrics.count(`${protocol}_connections`, { result: admission ? 'accepted' : 'refused' })
    if (!admission) {
      if (!implicitTls) socket.write(refusal)
      socket.destroySoon()
      return
    }
    this.#counted()
    try {
      const connection = await connect(socket, ip!, implicitTls, admission)
      if (this.#stopping) connection.destroy()
      this.#connections.add(connection)
      await connection.run()
      this.#connections.delete(connection)
    } finally {
      admission.leave()
      this.#counted()
    }
  }

  /** A client came or is gone. */
  #counted(): void {
    this.#options.settling?.worked()
    const label = { tls: this.#options.implicitTls ? 'implicit' : 'starttls' }
    this.#options.metrics.gauge(`${this.#options.protocol}_connections_open`, this.#counts.all, label)
  }

  /** Takes no more clients, and lets running commands finish for up to `graceMs` milliseconds. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    for (const listener of this.#listeners) listener.close()
    this.#listeners.clear()
    for (const connection of this.#connections) connection.leave()
    const over = Promise.all([...this.#connections].map((connection) => connection.done))
    const waiting = new AbortController()
    await Promise.race([over, pause(this.#options.clock, graceMs, waiting.signal).catch(() => {})])
    waiting.abort()
    for (const connection of this.#connections) connection.destroy()
    await over
  }
}
