/**
 * One SMTP connection seen from the client: octets out, replies in, in order, each with its own deadline. What belongs in
 * which reply is the caller's to know.
 */
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import type { Reply } from '#formats/smtp/reply.ts'
import { ReplyReader } from '#formats/smtp/reply-reader.ts'
import type { Clock } from '#lib/clock.ts'

/** The connection is of no use any more; the message says why, in words for a sender. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

export interface Target {
  readonly ip: string
  readonly port: number
  /** Our end. */
  readonly localAddress?: string | undefined
  /** TLS from the first octet on (RFC 8314 §3.3). */
  readonly implicitTls?: ConnectionOptions | undefined
}

interface Waiter {
  readonly resolve: (answer: Reply) => void
  readonly reject: (error: Error) => void
}

/** Replies that nobody asked for; a server that sends more is talking to itself. */
const UNASKED = 100
const CHUNK = 262_144

export class SmtpClient implements Disposable {
  readonly #clock: Clock
  #socket: Socket
  #reader = new ReplyReader()
  readonly #replies: Reply[] = []
  #waiter: Waiter | null = null
  #lost: ConnectionLost | null = null
  #onEvent: (() => void) | null = null

  private constructor(socket: Socket, clock: Clock) {
    this.#socket = socket
    this.#clock = clock
    this.#listen()
  }

  /** Rejects with ConnectionLost; after `timeout` milliseconds too, and when the signal comes. */
  static async connect(target: Target, clock: Clock, timeout: number, signal: AbortSignal): Promise<SmtpClient> {
    const { ip, port, localAddress, implicitTls } = target
    const options = { host: ip, port, ...(localAddress === undefined ? {} : { localAddress }) }
    const socket = implicitTls ? connectTls({ ...options, ...implicitTls }) : connect(options)
    socket.setNoDelay(true)
    const client = new SmtpClient(socket, clock)
    using _ = client.cutOn(signal)
    await client.#until(implicitTls ? 'secureConnect' : 'connect', timeout)
    return client
  }

  /** Set while TLS is spoken. */
  get tls(): TLSSocket | null {
    return 'encrypted' in this.#socket ? (this.#socket as TLSSocket) : null
  }

  get lost(): ConnectionLost | null {
    return this.#lost
  }

  /** Ends the connection when the signal comes, until disposed. */
  cutOn(signal: AbortSignal): Disposable {
    const cut = () => this.#lose('cut off')
    if (signal.aborted) cut()
    signal.addEventListener('abort', cut, { once: true })
    return { [Symbol.dispose]: () => signal.removeEventListener('abort', cut) }
  }

  /** Calls back at the first reply that nobody asked for, or at the loss of the connection: what ends an idle one. */
  onDisturbance(callback: (() => void) | null): void {
    this.#onEvent = callback
  }

  /** The next reply in order. Rejects with ConnectionLost, also when it takes longer than `timeout` milliseconds. */
  async reply(timeout: number): Promise<Reply> {
    const ready = this.#replies.shift()
    if (ready) return ready
    if (this.#lost) throw this.#lost
    using _ = this.#clock.after(timeout, () => this.#lose('the server did not answer in time'))
    return await new Promise<Reply>((resolve, reject) => {
      this.#waiter = { resolve, reject }
    })
  }

  /** A reply that came unasked, as a server sends before it closes. */
  early(): Reply | null {
    return this.#replies.shift() ?? null
  }

  write(octets: Uint8Array | string): void {
    if (!this.#lost) this.#socket.write(octets)
  }

  /** Writes the pieces in order; no CHUNK of them may take longer than `timeout` milliseconds. false: stopped at an early reply. */
  async writeAll(pieces: readonly Uint8Array[], timeout: number): Promise<boolean> {
    let batch: Uint8Array[] = []
    let size = 0
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; at += CHUNK) {
        const part = piece.subarray(at, at + CHUNK)
        if (size + part.length > CHUNK) {
          if (this.#replies.length > 0) return false
          await this.#flush(batch, timeout)
          batch = []
          size = 0
        }
        batch.push(part)
        size += part.length
      }
    }
    if (this.#replies.length > 0) return false
    await this.#flush(batch, timeout)
    return true
  }

  async #flush(pieces: readonly Uint8Array[], timeout: number): Promise<void> {
    if (this.#lost) throw this.#lost
    using _ = this.#clock.after(timeout, () => this.#lose('the server stopped reading'))
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error | null) => (error ? reject(this.#lose(wordsFor(error))) : resolve())
      this.#socket.cork()
      for (const [at, piece] of pieces.entries()) {
        if (at === pieces.length - 1) this.#socket.write(piece, done)
        else this.#socket.write(piece)
      }
      this.#socket.uncork()
    })
  }

  /** After the server's 220 to STARTTLS. Whatever came in clear before the handshake is thrown away (RFC 3207 §4.2). */
  async startTls(options: ConnectionOptions, timeout: number): Promise<void> {
    const clear = this.#socket
    clear
      .removeAllListeners('data')
      .removeAllListeners('error')
      .on('error', () => {})
    this.#reader = new ReplyReader()
    this.#replies.length = 0
    this.#socket = connectTls({ ...options, socket: clear })
    this.#listen()
    await this.#until('secureConnect', timeout)
  }

  /** Says QUIT and goes, without waiting for the answer (RFC 5321 §4.1.1.10 would have us wait; nothing depends on it). */
  quit(): void {
    if (!this.#lost) this.#socket.end('QUIT\r\n')
    this.#clock.after(2000, () => this[Symbol.dispose]())
  }

  [Symbol.dispose](): void {
    this.#lose('closed')
  }

  #until(event: 'connect' | 'secureConnect', timeout: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(timeout, () => this.#lose('the server did not answer in time'))
      this.#waiter = { resolve: () => {}, reject }
      this.#socket.once(event, () => {
        this.#waiter = null
        resolve()
      })
      this.#socket.once('close', () => timer[Symbol.dispose]())
      this.#socket.once(event, () => timer[Symbol.dispose]())
      if (this.#lost) reject(this.#lost)
    })
  }

  #listen(): void {
    this.#socket.on('data', (octets: Buffer) => this.#receive(octets))
    this.#socket.on('error', (error) => this.#lose(wordsFor(error)))
    this.#socket.on('close', () => this.#lose('the server closed the connection'))
  }

  #receive(octets: Buffer): void {
    let replies: Reply[]
    try {
      replies = this.#reader.push(octets)
    } catch {
      this.#lose('the server does not speak SMTP')
      return
    }
    for (const answer of replies) {
      if (this.#waiter) {
        this.#waiter.resolve(answer)
        this.#waiter = null
      } else if (this.#replies.length < UNASKED) this.#replies.push(answer)
      else this.#lose('the server sends more replies than there were commands')
    }
    if (this.#replies.length > 0) this.#onEvent?.()
  }

  #lose(why: string): ConnectionLost {
    if (this.#lost) return this.#lost
    this.#lost = new ConnectionLost(why)
    this.#socket.destroy()
    this.#waiter?.reject(this.#lost)
    this.#waiter = null
    this.#onEvent?.()
    return this.#lost
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by the server',
  EPIPE: 'connection closed by the server',
  ETIMEDOUT: 'connection timed out',
  EHOSTUNREACH: 'no route to the server',
  ENETUNREACH: 'no route to the network of the server',
}

function wordsFor(error: Error): string {
  const { code } = error as NodeJS.ErrnoException
  return (code && WORDS[code]) ?? `connection failed (${code ?? error.name})`
}
