/** Listens on UDP and TCP at one port, as DNS servers do. */
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

/** Answers the port. One that is free on TCP may be taken on UDP: by whoever asks a question just then, on all addresses. */
export async function listenOnSamePort(tcp: Server, udp: Socket, host: string): Promise<number> {
  for (;;) {
    tcp.listen(0, host)
    await once(tcp, 'listening')
    const { port } = tcp.address() as AddressInfo
    try {
      udp.bind(port, host)
      await once(udp, 'listening')
      return port
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
    tcp.close()
    await once(tcp, 'close')
  }
}
