/**
 * An IMAP connection that counts what comes and keeps nothing of it, so that the server is what is measured: octets inside literals
 * are skipped, not looked at.
 */
import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'

interface Login {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
}

/** What came in answer to a command. */
export interface Counted {
  /** Untagged FETCH responses. */
  readonly fetched: number
  readonly literals: number
  /** Octets inside them. */
  readonly literalOctets: number
  /** The last untagged EXISTS. */
  readonly exists: number
}

const LF = 10

export class ImapLine implements AsyncDisposable {
  readonly #socket: TLSSocket
  #counted = { fetched: 0, literals: 0, literalOctets: 0, exists: 0 }
  /** Of the literal that is under way. */
  #left = 0
  /** A line that has not ended yet. */
  #line: Buffer[] = []
  /** A literal belongs to the response before it: what follows is no new one. */
  #continues = false
  #tag = 0
  #waiting = new Map<string, PromiseWithResolvers<void>>()

  private constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    const fail = (error: Error) => {
      for (const one of this.#waiting.values()) one.reject(error)
    }
    socket.on('error', fail)
    socket.on('close', () => fail(new Error('the IMAP server closed the connection')))
  }

  static async login({ host, port, user, password }: Login): Promise<ImapLine> {
    // Its certificate is one of a test.
    const socket = connect({ host, port, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const line = new ImapLine(socket)
    await line.command(`AUTHENTICATE PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`)
    return line
  }

  async command(text: string): Promise<Counted> {
    return this.pipeline([text])
  }

  /** All in one write, answered in whatever time it takes; what came in answer to all of them. */
  async pipeline(commands: readonly string[]): Promise<Counted> {
    this.#counted = { fetched: 0, literals: 0, literalOctets: 0, exists: 0 }
    const tags = commands.map(() => `b${++this.#tag}`)
    const done = tags.map((tag) => {
      const waiting = Promise.withResolvers<void>()
      this.#waiting.set(tag, waiting)
      return waiting.promise
    })
    this.#socket.write(commands.map((text, index) => `${tags[index]} ${text}\r\n`).join(''))
    await Promise.all(done)
    return { ...this.#counted }
  }

  #take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, chunk.length - at)
        this.#left -= skipped
        at += skipped
        continue
      }
      const end = chunk.indexOf(LF, at)
      if (end === -1) {
        this.#line.push(chunk.subarray(at))
        return
      }
      const rest = chunk.subarray(at, end)
      this.#hear(this.#line.length > 0 ? Buffer.concat([...this.#line.splice(0), rest]) : rest)
      at = end + 1
    }
  }

  /** A line without its LF. */
  #hear(line: Buffer): void {
    const size = line.length
    const isUntagged = line[0] === 0x2a && !this.#continues
    this.#continues = line[size - 2] === 0x7d
    if (this.#continues) {
      const open = line.lastIndexOf(0x7b)
      this.#left = Number(line.toString('latin1', open + 1, size - 2).replace('+', ''))
      this.#counted.literals++
      this.#counted.literalOctets += this.#left
    }
    if (isUntagged) this.#untagged(line.toString('latin1', 0, 40))
    else if (line[0] === 0x62) this.#tagged(line.toString('latin1', 0, 200))
  }

  #untagged(start: string): void {
    const [, number, word] = start.split(' ', 3)
    if (word === 'FETCH') this.#counted.fetched++
    else if (word?.startsWith('EXISTS')) this.#counted.exists = Number(number)
  }

  #tagged(line: string): void {
    const [tag, status] = line.split(' ', 2)
    const waiting = this.#waiting.get(tag!)
    if (!waiting) return
    this.#waiting.delete(tag!)
    if (status === 'OK') waiting.resolve()
    else waiting.reject(new Error(line.trim()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#socket, 'close')
    this.#socket.end('bye LOGOUT\r\n')
    await closed
  }
}
