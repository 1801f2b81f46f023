/**
 * The octets of one connection. Reading is pulled: while nobody reads, the kernel holds most of what the client sends and TCP
 * slows it down, so a pipelining client costs little memory. Each chunk is handed on as it came: a copy would leave credentials
 * behind, since only who reads a chunk knows what is to be wiped. Writing gathers small responses into one packet and waits, in `flush`,
 * for clients that read slowly.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type SecureContext, TLSSocket } from 'node:tls'
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import { overwriteStackSoon } from '#lib/stack.ts'
import { ConnectionOver } from './connection-over.ts'
import { Outgoing } from './outgoing.ts'

/** What may have come and not been read before the kernel has to hold the rest. */
const UNREAD = 32_768

export class Wire {
  #socket: Socket
  /** What is read from and written to: the socket, or what compresses over it. */
  #stream: Duplex
  readonly #clock: Clock
  /** Milliseconds that a client may leave our octets unread. */
  readonly #stall: number
  /** Not yet handed to the stream. */
  readonly #outgoing = new Outgoing((octets, written) => {
    this.sent += octets.length
    this.#stream.write(octets, written)
  })
  #over = false
  readonly #unread: Buffer[] = []
  #unreadOctets = 0
  #wakeReader: () => void = () => {}
  /** Those who wait until the client has taken what it was sent. */
  #writers: (() => void)[] = []
  received = 0
  sent = 0

  constructor(socket: Socket, clock: Clock, stall: number) {
    this.#socket = socket
    this.#stream = socket
    this.#clock = clock
    this.#stall = stall
    socket.setNoDelay(true)
    this.#listen()
  }

  get over(): boolean {
    return this.#over
  }

  #listen(): void {
    const stream = this.#stream
    const end = () => {
      if (stream === this.#stream) this.#end()
    }
    stream.on('data', this.#onData)
    stream.on('end', () => this.#wakeReader())
    stream.on('drain', () => this.#wakeWriters())
    stream.on('error', end)
    stream.on('close', end)
  }

  readonly #onData = (octets: Buffer): void => {
    this.#unread.push(octets)
    this.#unreadOctets += octets.length
    if (this.#unreadOctets >= UNREAD) this.#stream.pause()
    this.#wakeReader()
  }

  /** The next chunk that has come. */
  #take(): Buffer | null {
    const octets = this.#unread.shift()
    if (!octets) return null
    this.#unreadOctets -= octets.length
    if (this.#unreadOctets < UNREAD && this.#stream.isPaused()) this.#stream.resume()
    return octets
  }

  /** Throws away what nobody read. */
  #forget(): void {
    for (const octets of this.#unread.splice(0)) wipe(octets)
    this.#unreadOctets = 0
  }

  #end(): void {
    this.#over = true
    this.#forget()
    overwriteStackSoon()
    this.#wakeReader()
    this.#wakeWriters()
  }

  #wakeWriters(): void {
    for (const wake of this.#writers.splice(0)) wake()
  }

  /**
   * What the client has sent next; null when it is gone, 'late' when nothing came for `patience` milliseconds. One reader at
   * a time.
   */
  async read(patience: number): Promise<Buffer | null | 'late'> {
    let late = false
    for (;;) {
      if (this.#over) return null
      const octets = this.#take()
      if (octets !== null) {
        this.received += octets.length
        return octets
      }
      if (this.#stream.readableEnded) return null
      if (late) return 'late'
      using _timer = this.#clock.after(patience, () => {
        late = true
        this.#wakeReader()
      })
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve
      })
    }
  }

  /** Queues one whole response: text of one octet per character, and contents. Those of up to COPIED octets (outgoing.ts) are needed no more afterwards. */
  send(...pieces: readonly (string | Bytes)[]): void {
    if (this.#over) throw new ConnectionOver()
    for (const piece of pieces) this.#outgoing.add(piece)
  }

  /** The client has not taken what it was sent. */
  get congested(): boolean {
    return this.#stream.writableNeedDrain
  }

  /** Hands everything to the socket and waits until the client has taken enough of it. Ends a client that takes nothing. */
  async flush(): Promise<void> {
    this.#outgoing.push()
    while (!this.#over && this.#stream.writableNeedDrain) {
      const taken = this.#socket.bytesWritten - this.#socket.writableLength
      using _timer = this.#clock.after(this.#stall, () => {
        if (this.#socket.bytesWritten - this.#socket.writableLength === taken) this.destroy()
        else this.#wakeWriters()
      })
      await new Promise<void>((resolve) => {
        this.#writers.push(resolve)
      })
    }
    if (this.#over) throw new ConnectionOver()
  }

  /**
   * Server side of TLS from here on; resolves when the handshake is done. Whatever the client sent before is thrown away
   * (RFC 3501 §6.2.1; the command injection of CVE-2011-0411).
   */
  async startTls(context: SecureContext): Promise<void> {
    this.#outgoing.push()
    const plain = this.#socket
    plain.off('data', this.#onData)
    this.#forget()
    const secured = new TLSSocket(plain, { isServer: true, secureContext: context })
    this.#socket = secured
    this.#stream = secured
    this.#listen()
    await new Promise<void>((resolve, reject) => {
      const fail = () => reject(new ConnectionOver())
      secured.once('secure', resolve)
      secured.once('error', fail)
      secured.once('close', fail)
    })
  }

  get compressed(): boolean {
    return this.#stream !== this.#socket
  }

  /** Both sides compress from here on (RFC 4978 §3). Whatever the client sent before, which has to wait, is thrown away. */
  async compress(): Promise<void> {
    const { DeflateStream } = await import('./deflate-stream.ts')
    // Only now may the client hear that it can begin.
    this.#outgoing.push()
    this.#socket.off('data', this.#onData)
    this.#forget()
    this.#stream = new DeflateStream(this.#socket)
    this.#listen()
  }

  get tlsVersion(): string | null {
    return this.#socket instanceof TLSSocket ? this.#socket.getProtocol() : null
  }

  /** Says what is left to say and closes; what the client sends from now on is not read. */
  finish(): void {
    if (this.#over) return
    this.#outgoing.push()
    const socket = this.#socket
    const stream = this.#stream
    stream.end()
    const timer = this.#clock.after(this.#stall, () => socket.destroy())
    socket.once('close', () => timer[Symbol.dispose]())
    stream.off('data', this.#onData)
    stream.resume()
    this.#end()
  }

  destroy(): void {
    this.#stream.destroy()
    this.#end()
  }

  /** Resolves when the socket is closed for good. */
  async closed(): Promise<void> {
    if (this.#socket.closed) return
    await new Promise<void>((resolve) => this.#socket.once('close', () => resolve()))
  }
}
