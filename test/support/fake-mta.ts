/**
 * A scripted SMTP server for tests of our client side: takes everything with 250 unless the test says otherwise, and remembers
 * what was said and sent. It is a few lines of protocol, not a server: it checks nothing.
 */
import { EventEmitter, once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'

export interface FakeMtaOptions {
  /** Keywords after EHLO; `[]` for a server that knows HELO only. Default: PIPELINING, 8BITMIME, ENHANCEDSTATUSCODES. */
  readonly keywords?: readonly string[]
  readonly greeting?: string
  readonly hostname?: string
  readonly host?: string
  readonly port?: number
  /** Offers STARTTLS with this certificate; `broken` answers 220 and then no handshake. */
  readonly tls?: { readonly key: string; readonly cert: string } | 'broken'
  /** TLS from the first octet. */
  readonly implicitTls?: boolean
  /**
   * What to answer to a command line, or, with `.`, to the message: reply lines without CRLF, `close` to break the connection,
   * `silence` for none, undefined for the usual answer.
   */
  readonly answer?: (line: string, connection: number) => string | 'close' | 'silence' | undefined
  /** Said once at the first octets of a message, which is read on. */
  readonly early?: string
}

export interface TakenMessage {
  readonly commands: readonly string[]
  /** Dot-unstuffed. */
  readonly content: string
  readonly tls: boolean
}

export interface FakeMta extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** Every command line of every connection, in order. */
  readonly said: readonly string[]
  readonly messages: readonly TakenMessage[]
  readonly connections: number
  /** Resolves once so many messages were taken. */
  taken(messages: number): Promise<void>
  /** Ends all connections from this side. */
  hangUp(): void
}

interface State {
  readonly number: number
  buffer: Buffer
  commands: string[]
  inData: boolean
  wasEarly: boolean
  anyRecipient: boolean
  tls: boolean
}

export async function startFakeMta(options: FakeMtaOptions = {}): Promise<FakeMta> {
  const {
    keywords = ['PIPELINING', '8BITMIME', 'ENHANCEDSTATUSCODES'],
    host = '127.0.0.1',
    hostname = 'mta.test',
  } = options
  const said: string[] = []
  const messages: TakenMessage[] = []
  const sockets = new Set<Socket>()
  const events = new EventEmitter()
  let connections = 0

  const ehlo = (state: State) => {
    const offered = [...keywords, ...(options.tls && !state.tls ? ['STARTTLS'] : [])]
    return [hostname, ...offered].map((line, at) => `250${at === offered.length ? ' ' : '-'}${line}`).join('\r\n')
  }

  const usual = (line: string, state: State): string => {
    const verb = line.slice(0, 4).toUpperCase()
    if (verb === 'EHLO') return keywords.length === 0 && !options.tls ? '502 5.5.1 what?' : ehlo(state)
    if (verb === 'HELO') return `250 ${hostname}`
    if (verb === 'DATA') return state.anyRecipient ? '354 go on' : '554 5.5.1 no valid recipients'
    if (verb === 'QUIT') return '221 2.0.0 bye'
    if (verb === 'STAR') return '220 2.0.0 go on'
    return '250 2.0.0 ok'
  }

  const command = (socket: Socket, state: State, line: string): void => {
    said.push(line)
    const answer = options.answer?.(line, state.number) ?? usual(line, state)
    if (answer === 'close') return void socket.destroy()
    if (answer !== 'silence') socket.write(`${answer}\r\n`)
    const verb = line.slice(0, 4).toUpperCase()
    if (verb === 'RCPT' && answer.startsWith('2')) state.anyRecipient = true
    if (verb === 'MAIL' || verb === 'RSET') Object.assign(state, { commands: [], anyRecipient: false })
    state.commands.push(line)
    if (verb === 'DATA' && answer.startsWith('354')) state.inData = true
    if (verb === 'QUIT') socket.end()
    if (verb === 'STAR' && answer.startsWith('220')) upgrade(socket, state)
  }

  const upgrade = (socket: Socket, state: State): void => {
    socket.removeAllListeners('data')
    if (options.tls === 'broken' || !options.tls) {
      socket.once('data', () => socket.write('this is no handshake\r\n'))
      return
    }
    const secured = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(options.tls) })
    serve(secured, { ...fresh(state.number), tls: true })
  }

  const feed = (socket: Socket, state: State, octets: Buffer): void => {
    state.buffer = Buffer.concat([state.buffer, octets])
    if (state.inData && options.early !== undefined && !state.wasEarly) {
      state.wasEarly = true
      socket.write(`${options.early}\r\n`)
    }
    for (;;) {
      const mark = state.inData ? '\r\n.\r\n' : '\r\n'
      // An empty message is the dot alone.
      const alone = state.inData && state.buffer.subarray(0, 3).toString() === '.\r\n'
      const end = alone ? 0 : state.buffer.indexOf(mark)
      if (end < 0 || socket.destroyed) return
      const text = state.buffer.toString('latin1', 0, state.inData && !alone ? end + 2 : end)
      state.buffer = state.buffer.subarray(alone ? 3 : end + mark.length)
      if (!state.inData) {
        const upgrades = /^starttls$/i.test(text)
        command(socket, state, text)
        if (upgrades) return
        continue
      }
      state.inData = false
      const answer = options.answer?.('.', state.number) ?? '250 2.0.0 taken'
      if (answer === 'close') return void socket.destroy()
      if (answer !== 'silence') socket.write(`${answer}\r\n`)
      if (!answer.startsWith('2')) continue
      messages.push({ commands: state.commands, content: text.replace(/^\./gm, ''), tls: state.tls })
      events.emit('message')
    }
  }

  const serve = (socket: Socket, state: State): void => {
    socket.on('data', (octets: Buffer) => feed(socket, state, octets))
    socket.on('error', () => {})
  }

  const server = createServer((plain) => {
    sockets.add(plain)
    plain.setNoDelay(true)
    plain.on('error', () => {}).on('close', () => sockets.delete(plain))
    const state = fresh(++connections)
    const { implicitTls, tls } = options
    const secured = implicitTls && typeof tls === 'object' ? createSecureContext(tls) : null
    const socket = secured ? new TLSSocket(plain, { isServer: true, secureContext: secured }) : plain
    serve(socket, { ...state, tls: secured !== null })
    const greeting = options.greeting ?? `220 ${hostname} ESMTP`
    if (greeting !== 'silence') socket.write(`${greeting}\r\n`)
  })
  server.listen(options.port ?? 0, host)
  await once(server, 'listening')
  const hangUp = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    host,
    port: (server.address() as { port: number }).port,
    said,
    messages,
    get connections() {
      return connections
    },
    async taken(count) {
      while (messages.length < count) await once(events, 'message')
    },
    hangUp,
    async [Symbol.asyncDispose]() {
      hangUp()
      server.close()
      await once(server, 'close')
    },
  }
}

const fresh = (number: number): State => ({
  number,
  buffer: Buffer.alloc(0),
  commands: [],
  inData: false,
  wasEarly: false,
  anyRecipient: false,
  tls: false,
})
