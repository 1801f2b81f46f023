/** Listens for servers that run in other processes: admits clients, and gives them on before an octet is read. */
import { createServer, type Server, type Socket } from 'node:net'
import type { Logger } from '#lib/log.ts'
import { ConnectionCounts } from './admission.ts'

export interface ReceptionOptions {
  readonly limits: { readonly connections: number; readonly connectionsPerAddress: number }
  /** What a client is told for whom there is no room; null: nothing, it expects TLS. */
  readonly refusal: string | null
  /** Has the client served; `left` is called when it is gone. */
  readonly give: (socket: Socket, left: () => void) => void
  readonly logger: Logger
}

export class Reception {
  readonly #options: ReceptionOptions
  readonly #counts: ConnectionCounts
  #listener: Server | null = null

  constructor(options: ReceptionOptions) {
    this.#options = options
    // Who logged in, and as whom, is known where they are served.
    const elsewhere = { connectionsBeforeLogin: Number.POSITIVE_INFINITY, connectionsPerAccount: 0 }
    this.#counts = new ConnectionCounts({ ...options.limits, ...elsewhere })
  }

  /** Answers the port, which is a free one when 0 is given. */
  async listen(host: string, port: number): Promise<number> {
    const listener = createServer({ pauseOnConnect: true }, (socket) => this.#receive(socket))
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject)
      listener.listen(port, host, resolve)
    })
    listener.on('error', (error) => this.#options.logger.error({ error }, 'listener failed'))
    this.#listener = listener
    const address = listener.address()
    return typeof address === 'object' && address ? address.port : port
  }

  #receive(socket: Socket): void {
    const { refusal, give } = this.#options
    const admission = socket.remoteAddress === undefined ? null : this.#counts.admit(socket.remoteAddress)
    socket.on('error', () => {})
    if (admission) {
      give(socket, admission.leave)
      return
    }
    if (refusal !== null) socket.write(refusal)
    socket.resume()
    socket.destroySoon()
  }

  async stop(): Promise<void> {
    this.#listener?.close()
    this.#listener = null
  }
}
