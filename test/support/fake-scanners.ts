/** Scripted scanners: they remember what they were asked, and answer what the test says, or not at all. */
import { EventEmitter, once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Endpoint } from '#lib/endpoint.ts'

export interface FakeScanner extends AsyncDisposable {
  readonly endpoint: Endpoint
  /** Messages that came whole. */
  readonly messages: readonly Buffer[]
  /** Connections so far, and the most at one time. */
  readonly connections: number
  readonly mostAtOnce: number
  /** Resolves once so many messages came whole. */
  asked(times: number): Promise<void>
  /** Resolves once the first connection was made. */
  connected(): Promise<void>
  /** Breaks all connections. */
  hangUp(): void
}

interface Heard {
  readonly messages: Buffer[]
  readonly events: EventEmitter
}

async function listen(server: Server, { messages, events }: Heard, path?: string): Promise<FakeScanner> {
  const open = new Set<Socket>()
  let [connections, mostAtOnce] = [0, 0]
  server.on('connection', (socket: Socket) => {
    connections++
    open.add(socket)
    mostAtOnce = Math.max(mostAtOnce, open.size)
    socket.on('error', () => {})
    socket.once('close', () => open.delete(socket))
  })
  const hangUp = () => {
    for (const socket of open) socket.destroy()
  }
  if (path === undefined) server.listen(0, '127.0.0.1')
  else server.listen(path)
  await once(server, 'listening')
  const endpoint: Endpoint =
    path === undefined
      ? { kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port }
      : { kind: 'unix', path }
  return {
    endpoint,
    messages,
    get connections() {
      return connections
    },
    get mostAtOnce() {
      return mostAtOnce
    },
    async asked(times) {
      while (messages.length < times) await once(events, 'message')
    },
    async connected() {
      while (connections === 0) await once(server, 'connection')
    },
    hangUp,
    async [Symbol.asyncDispose]() {
      hangUp()
      server.close()
      await once(server, 'close')
    },
  }
}

/** `answer` gets the connection when a message has come whole. PING is answered. */
export async function startFakeClamd(answer: (socket: Socket) => void, path?: string): Promise<FakeScanner> {
  const heard: Heard = { messages: [], events: new EventEmitter().setMaxListeners(0) }
  const server = createServer((socket) => {
    let received: Buffer = Buffer.alloc(0)
    socket.on('data', (piece: Buffer) => {
      received = Buffer.concat([received, piece])
      if (received.equals(Buffer.from('zPING\0'))) socket.end('PONG\0')
      const message = streamed(received)
      if (message === null) return
      heard.messages.push(message)
      heard.events.emit('message')
      answer(socket)
    })
  })
  return await listen(server, heard, path)
}

/** The message of a whole INSTREAM, or null while chunks are missing. */
function streamed(received: Buffer): Buffer | null {
  const chunks: Buffer[] = []
  for (let at = 'zINSTREAM\0'.length; at + 4 <= received.length; ) {
    const length = received.readUInt32BE(at)
    if (length === 0) return Buffer.concat(chunks)
    chunks.push(received.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return null
}

/** `answer` gets the request when the message has come whole. GET /ping is answered. */
export async function startFakeRspamd(
  answer: (response: ServerResponse, asked: IncomingMessage) => void,
  path?: string,
): Promise<FakeScanner> {
  const heard: Heard = { messages: [], events: new EventEmitter().setMaxListeners(0) }
  const server = createHttpServer((asked, response) => {
    if (asked.url === '/ping') return void response.end('pong\r\n')
    const pieces: Buffer[] = []
    asked.on('data', (piece: Buffer) => pieces.push(piece))
    asked.on('error', () => {})
    asked.on('end', () => {
      heard.messages.push(Buffer.concat(pieces))
      heard.events.emit('message')
      answer(response, asked)
    })
  })
  return await listen(server, heard, path)
}

/** Answers like rspamd. */
export const says = (action: string, symbols: Readonly<Record<string, { score: number }>> = {}) => {
  return (response: ServerResponse) => void response.end(JSON.stringify({ is_skipped: false, action, symbols }))
}
