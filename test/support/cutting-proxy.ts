/** Passes TCP connections on to a server, and cuts the first ones after so many octets from it: a network that fails. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

export interface CuttingProxy extends AsyncDisposable {
  readonly port: number
  /** Connections that were cut. */
  readonly cuts: number
}

/** Listens on the server's own address. `cutAfter`: octets for each of the first connections; later ones are let alone. */
export async function startCuttingProxy(
  host: string,
  port: number,
  cutAfter: readonly number[],
): Promise<CuttingProxy> {
  const waiting = [...cutAfter]
  let cuts = 0
  const sockets = new Set<import('node:net').Socket>()
  const server = createServer((client) => {
    const far = connect(port, host)
    let left = waiting.shift() ?? Number.POSITIVE_INFINITY
    for (const socket of [client, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        far.destroy()
      })
    }
    client.pipe(far)
    far.on('data', (chunk: Buffer) => {
      client.write(chunk.subarray(0, left))
      left -= chunk.length
      if (left > 0) return
      cuts++
      client.destroy()
      far.destroy()
    })
  })
  server.listen(0, host)
  await once(server, 'listening')
  const address = server.address() as { port: number }
  return {
    port: address.port,
    get cuts() {
      return cuts
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
