/** The load generator for HTTPS: connections that are kept, one request after the other on each. A process of its own (http-loader.ts). */
import { connect, type TLSSocket } from 'node:tls'

export interface HttpTarget {
  readonly host: string
  readonly port: number
  readonly path: string
  /** PEM */
  readonly ca: string
}

export interface HttpLoad extends HttpTarget {
  /** Over all connections. */
  readonly requests: number
  readonly connections: number
}

export interface HttpLoadDone {
  readonly ms: number
  readonly refusal: string | null
}

/** One answer with its length given; null while it is not all there. */
function readAnswer(octets: Buffer): { status: number; body: Buffer; end: number } | null {
  const gap = octets.indexOf('\r\n\r\n')
  if (gap < 0) return null
  const header = octets.toString('latin1', 0, gap)
  const length = Number(/^content-length: *(\d+)/im.exec(header)?.[1])
  const end = gap + 4 + length
  if (octets.length < end) return null
  return { status: Number(header.split(' ', 2)[1]), body: octets.subarray(gap + 4, end), end }
}

async function open({ host, port, ca }: HttpTarget): Promise<TLSSocket> {
  const socket = connect({ host, port, ca })
  socket.setNoDelay(true)
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('error', reject)
  })
  return socket
}

const requestFor = ({ path, host, port }: HttpTarget): string =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n`

function ask(socket: TLSSocket, request: string): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    let octets: Buffer = Buffer.alloc(0)
    const onData = (chunk: Buffer) => {
      octets = octets.length === 0 ? chunk : Buffer.concat([octets, chunk])
      const answer = readAnswer(octets)
      if (!answer) return
      socket.off('data', onData)
      socket.off('close', onClose)
      resolve(answer)
    }
    const onClose = () => reject(new Error('the server closed the connection'))
    socket.on('data', onData)
    socket.once('close', onClose)
    socket.write(request)
  })
}

export async function fetchOnce(target: HttpTarget): Promise<{ body: Buffer }> {
  const socket = await open(target)
  try {
    const { status, body } = await ask(socket, requestFor(target))
    if (status !== 200) throw new Error(`status ${status} for ${target.path}`)
    return { body }
  } finally {
    socket.destroy()
  }
}

async function load(wanted: HttpLoad): Promise<HttpLoadDone> {
  const { requests, connections } = wanted
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(wanted)))
  const request = requestFor(wanted)
  const started = performance.now()
  let left = requests
  let refusal: string | null = null
  await Promise.all(
    sockets.map(async (socket) => {
      while (left-- > 0) {
        const { status } = await ask(socket, request)
        if (status !== 200) refusal = `status ${status}`
      }
    }),
  )
  const ms = performance.now() - started
  for (const socket of sockets) socket.destroy()
  return { ms, refusal }
}

if (process.send) {
  process.on('message', (wanted: HttpLoad) => {
    load(wanted).then(
      (done) => process.send!(done),
      (error: Error) => process.send!({ ms: 0, refusal: error.message }),
    )
  })
  process.send('ready')
}
