/**
 * COMPRESS=DEFLATE (RFC 4978): raw deflate in both directions over a socket. What is written together is flushed together, so that
 * a client always has all that was said; what comes in is inflated only as fast as it is read, so that a few octets
 * which stand for many cost no memory.
 */
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { constants, createDeflateRaw, createInflateRaw, type DeflateRaw, type InflateRaw } from 'node:zlib'

/** The window and tables of an idle session are 32 kB, and inflating needs 40 more: the client may use the largest window. */
const DEFLATE = { windowBits: 12, memLevel: 5, level: 3, chunkSize: 8192 }
/** A client that hangs up need not say that the stream ends. */
const INFLATE = { chunkSize: 4096, finishFlush: constants.Z_SYNC_FLUSH }

export class DeflateStream extends Duplex {
  readonly #socket: Socket
  readonly #deflate: DeflateRaw = createDeflateRaw(DEFLATE)
  readonly #inflate: InflateRaw = createInflateRaw(INFLATE)

  /** Nobody else reads from the socket or writes to it any more. */
  constructor(socket: Socket) {
    super({ allowHalfOpen: true, autoDestroy: true })
    this.#socket = socket
    const fail = (error?: Error) => this.destroy(error)
    this.#inflate.on('data', (octets: Buffer) => {
      if (!this.push(octets)) this.#inflate.pause()
    })
    this.#inflate.on('end', () => this.push(null))
    for (const one of [socket, this.#inflate, this.#deflate]) one.on('error', fail)
    socket.on('close', () => fail())
    socket.pipe(this.#inflate)
    this.#deflate.pipe(socket)
  }

  override _read(): void {
    this.#inflate.resume()
  }

  override _write(octets: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#deflate.write(octets)
    this.#flush(done)
  }

  override _writev(chunks: { readonly chunk: Buffer }[], done: (error?: Error | null) => void): void {
    for (const { chunk } of chunks) this.#deflate.write(chunk)
    this.#flush(done)
  }

  #flush(done: () => void): void {
    this.#deflate.flush(constants.Z_SYNC_FLUSH, () => done())
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.once('finish', () => done())
    this.#deflate.end()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy()
    this.#inflate.destroy()
    this.#deflate.destroy()
    done(error)
  }
}
