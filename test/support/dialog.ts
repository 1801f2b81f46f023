/**
 * Dialogs: transcripts of a line protocol that a mail admin can read, played over a real socket.
 *
 *     await using talk = await connectDialog({ port })
 *     await talk.play(`
 *       S: 220 mx.alpha.test ESMTP…
 *       C: EHLO client.test
 *       S: 250-mx.alpha.test…
 *       S: ...
 *       S: 250 …
 *       C: STARTTLS
 *       S: 220 2.0.0 …
 *       TLS
 *       C: QUIT
 *       S: 221 …
 *       CLOSED
 *     `)
 *
 * One step per line, indentation and empty lines ignored:
 *   C: text      the client sends text and CRLF; adjacent C lines travel in one write (pipelined)
 *   C> text      the client sends exactly text, with \r \n \t \0 \\ and \xHH escapes, and no CRLF of its own
 *   S: text      the server must send this line; `…` matches any run of characters in it, even none
 *   S: ...       any number of lines, up to the one that the next S line matches
 *   TLS          both sides start TLS now; the handshake must succeed
 *   SILENCE      the server has sent nothing more so far (what is on its way is not waited for)
 *   CLOSED       the server must end the connection, having sent nothing else
 *   CLOSE        the client ends its side
 *   # text       a remark
 * `play` answers the lines that the server sent. A mismatch shows the transcript up to the place where it went wrong.
 */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

export interface DialogOptions {
  readonly port: number
  readonly host?: string
  /** The client's own address, for limits that count per address. */
  readonly localAddress?: string
  /** TLS from the first octet on. */
  readonly tls?: boolean
  /** For the TLS step and for `tls`; the certificate is not checked unless `ca` is given. */
  readonly tlsOptions?: ConnectionOptions
  /** How long one line may take, in milliseconds. */
  readonly patience?: number
}

export interface Dialog extends AsyncDisposable {
  play(transcript: string): Promise<readonly string[]>
  /** Sends octets as they are, for what a transcript cannot show. */
  send(octets: Uint8Array | string): void
  /** The next line of the server without its CRLF, octets as latin1; null at the end of the connection. */
  line(): Promise<string | null>
  startTls(): Promise<void>
  /** Resolves when the connection is over, in whatever way; what comes until then is not kept. */
  closed(): Promise<void>
  readonly socket: Socket
}

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' }

/** Octets of a `C>` step: UTF-8 text with escapes. */
function unescaped(text: string): Buffer {
  const chunks: Buffer[] = []
  for (const [, plain, hex, letter] of text.matchAll(/([^\\]+)|\\x([0-9a-fA-F]{2})|\\(.)/g)) {
    if (plain !== undefined) chunks.push(Buffer.from(plain))
    else if (hex !== undefined) chunks.push(Buffer.from(hex, 'hex'))
    else chunks.push(Buffer.from(ESCAPES[letter!] ?? assert.fail(`unknown escape \\${letter}`)))
  }
  return Buffer.concat(chunks)
}

function matches(pattern: string, line: string): boolean {
  const [first, ...rest] = pattern.split('…') as [string, ...string[]]
  if (rest.length === 0) return line === first
  if (!line.startsWith(first)) return false
  const last = rest.pop()!
  let at = first.length
  for (const piece of rest) {
    const found = line.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  return line.length - last.length >= at && line.endsWith(last)
}

class SocketDialog implements Dialog {
  socket: Socket
  readonly #options: DialogOptions
  #received = Buffer.alloc(0)
  #ended = false
  #wake: () => void = () => {}
  #played: string[] = []

  constructor(socket: Socket, options: DialogOptions) {
    this.socket = socket
    this.#options = options
    this.#listen()
  }

  #listen(): void {
    const { socket } = this
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    const end = () => {
      if (socket !== this.socket) return
      this.#ended = true
      this.#wake()
    }
    socket.on('end', end)
    socket.on('close', end)
    socket.on('error', end)
  }

  send(octets: Uint8Array | string): void {
    this.socket.write(octets)
  }

  async line(): Promise<string | null> {
    for (;;) {
      const end = this.#received.indexOf('\r\n')
      if (end >= 0) {
        const line = this.#received.toString('utf8', 0, end)
        this.#received = this.#received.subarray(end + 2)
        return line
      }
      if (this.#ended) {
        if (this.#received.length > 0) this.#fail(`the server ended within a line: ${this.#received}`)
        return null
      }
      await this.#more()
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new assert.AssertionError({ message: this.#told('the server said nothing more in time') }))
      }, this.#options.patience ?? 60_000)
      this.#wake = () => {
        clearTimeout(timer)
        this.#wake = () => {}
        resolve()
      }
    })
  }

  async startTls(): Promise<void> {
    if (this.#received.length > 0) this.#fail(`sent before the handshake: ${this.#received}`)
    const plain = this.socket
    plain.removeAllListeners('data')
    const options = this.#options.tlsOptions ?? {}
    const secured = connectTls({ rejectUnauthorized: options.ca !== undefined, ...options, socket: plain })
    this.socket = secured
    await new Promise<void>((resolve, reject) => {
      secured.once('secureConnect', resolve)
      secured.once('error', reject)
      secured.once('close', () => reject(new Error('closed during the handshake')))
    })
    this.#listen()
  }

  async play(transcript: string): Promise<readonly string[]> {
    const lines: string[] = []
    const steps = transcript
      .split('\n')
      .map((line) => line.trimStart())
      .filter((line) => line !== '' && !line.startsWith('#'))
    for (let at = 0; at < steps.length; at++) {
      const step = steps[at]!
      if (step.startsWith('C: ') || step.startsWith('C> ') || step === 'C:') {
        const octets: Buffer[] = []
        while (steps[at]?.startsWith('C')) {
          if (!/^C(: |> |:$)/.test(steps[at]!)) break
          octets.push(this.#clientStep(steps[at++]!))
        }
        at--
        this.send(Buffer.concat(octets))
      } else if (step === 'S: ...') lines.push(...(await this.#skipTo(steps[++at])))
      else if (step.startsWith('S: ')) lines.push(await this.#expect(step.slice(3)))
      else await this.#control(step)
    }
    return lines
  }

  #clientStep(step: string): Buffer {
    this.#played.push(step)
    return step.startsWith('C> ') ? unescaped(step.slice(3)) : Buffer.from(`${step.slice(3)}\r\n`)
  }

  async #expect(pattern: string): Promise<string> {
    const line = await this.line()
    if (line === null) this.#fail(`the server closed the connection, expected: ${pattern}`)
    if (!matches(pattern, line)) this.#fail(`expected S: ${pattern}\n     got S: ${line}`)
    this.#played.push(`S: ${line}`)
    return line
  }

  async #skipTo(step: string | undefined): Promise<string[]> {
    if (!step?.startsWith('S: ')) throw new Error('"S: ..." needs an S line after it')
    const lines: string[] = []
    for (;;) {
      const line = await this.line()
      if (line === null) this.#fail(`the server closed the connection, expected in the end: ${step}`)
      this.#played.push(`S: ${line}`)
      lines.push(line)
      if (matches(step.slice(3), line)) return lines
    }
  }

  async #control(step: string): Promise<void> {
    this.#played.push(step)
    if (step === 'TLS') await this.startTls()
    else if (step === 'CLOSE') this.socket.end()
    else if (step === 'SILENCE') {
      if (this.#received.length > 0) this.#fail(`expected nothing, got: ${this.#received}`)
    } else if (step === 'CLOSED') {
      const line = await this.line()
      if (line !== null) this.#fail(`expected the end of the connection, got: ${line}`)
    } else throw new Error(`not a step of a dialog: ${step}`)
  }

  #told(what: string): string {
    return `${what}\nafter:\n${this.#played.slice(-30).join('\n')}`
  }

  #fail(what: string): never {
    assert.fail(this.#told(what))
  }

  async closed(): Promise<void> {
    // A stream that nobody reads does not end. Not `once`, which would throw when the server resets the connection.
    this.socket.resume()
    if (!this.socket.closed) await new Promise((resolve) => this.socket.once('close', resolve))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy()
    await this.closed()
  }
}

/** Connects; the first step of the first transcript is usually the server's greeting. */
export async function connectDialog(options: DialogOptions): Promise<Dialog> {
  const { port, host = '127.0.0.1', localAddress } = options
  const socket = connect({ port, host, ...(localAddress ? { localAddress } : {}) })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  const dialog = new SocketDialog(socket, options)
  if (options.tls) await dialog.startTls()
  return dialog
}

/** Connects, plays one transcript, and closes. */
export async function playDialog(options: DialogOptions, transcript: string): Promise<readonly string[]> {
  await using dialog = await connectDialog(options)
  return await dialog.play(transcript)
}
