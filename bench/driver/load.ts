/**
 * The load generator, in a process of its own so that its cost is not the server's: raw sockets, prebuilt messages, the envelope
 * pipelined. It is told what to do by its parent's messages and answers each with one `LoadDone`.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext } from 'node:tls'
import { corpus } from '../corpus.ts'

export interface Load {
  readonly host: string
  readonly port: number
  readonly connections: number
  readonly messages: number
  /** Message n goes to recipient n modulo their number. */
  readonly recipients: readonly string[]
  /** Many messages over each connection, or a new connection with STARTTLS for each message. */
  readonly style: 'persistent' | 'starttls'
}

export interface LoadDone {
  /** Milliseconds since the epoch, with fractions. */
  readonly started: number
  readonly finished: number
  readonly acknowledged: number
  /** CPU time of this process. */
  readonly cpuMs: number
  /** The first reply that was not as hoped. */
  readonly refusal: string | null
}

/** RFC 5321 §4.5.2: dots stuffed, final dot added. Ready to be written as it is. */
const wire = corpus().map((message) =>
  Buffer.from(`${message.toString('latin1').replaceAll('\r\n.', '\r\n..')}.\r\n`, 'latin1'),
)

/** Made once: reading the certificates of the system's authorities for each connection would be most of its cost. */
const secureContext = createSecureContext()

class Refused extends Error {}

/** One connection: writes, and waits for whole replies. */
class Line {
  socket: Socket
  #text = ''
  #wanted: { readonly count: number; resolve(lines: string[]): void; reject(error: Error): void } | null = null

  constructor(socket: Socket) {
    this.socket = socket
    this.#listen()
  }

  #listen(): void {
    this.socket.setNoDelay(true)
    this.socket.on('data', (chunk) => {
      this.#text += chunk.toString('latin1')
      this.#settle()
    })
    const broken = (error?: Error) => this.#wanted?.reject(error ?? new Refused('the connection was closed'))
    this.socket.on('error', broken)
    this.socket.on('close', () => broken())
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
    const answered = new Promise<string[]>((resolve, reject) => {
      this.#wanted = { count: codes.length, resolve, reject }
    })
    if (octets.length > 0) this.socket.write(octets)
    this.#settle()
    const replies = await answered
    for (const [index, code] of codes.entries()) {
      if (!replies[index]!.startsWith(code)) throw new Refused(replies[index])
    }
  }

  async startTls(): Promise<void> {
    await this.say('STARTTLS\r\n', '220')
    this.socket.removeAllListeners('data')
    // Its certificate is one of a test; what is measured is the handshake.
    this.socket = connectTls({ socket: this.socket, secureContext, rejectUnauthorized: false })
    await once(this.socket, 'secureConnect')
    this.#listen()
  }
}

async function open(load: Load): Promise<Line> {
  const socket = connect(load.port, load.host)
  await once(socket, 'connect')
  const line = new Line(socket)
  await line.say('', '220')
  await line.say('EHLO load.test\r\n', '250')
  if (load.style === 'starttls') {
    await line.startTls()
    await line.say('EHLO load.test\r\n', '250')
  }
  return line
}

/** RFC 2920 §3.1: MAIL, RCPT and DATA in one write. */
async function deliver(line: Line, recipient: string, message: Buffer): Promise<void> {
  await line.say(`MAIL FROM:<load@corpus.test>\r\nRCPT TO:<${recipient}>\r\nDATA\r\n`, '250', '250', '354')
  await line.say(message, '250')
}

async function run(load: Load): Promise<LoadDone> {
  const used = process.cpuUsage()
  let next = 0
  let acknowledged = 0
  let refusal: string | null = null
  const worker = async () => {
    let line: Line | null = null
    try {
      while (next < load.messages && refusal === null) {
        const number = next++
        line ??= await open(load)
        await deliver(line, load.recipients[number % load.recipients.length]!, wire[number % wire.length]!)
        acknowledged++
        if (load.style === 'starttls') {
          line.socket.end('QUIT\r\n')
          line = null
        }
      }
      line?.socket.end('QUIT\r\n')
    } catch (error) {
      refusal ??= String(error)
      line?.socket.destroy()
    }
  }
  const started = performance.timeOrigin + performance.now()
  await Promise.all(Array.from({ length: load.connections }, worker))
  const finished = performance.timeOrigin + performance.now()
  const { user, system } = process.cpuUsage(used)
  return { started, finished, acknowledged, cpuMs: (user + system) / 1000, refusal }
}

process.on('message', async (load: Load) => {
  process.send!(await run(load))
})
process.send!('ready')
