/**
 * A validating resolver that pretends: it answers over UDP and TCP from records that it is told, sets AD for zones that are "secure",
 * and fails as Unbound does for zones that are "bogus". For machines without Knot and Unbound; what is tested with it is what becomes of
 * an answer, not whether it is true.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { type DnsMessage, decodeDns, encodeDns, RCODES } from '#formats/dns/dns-message.ts'
import { type RecordContent, type ResourceRecord, TYPES } from '#formats/dns/record.ts'
import { listenOnSamePort } from './same-port.ts'

export interface ZoneRecord {
  /** With a dot at the end. */
  readonly name: string
  readonly type: string
  /** As in a master file. */
  readonly value: string
}

export type FakeZoneState = 'secure' | 'insecure' | 'bogus' | 'failing'

export interface FakeDnsZone {
  readonly state: FakeZoneState
  readonly records: readonly ZoneRecord[]
}

export interface FakeDns extends AsyncDisposable {
  /** As `address:port`. */
  readonly address: string
  /** By name, without a dot at the end. May be changed at any time. */
  readonly zones: Map<string, FakeDnsZone>
}

/** Nothing is kept, so that a change is seen at once; but a key that is not kept at all would be useless. */
const ttlOf = (type: string) => (type === 'OPENPGPKEY' ? 60 : 0)

export async function startFakeDns(host: string): Promise<FakeDns> {
  const zones = new Map<string, FakeDnsZone>()
  const answered = (octets: Buffer): Buffer | null => {
    const query = decodeDns(octets)
    return query.response ? null : encodeDns(answerTo(query, zones))
  }
  const sockets = new Set<Socket>()
  const tcp = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    let received = Buffer.alloc(0)
    socket.on('data', (octets: Buffer) => {
      received = Buffer.concat([received, octets])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      const answer = answered(received.subarray(2, 2 + received.readUInt16BE(0)))
      received = received.subarray(2 + received.readUInt16BE(0))
      if (!answer) return
      const length = Buffer.alloc(2)
      length.writeUInt16BE(answer.length)
      socket.write(Buffer.concat([length, answer]))
    })
  })
  const udp = createSocket('udp4')
  udp.on('message', (octets, from) => {
    const answer = answered(octets)
    if (answer) udp.send(answer.length <= UDP_SIZE ? answer : truncated(octets), from.port, from.address)
  })
  const port = await listenOnSamePort(tcp, udp, host)
  return {
    address: `${host}:${port}`,
    zones,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      udp.close()
      tcp.close()
      await once(tcp, 'close')
    },
  }
}

const UDP_SIZE = 1232

function truncated(octets: Buffer): Buffer {
  const query = decodeDns(octets)
  return encodeDns({ ...query, response: true, truncated: true, recursionAvailable: true, edns: null })
}

function answerTo(query: DnsMessage, zones: ReadonlyMap<string, FakeDnsZone>): DnsMessage {
  const [question] = query.questions
  const name = question?.name.toLowerCase() ?? ''
  const [zoneName, zone] = [...zones].find(([apex]) => name === apex || name.endsWith(`.${apex}`)) ?? ['', null]
  const common = { ...query, response: true, recursionAvailable: true, authentic: false, edns: null, authority: [] }
  // RFC 4035 §5.5: a validator says no more than that it failed, unless it is asked not to check.
  if (zone?.state === 'failing' || (zone?.state === 'bogus' && !query.checkingDisabled))
    return { ...common, rcode: RCODES.SERVFAIL }
  const there = (zone?.records ?? []).filter((record) => bare(record.name) === name)
  const answers = there
    .filter(({ type }) => TYPES[type as keyof typeof TYPES] === question?.type)
    .map((record): ResourceRecord => ({ name, class: 1, ttl: ttlOf(record.type), content: contentOf(record) }))
  const isThere = there.length > 0 || zone?.records.some((record) => bare(record.name).endsWith(`.${name}`))
  return {
    ...common,
    authentic: zone?.state === 'secure',
    rcode: isThere ? RCODES.NOERROR : RCODES.NXDOMAIN,
    answers,
    authority: answers.length > 0 || zone === null ? [] : [startOfAuthority(zoneName)],
  }
}

function startOfAuthority(zone: string): ResourceRecord {
  const [times, mailbox] = [{ serial: 1, refresh: 0, retry: 0, expire: 0, minimum: 0 }, `hostmaster.${zone}`]
  return { name: zone, class: 1, ttl: 0, content: { type: 'SOA', primary: `ns.${zone}`, mailbox, ...times } }
}

const bare = (name: string) => name.replace(/\.$/, '').toLowerCase()

/** Of the types that `letterlock domain records` prints. */
function contentOf({ type, value }: ZoneRecord): RecordContent {
  const words = value.split(' ')
  const numbers = words.map(Number)
  const target = bare(words.at(-1)!)
  switch (type) {
    case 'A':
    case 'AAAA':
      return { type, address: value }
    case 'CNAME':
      return { type, target }
    case 'MX':
      return { type, preference: numbers[0]!, exchange: target }
    case 'SRV':
      return { type, priority: numbers[0]!, weight: numbers[1]!, port: numbers[2]!, target }
    case 'TLSA': {
      const [usage, selector, matching] = numbers
      return {
        type,
        usage: usage!,
        selector: selector!,
        matching: matching!,
        association: Buffer.from(words[3]!, 'hex'),
      }
    }
    case 'TXT':
      return { type, strings: [...value.matchAll(/"([^"]*)"/g)].map(([, text]) => Buffer.from(text!)) }
    case 'OPENPGPKEY':
      return { type, certificate: Buffer.from(value, 'base64') }
    default:
      throw new Error(`no ${type} records here`)
  }
}
