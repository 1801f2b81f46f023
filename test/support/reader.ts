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
    const plain = Buffer.from(`\0${login.user}\0${login.password}`).toString('base64')
    await reader.command(`AUTHENTICATE PLAIN ${plain}`)
    return reader
  }

  /** Everything received up to and with what `complete` waits for; it is shown the last thousand octets. */
  async #until(complete: (tail: string) => boolean): Promise<Buffer> {
    for (;;) {
      if (complete(this.#tail())) {
        const all = Buffer.concat(this.#received)
        this.#received = []
        return all
      }
      if (this.#broken !== null) throw this.#broken
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #tail(): string {
    let tail = ''
    for (let index = this.#received.length - 1; index >= 0 && tail.length < 1000; index--) {
      tail = this.#received[index]!.toString('latin1') + tail
    }
    return tail.slice(-1000)
  }

  /** The whole answer to a command, which may hold literals that are not waited for; throws unless it is OK. */
  async command(text: string | Buffer): Promise<Buffer> {
    const tag = `read${this.#number++}`
    this.#socket.write(Buffer.concat([Buffer.from(`${tag} `), Buffer.from(text as string), Buffer.from('\r\n')]))
    const tagged = new RegExp(`(?:^|\\r\\n)${tag} (OK|NO|BAD)[^\\r\\n]*\\r\\n$`)
    const answer = await this.#until((tail) => tagged.test(tail))
    const [line, status] = tagged.exec(answer.subarray(-1000).toString('latin1'))!
    if (status !== 'OK') throw new Error(`${text.toString().split(' ')[0]}: ${line.trim()}`)
    return answer
  }

  /** Messages in the inbox, as anybody sees them who is logged in. */
  async count(): Promise<number> {
    const answer = (await this.command('STATUS INBOX (MESSAGES)')).toString('latin1')
    const found = /\(MESSAGES (\d+)\)/.exec(answer)
    if (found === null) throw new Error(`no count in: ${answer}`)
    return Number(found[1])
  }

  /** Messages of a mailbox, whole, by a sequence set such as "1:*"; nothing is marked as seen. */
  async fetch(numbers: string, mailbox = 'INBOX'): Promise<Buffer[]> {
    const opened = (await this.command(`EXAMINE "${mailbox}"`)).toString('latin1')
    if (/^\* 0 EXISTS\r$/m.test(opened)) return []
    return literalsOf(await this.command(`FETCH ${numbers} BODY.PEEK[]`))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#broken !== null) return
    // Not `once`, which would throw where the server is quicker in closing than we are in reading.
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()))
    this.#socket.end('bye LOGOUT\r\n')
    await closed
  }
}

/** RFC 3501 §4.3: `{n}`, CRLF, n octets. */
function literalsOf(answer: Buffer): Buffer[] {
  const literals: Buffer[] = []
  let at = 0
  for (;;) {
    const open = answer.indexOf('{', at)
    if (open === -1) return literals
    const head = /^\{(\d+)\}\r\n/.exec(answer.subarray(open, open + 20).toString('latin1'))
    if (head === null) {
      at = open + 1
      continue
    }
    const start = open + head[0].length
    at = start + Number(head[1])
    literals.push(answer.subarray(start, at))
  }
}
