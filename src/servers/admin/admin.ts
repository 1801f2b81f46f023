/**
 * The operator's listeners: /health and /metrics in Prometheus text on 127.0.0.1, and the control socket in the data
 * directory, on which the commands of the same machine say that they changed something. Neither knows any mail.
 */
import { chmod, rm } from 'node:fs/promises'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { http } from '#lib/node-http.ts'

export interface HealthPart {
  readonly name: string
  readonly ok: boolean
  readonly detail?: string
}

export interface AdminOptions {
  /** In the text format that Prometheus reads. */
  readonly metrics: () => Promise<string>
  readonly health: () => Promise<readonly HealthPart[]>
  /** Answers false for a path that it does not know. */
  readonly control: (path: string) => Promise<boolean>
}

export interface AdminServer {
  /** Answers the port. */
  listen(port: number): Promise<number>
  /** Takes the path over from a server that is gone. */
  listenControl(path: string): Promise<void>
  stop(): Promise<void>
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
  response.end(body)
}

async function answer(
  { metrics, health }: AdminOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = request.url?.split('?')[0]
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD')
    return send(response, 405, 'text/plain', 'GET or HEAD only\n')
  }
  // A page of another site may reach a loopback port by a name of its own; it must not read what is here.
  const host = (request.headers.host ?? '').replace(/:\d+$/, '')
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(host)) return send(response, 403, 'text/plain', 'loopback only\n')
  if (path === '/metrics') return send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await metrics())
  if (path === '/health') {
    const parts = await health()
    const ok = parts.every((part) => part.ok)
    return send(response, ok ? 200 : 503, 'application/json', `${JSON.stringify({ ok, parts }, null, 2)}\n`)
  }
  return send(response, 404, 'text/plain', '/health and /metrics are here\n')
}

async function obey({ control }: AdminOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume()
  const known = request.method === 'POST' && (await control(request.url ?? ''))
  response.writeHead(known ? 204 : 404).end()
}

function guarded(handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Server {
  return http.createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    handle(request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500)
      response.end()
    })
  })
}

const listening = (server: Server, start: () => void): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', resolve)
    start()
  })

export function createAdminServer(options: AdminOptions): AdminServer {
  const pages = guarded((request, response) => answer(options, request, response))
  const control = guarded((request, response) => obey(options, request, response))
  return {
    async listen(port) {
      await listening(pages, () => pages.listen(port, '127.0.0.1'))
      return (pages.address() as AddressInfo).port
    },
    async listenControl(path) {
      await rm(path, { force: true })
      await listening(control, () => control.listen(path))
      await chmod(path, 0o600)
    },
    async stop() {
      for (const server of [pages, control]) {
        server.closeAllConnections()
        if (server.listening) await new Promise((resolve) => server.close(resolve))
      }
    },
  }
}
