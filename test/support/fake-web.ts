/**
 * HTTPS hosts on one loopback port, for tests of what is fetched from strangers:
 *
 *     await using web = await startFakeWeb('keys.beta.test')
 *     web.pages['keys.beta.test /pks/lookup'] = { body: certificate }
 *
 * A page is found by host and path, with its query or else without; what is not there is a 404.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { selfSigned } from './tls.ts'

export interface FakePage {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

export interface FakeWeb extends AsyncDisposable {
  readonly port: number
  /** The certificate of the hosts, in PEM, to be trusted. */
  readonly ca: string
  /** `hang` never answers, `break` closes the connection, `endless` answers and does not say where the answer ends. */
  readonly pages: Record<string, FakePage | 'hang' | 'break' | 'endless'>
  /** What was asked, as `host path?query`. */
  readonly asked: string[]
  /** Resolves when a request for something that hangs has come. */
  hanging(): Promise<void>
}

/** `names` are in the certificate; other hosts are served too. */
export async function startFakeWeb(...names: string[]): Promise<FakeWeb> {
  const certificate = selfSigned(...names)
  const pages: FakeWeb['pages'] = {}
  const asked: string[] = []
  const sockets = new Set<Duplex>()
  const server: Server = createServer({ key: certificate.key, cert: certificate.cert }, (request, response) => {
    const host = (request.headers.host ?? '').replace(/:[0-9]+$/, '')
    const [path = ''] = (request.url ?? '').split('?')
    asked.push(`${host} ${request.url}`)
    const page = pages[`${host} ${request.url}`] ?? pages[`${host} ${path}`] ?? { status: 404 }
    if (page === 'hang') return void server.emit('hanging')
    if (page === 'endless') {
      response.useChunkedEncodingByDefault = false
      response.shouldKeepAlive = false
      response.write('x')
      return void response.end()
    }
    if (page === 'break') return void request.socket.destroy()
    response.writeHead(page.status ?? 200, page.headers)
    response.end(page.body ?? '')
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    ca: certificate.cert,
    pages,
    asked,
    hanging: async () => void (await once(server, 'hanging')),
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
