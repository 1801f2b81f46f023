/** A bare SMTP client line for load and crash tests: cheap, and exact about what was acknowledged and what was not. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext } from 'node:tls'

/** Made once: reading the certificates of the system's authorities for each connection would be most of its cost. */
const secureContext = createSecureContext()

/** A reply that was not the hoped one, or an end of the connection. */
export class Refused extends Error {}

/** One connection: writes, and waits for whole replies. */
export class SmtpLine {
  #socket: Socket
  #text = ''
  #broken: Error | null = null
  #wanted: { readonly count: number; resolve(lines: string[]): void; reject(error: Error): void } | null = null

  constructor(socket: Socket) {
    this.#socket = socket
    this.#listen()
  }

  #listen(): void {
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (chunk) => {
      this.#text += chunk.toString('latin1')
      this.#settle()
    })
    const broken = (error?: Error) => {
      this.#broken ??= error ?? new Refused('the connection was closed')
      this.#wanted?.reject(this.#broken)
    }
    this.#socket.on('error', broken)
    this.#socket.on('close', () => broken())
  }

  /** Final lines of replies: the fourth character is a space (RFC 5321 §4.2.1). */
  #settle(): void {
    if (this.#wanted === null) return
    const finals: string[] = []
    let at = 0
    while (finals.length < this.#wanted.count) {
      const end = this.#text.indexOf('\r\n', at)
      if (end === -1) return
      if (this.#text[at + 3] !== '-') finals.push(this.#text.slice(at, end))
      at = end + 2
    }
    this.#text = this.#text.slice(at)
    const { resolve } = this.#wanted
    this.#wanted = null
    resolve(finals)
  }

  /** Writes and waits for as many replies; each must begin with its code. */
  async say(octets: string | Buffer, ...codes: readonly string[]): Promise<void> {
    if (this.#broken !== null) throw this.#broken
    const answered = new Promise<string[]>((resolve, reject) => {
      this.#wanted = { count: codes.length, resolve, reject }
    })
    if (octets.length > 0) this.#socket.write(octets)
    this.#settle()
    const replies = await answered
    for (const [index, code] of codes.entries()) {
      if (!replies[index]!.startsWith(code)) throw new Refused(replies[index])
    }
  }

  async startTls(): Promise<void> {
    await this.say('STARTTLS\r\n', '220')
    this.#socket.removeAllListeners('data')
    // Its certificate is one of a test; what is measured is the handshake.
    this.#socket = connectTls({ socket: this.#socket, secureContext, rejectUnauthorized: false })
    await once(this.#socket, 'secureConnect')
    this.#listen()
  }

  /** RFC 4616 */
  async logIn({ address, password }: { readonly address: string; readonly password: string }): Promise<void> {
    await this.say(`AUTH PLAIN ${Buffer.from(`\0${address}\0${password}`).toString('base64')}\r\n`, '235')
  }

  /** Says good-bye and waits for no answer. */
  end(): void {
    this.#socket.end('QUIT\r\n')
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

export async function openLine(host: string, port: number): Promise<SmtpLine> {
  const socket = connect(port, host)
  await once(socket, 'connect')
  return new SmtpLine(socket)
}

/** RFC 5321 §4.5.2: dots stuffed, the final dot added. The message must end with CRLF. */
export function dotStuffed(message: Buffer): Buffer {
  const stuffed = message.toString('latin1').replaceAll('\r\n.', '\r\n..')
  return Buffer.from(`${stuffed.startsWith('.') ? '.' : ''}${stuffed}.\r\n`, 'latin1')
}
