/**
 * Somebody on the wire between two mail servers: passes connections on and keeps every octet, may take STARTTLS out of what the server
 * offers, as an attacker does who wants to read, and may hold connections up.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface WireTap extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** All that went by, both ways. */
  heard(): Buffer
  /** New connections wait, as if the network were slow, until they are let go. */
  hold(): void
  letGo(): void
}

export interface WireTapOptions {
  readonly host: string
  readonly port: number
  readonly server: { readonly host: string; readonly port: number }
  /** Makes clients believe that the server has no TLS. */
  readonly hidesTls: boolean
}

export async function startWireTap({ host, port, server: target, hidesTls }: WireTapOptions): Promise<WireTap> {
  const heard: Buffer[] = []
  const sockets = new Set<Socket>()
  let gate: PromiseWithResolvers<void> | null = null
  const pass = async (client: Socket) => {
    client.pause()
    keep(client)
    await gate?.promise
    if (client.destroyed) return
    const far = keep(connect(target.port, target.host))
    client.on('close', () => far.destroy())
    far.on('close', () => client.end())
    client.on('data', (octets: Buffer) => {
      heard.push(octets)
      far.write(octets)
    })
    far.on('data', (octets: Buffer) => {
      const told = hidesTls ? withoutStartTls(octets) : octets
      heard.push(told)
      client.write(told)
    })
    client.resume()
  }
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  }
  const listener = createServer((client) => void pass(client)).listen(port, host)
  await once(listener, 'listening')
  return {
    host,
    port,
    heard: () => Buffer.concat(heard),
    hold: () => {
      gate ??= Promise.withResolvers()
    },
    letGo: () => {
      gate?.resolve()
      gate = null
    },
    async [Symbol.asyncDispose]() {
      gate?.resolve()
      for (const socket of sockets) socket.destroy()
      listener.close()
      await once(listener, 'close')
    },
  }
}

/** Another word of the same length, which no client knows (RFC 5321 §2.2.2). */
function withoutStartTls(octets: Buffer): Buffer {
  const text = octets.toString('latin1')
  if (!text.startsWith('250')) return octets
  return Buffer.from(text.replace(/^(250[ -])STARTTLS(?=\r$)/m, '$1XNOTHING'), 'latin1')
}
