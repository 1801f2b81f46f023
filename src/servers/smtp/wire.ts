/**
 * One connection as lines and octets: replies are gathered into one write, reading stops while too much waits or while the
 * client does not read its replies, and nothing is waited for without a deadline. TLS can begin at any time between.
 */
import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import { COMMAND_LINE_CAP } from '#formats/smtp/command.ts'
import { formatReply, type Reply } from '#formats/smtp/reply.ts'
import type { Clock } from '#lib/clock.ts'
import { overwriteStackSoon } from '#lib/stack.ts'
import { Input } from '#servers/line/input.ts'

/** The conversation is over: the reply, if any, is the last thing said. */
export class Hangup extends Error {
  override readonly name = 'Hangup'
  readonly reply: Reply | null
  constructor(why: 'lost' | 'timeout' | 'stopping' | 'refused', last: Reply | null = null) {
    super(why)
    this.reply = last
  }
}

export interface Waiting {
  /** Milliseconds since the epoch. */
  readonly deadline: number
  /** Nothing is under way: `stop` may end the connection here. */
  readonly idle?: boolean
}

const INPUT_HIGH = 131_072
const INPUT_LOW = 65_536
const OUTPUT_HIGH = 16_384
const LINGER_MS = 5000

export class Wire {
  readonly ip: string
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>
  readonly #clock: Clock
  #socket: Socket
  readonly #input = new Input()
  #output = ''
  #paused = false
  /** Written faster than the client reads. */
  #blocked = false
  #ended = false
  #stopping = false
  #wake: (() => void) | null = null
  #timer: (Disposable & { readonly at: number }) | null = null
  #tls: { readonly version: string; readonly cipher: string } | null = null

  constructor(socket: Socket, ip: string, clock: Clock) {
    this.#socket = socket
    this.#clock = clock
    this.ip = ip
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    socket.setNoDelay(true)
    socket.on('error', this.#onEnd)
    this.#attach()
  }

  get tls(): { readonly version: string; readonly cipher: string } | null {
    return this.#tls
  }

  /** Octets that came and were not used yet. */
  get pending(): number {
    return this.#input.length
  }

  #attach(): void {
    const socket = this.#socket
    socket.on('data', this.#onData)
    socket.on('drain', this.#onDrain)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onEnd)
  }

  readonly #onData = (piece: Buffer): void => {
    this.#input.push(piece)
    if (this.#input.length > INPUT_HIGH && !this.#paused) {
      this.#paused = true
      this.#socket.pause()
    }
    this.#wake?.()
  }

  readonly #onDrain = (): void => {
    this.#blocked = false
    this.#wake?.()
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    this.#wake?.()
  }

  /** Goes out with the next wait, or when enough has gathered. */
  say(answer: Reply): void {
    this.#output += formatReply(answer)
    if (this.#output.length > OUTPUT_HIGH) this.flush()
  }

  flush(): void {
    if (this.#output === '') return
    const output = this.#output
    this.#output = ''
    if (!this.#socket.writableEnded && !this.#socket.destroyed && !this.#socket.write(output)) this.#blocked = true
  }

  /** The next line (see Input.takeLine). Throws Hangup when there is none in time, or ever. */
  async line(waiting: Waiting): Promise<Buffer | 'too-long' | 'lone-lf'> {
    for (;;) {
      const line = this.#blocked ? null : this.#input.takeLine(COMMAND_LINE_CAP)
      if (line !== null) {
        this.#readOn()
        return line
      }
      this.flush()
      await this.#more(waiting)
    }
  }

  /** The next octets, however many. Throws Hangup. */
  async octets(waiting: Waiting): Promise<Buffer> {
    for (;;) {
      const piece = this.#input.takePiece()
      if (piece) {
        this.#readOn()
        return piece
      }
      this.flush()
      await this.#more(waiting)
    }
  }

  unread(octets: Buffer): void {
    this.#input.unread(octets)
  }

  /** Whether something came before the deadline. Throws Hangup when the client went away. */
  async speaksBefore(deadline: number): Promise<boolean> {
    while (this.#input.length === 0) {
      if (this.#clock.now() >= deadline) return false
      await this.#more({ deadline }).catch((error: unknown) => {
        if (!(error instanceof Hangup && error.message === 'timeout')) throw error
      })
    }
    return true
  }

  #readOn(): void {
    if (!this.#paused || this.#input.length > INPUT_LOW) return
    this.#paused = false
    this.#socket.resume()
  }

  async #more({ deadline, idle = false }: Waiting): Promise<void> {
    if (this.#ended) throw new Hangup('lost')
    if (idle && this.#stopping) throw new Hangup('stopping')
    if (this.#clock.now() >= deadline) throw new Hangup('timeout')
    this.#arm(deadline)
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#wake = null
  }

  /** One timer serves many waits: it is set again only for an earlier deadline, and looks at the time when it rings. */
  #arm(deadline: number): void {
    if (this.#timer && this.#timer.at <= deadline) return
    this.#timer?.[Symbol.dispose]()
    const timer = this.#clock.after(deadline - this.#clock.now(), () => {
      this.#timer = null
      this.#wake?.()
    })
    this.#timer = { at: deadline, [Symbol.dispose]: () => timer[Symbol.dispose]() }
  }

  /** Ends the connection at its next idle wait. */
  stop(): void {
    this.#stopping = true
    this.#wake?.()
  }

  /**
   * The server's side of a handshake. Whatever came in clear and was not used is gone afterwards (RFC 3207 §4.2): what the
   * handshake itself reads is only ever taken as TLS. Throws Hangup when it fails.
   */
  async startTls(context: SecureContext, deadline: number): Promise<void> {
    this.flush()
    const plain = this.#socket
    plain.off('data', this.#onData).off('drain', this.#onDrain).off('end', this.#onEnd)
    this.#input.clear()
    const secured = new TLSSocket(plain, { isServer: true, secureContext: context })
    this.#socket = secured
    secured.on('error', this.#onEnd)
    // Emitted instead of `error` while the handshake is under way.
    secured.on('_tlsError', this.#onEnd)
    let done = false
    secured.once('secure', () => {
      done = true
      this.#wake?.()
    })
    this.#attach()
    while (!done) await this.#more({ deadline })
    this.#tls = { version: secured.getProtocol() ?? 'TLS', cipher: secured.getCipher().standardName }
  }

  /** Sends what is left, then ends; a client that does not end its side is cut off. */
  end(): void {
    this.flush()
    this.#timer?.[Symbol.dispose]()
    this.#input.clear()
    overwriteStackSoon()
    const socket = this.#socket
    socket.off('data', this.#onData)
    if (socket.destroyed) return
    socket.end()
    socket.resume()
    const cut = this.#clock.after(LINGER_MS, () => this.cut())
    void this.closed.then(() => cut[Symbol.dispose]())
  }

  cut(): void {
    this.#socket.destroy()
  }
}
