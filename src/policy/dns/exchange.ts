/** One question to one server: UDP first, TCP when the answer did not fit, or DoT (RFC 1035 §4.2, RFC 7766, RFC 7858). */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, isIPv6, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { CLASS_IN, type DnsMessage, decodeDns, encodeDns } from '#formats/dns/dns-message.ts'
import { MalformedDns } from '#formats/dns/malformed.ts'
import type { Clock } from '#lib/clock.ts'
import type { DnsServer } from './dns-server.ts'

export interface Asking {
  readonly clock: Clock
  readonly timeoutMs: number
  /** Aborted when nobody waits for answers any more. */
  readonly closing: AbortSignal
}

export interface Query {
  readonly name: string
  readonly type: number
  readonly checkingDisabled: boolean
}

/** What fits without fragments (RFC 9715 §3). */
const UDP_SIZE = 1232

function messageOf({ name, type, checkingDisabled }: Query): DnsMessage {
  return {
    id: randomInt(65_536), // RFC 5452 §9.2
    response: false,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    authentic: true, // RFC 6840 §5.7: we understand AD
    checkingDisabled,
    rcode: 0,
    questions: [{ name, type, class: CLASS_IN }],
    answers: [],
    authority: [],
    additional: [],
    edns: { udpSize: UDP_SIZE, dnssecOk: true, version: 0, options: [] },
  }
}

/** RFC 5452 §9.1: the answer repeats the id and the question. */
function answers(message: DnsMessage, query: DnsMessage): boolean {
  const [asked, repeated] = [query.questions[0]!, message.questions[0]]
  return (
    message.response &&
    message.id === query.id &&
    message.questions.length === 1 &&
    repeated?.type === asked.type &&
    repeated.class === asked.class &&
    repeated.name.toLowerCase() === asked.name.toLowerCase()
  )
}

/** Rejects with the error of the socket, of the codec, or of the timeout. */
export async function exchange(server: DnsServer, query: Query, asking: Asking): Promise<DnsMessage> {
  const message = messageOf(query)
  const wire = encodeDns(message)
  if (!server.tls) {
    const answer = await overUdp(server, message, wire, asking)
    if (!answer.truncated) return answer
  }
  const answer = await overStream(server, wire, asking)
  if (!answers(answer, message)) throw new MalformedDns('an answer to another question')
  return answer
}

/** Runs `open` with one end for all ways out: success, failure, timeout, closing. */
function settled<T>(
  { clock, timeoutMs, closing }: Asking,
  open: (resolve: (value: T) => void, reject: (error: Error) => void) => Disposable,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let done = false
    const end = (settle: () => void) => {
      if (done) return
      done = true
      timer[Symbol.dispose]()
      closing.removeEventListener('abort', stop)
      resource?.[Symbol.dispose]()
      settle()
    }
    const stop = () => end(() => reject(new Error('the resolver was closed')))
    let resource: Disposable | null = null
    const timer = clock.after(timeoutMs, () => end(() => reject(new Error('no answer in time'))))
    closing.addEventListener('abort', stop)
    resource = open(
      (value) => end(() => resolve(value)),
      (error) => end(() => reject(error)),
    )
    if (closing.aborted) stop()
  })
}

/** A socket of its own for every question, so that the port is random too (RFC 5452 §9.2). */
function overUdp(server: DnsServer, message: DnsMessage, wire: Buffer, asking: Asking): Promise<DnsMessage> {
  return settled(asking, (resolve, reject) => {
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4')
    socket.on('error', reject)
    socket.on('message', (octets) => {
      // What is no answer to this question may come from somebody who guesses: the real one is still waited for.
      const answer = decodedOrNull(octets)
      if (answer && answers(answer, message)) resolve(answer)
    })
    // Connected: the kernel drops what others send.
    socket.connect(server.port, server.address, () => {
      socket.send(wire, (error) => {
        if (error) reject(error)
      })
    })
    return { [Symbol.dispose]: () => socket.close() }
  })
}

function decodedOrNull(octets: Buffer): DnsMessage | null {
  try {
    return decodeDns(octets)
  } catch (error) {
    if (error instanceof MalformedDns) return null
    throw error
  }
}

function connectTo({ address, port, tls }: DnsServer): Socket {
  if (!tls) return connect(port, address)
  const ca = tls.ca === undefined ? {} : { ca: [tls.ca].flat() }
  return connectTls({ host: address, port, servername: tls.name, minVersion: 'TLSv1.2', ...ca })
}

function overStream(server: DnsServer, wire: Buffer, asking: Asking): Promise<DnsMessage> {
  return settled(asking, (resolve, reject) => {
    const socket = connectTo(server)
    let received = Buffer.alloc(0)
    socket.on('error', reject)
    socket.on('end', () => reject(new Error('the server closed the connection')))
    socket.on('data', (octets) => {
      received = Buffer.concat([received, octets])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      try {
        resolve(decodeDns(received.subarray(2, 2 + received.readUInt16BE(0))))
      } catch (error) {
        reject(error as Error)
      }
    })
    // RFC 7766 §8: length and message in one write.
    const length = Buffer.alloc(2)
    length.writeUInt16BE(wire.length)
    socket.write(Buffer.concat([length, wire]))
    return { [Symbol.dispose]: () => socket.destroy() }
  })
}
