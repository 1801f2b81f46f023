/** An IMAP client that counts and fetches: one TLS connection, logged in, one command at a time. */
import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'

export interface Login {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
}

export class Reader implements AsyncDisposable {
  readonly #socket: TLSSocket
  #received: Buffer[] = []
  #wake: (() => void) | null = null
  #broken: Error | null = null
  #number = 0

  private constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk)
      this.#wake?.()
    })
    const broken = (error: Error) => {
      this.#broken ??= error
      this.#wake?.()
    }
    socket.on('error', broken)
    socket.on('close', () => broken(new Error('the IMAP server closed the connection')))
  }

  static async login(login: Login): Promise<Reader> {
    // Its certificate is one of a test.
    const socket = connect({ host: login.host, port: login.port, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const reader = new Reader(socket)
    await reader.#until((text) => text.includes('\r\n'))
    await reader.command(`LOGIN "${login.user}" "${login.password}"`)
    return reader
  }

  /** Everything received up to and with what `complete` waits for. */
  async #until(complete: (text: string) => boolean): Promise<Buffer> {
    for (;;) {
      const all = Buffer.concat(this.#received)
      if (complete(all.toString('latin1'))) {
        this.#received = []
        return all
      }
      if (this.#broken !== null) throw this.#broken
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** The whole answer to a command; throws unless it is OK. */
  async command(text: string): Promise<Buffer> {
    const tag = `read${this.#number++}`
    this.#socket.write(`${tag} ${text}\r\n`)
    const tagged = new RegExp(`(?:^|\\r\\n)${tag} (OK|NO|BAD)[^\\r\\n]*\\r\\n$`)
    const answer = await this.#until((received) => tagged.test(received.slice(-1000)))
    const [line, status] = tagged.exec(answer.subarray(-1000).toString('latin1'))!
    if (status !== 'OK') throw new Error(`${text.split(' ')[0]}: ${line.trim()}`)
    return answer
  }

  /** Messages in the inbox, as anybody sees them who is logged in. */
  async count(): Promise<number> {
    const answer = (await this.command('STATUS INBOX (MESSAGES)')).toString('latin1')
    const found = /\(MESSAGES (\d+)\)/.exec(answer)
    if (found === null) throw new Error(`no count in: ${answer}`)
    return Number(found[1])
  }

  /** The octets of one message, by its number in the inbox. */
  async fetch(number: number): Promise<Buffer> {
    await this.command('EXAMINE INBOX')
    const answer = await this.command(`FETCH ${number} BODY.PEEK[]`)
    const literal = /\{(\d+)\}\r\n/.exec(answer.subarray(0, 1000).toString('latin1'))
    if (literal === null) throw new Error('no literal in the answer to FETCH')
    const start = literal.index + literal[0].length
    return answer.subarray(start, start + Number(literal[1]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#broken !== null) return
    const closed = once(this.#socket, 'close')
    this.#socket.end('bye LOGOUT\r\n')
    await closed
  }
}
