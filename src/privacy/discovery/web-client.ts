/**
 * HTTPS GET to hosts that strangers name: no redirects, no credentials, no addresses inside our own network, 64 kB, 5 seconds.
 * Every connection is made for one request, so that the name which one domain's certificate was accepted for never serves another.
 */
import type { ClientRequest, IncomingMessage } from 'node:http'
import { isIPv6, type LookupFunction } from 'node:net'
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  rootCertificates,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'
import type { Clock } from '#lib/clock.ts'
import { isPublicAddress } from '#lib/public-address.ts'
import type { RecordResolver } from '#policy/dns/resolver.ts'

export interface WebClientOptions {
  readonly resolver: Pick<RecordResolver, 'addresses'>
  readonly clock: Clock
  /** Certificates in PEM that are trusted besides those of the runtime. */
  readonly ca: readonly string[]
  /** Also connect to loopback and private addresses: for tests and several providers on one machine. */
  readonly allowPrivate: boolean
  readonly closing: AbortSignal
}

export interface WebQuestion {
  readonly host: string
  readonly port: number
  /** With its query, escaped. */
  readonly path: string
  /** The certificate may also be valid for this name instead of the host's: the domain that named the host (RFC 6125 §6.2.1). */
  readonly alias?: string
}

export type WebAnswer =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly body: Buffer
      /** Seconds that Cache-Control allows to keep it (RFC 9111 §5.2.2); null when it says nothing. */
      readonly maxAge: number | null
    }
  | { readonly kind: 'too-large' }
  /** The host does not exist, or has no address that may be connected to. */
  | { readonly kind: 'nowhere'; readonly isPrivate: boolean; readonly why: string }
  /** `isSecured`: it happened after the host had shown a certificate of its name. */
  | { readonly kind: 'failed'; readonly isSecured: boolean; readonly why: string }

export interface WebClient {
  get(question: WebQuestion): Promise<WebAnswer>
}

const LARGEST_BODY = 65_536
const TIMEOUT = 5000
const MOST_ADDRESSES = 4

export function createWebClient(options: WebClientOptions): WebClient {
  let made: SecureContext | null = null
  // Made at first use, since reading the runtime's certificates takes time and memory.
  const context = () => {
    const trusted = options.ca.length > 0 ? { ca: [...rootCertificates, ...options.ca] } : {}
    made ??= createSecureContext({ minVersion: 'TLSv1.2', ...trusted })
    return made
  }
  return {
    async get(question) {
      const found = await options.resolver.addresses(question.host)
      if (found.kind === 'bogus') return failed(`the addresses of ${question.host} are bogus`)
      if (found.kind === 'temporary') return failed(found.why)
      const addresses = found.kind === 'answer' ? found.records : []
      const reachable = options.allowPrivate ? addresses : addresses.filter(isPublicAddress)
      if (reachable.length === 0) return nowhere(question.host, addresses.length > 0)
      return await ask(question, reachable.slice(0, MOST_ADDRESSES), context(), options)
    },
  }
}

const failed = (why: string): WebAnswer => ({ kind: 'failed', isSecured: false, why })

function nowhere(host: string, isPrivate: boolean): WebAnswer {
  const why = isPrivate ? `${host} has only addresses inside private networks` : `${host} has no address`
  return { kind: 'nowhere', isPrivate, why }
}

async function ask(
  question: WebQuestion,
  addresses: readonly string[],
  secureContext: SecureContext,
  { clock, closing }: WebClientOptions,
): Promise<WebAnswer> {
  const { request } = await import('node:https')
  const { host, port, path } = question
  return await new Promise<WebAnswer>((resolve) => {
    const socket = connectTo(question, addresses, secureContext)
    let isSecured = false
    // The request has its own way to hear of it; what comes when all is over concerns nobody.
    socket.on('error', () => {})
    socket.once('secureConnect', () => {
      isSecured = true
    })
    const headers = { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'Letterlock' }
    const call = request({ host, port, path, headers, createConnection: () => socket })
    const end = (answer: WebAnswer) => {
      timer[Symbol.dispose]()
      closing.removeEventListener('abort', stop)
      call.destroy()
      socket.destroy()
      resolve(answer)
    }
    const trouble = (why: string) => end({ kind: 'failed', isSecured, why: `${host}:${port}: ${why}` })
    const stop = () => trouble('this program is stopping')
    const timer = clock.after(TIMEOUT, () => trouble(`no answer in ${TIMEOUT / 1000} seconds`))
    closing.addEventListener('abort', stop)
    listen(call, end, trouble)
    call.end()
    if (closing.aborted) stop()
  })
}

function connectTo(
  { host, port, alias }: WebQuestion,
  addresses: readonly string[],
  secureContext: SecureContext,
): TLSSocket {
  return connect({
    host,
    port,
    lookup: lookupAmong(addresses),
    secureContext,
    servername: host,
    ALPNProtocols: ['http/1.1'],
    checkServerIdentity: (_, certificate) => {
      const mistake = checkServerIdentity(host, certificate)
      return mistake && alias !== undefined ? checkServerIdentity(alias, certificate) : mistake
    },
  })
}

function listen(call: ClientRequest, end: (answer: WebAnswer) => void, trouble: (why: string) => void): void {
  call.on('error', (error) => trouble(error.message))
  call.on('upgrade', () => trouble('the server wants to speak another protocol'))
  call.on('response', (response) => {
    const body: Buffer[] = []
    let size = 0
    const length = response.headers['content-length']
    if (Number(length ?? 0) > LARGEST_BODY) return end({ kind: 'too-large' })
    // RFC 9112 §8: what only the end of the connection ends, anybody on the way can cut short.
    if (length === undefined && response.headers['transfer-encoding'] === undefined && response.statusCode === 200)
      return trouble('the answer does not say where it ends')
    response.on('error', (error) => trouble(error.message))
    response.on('aborted', () => trouble('the answer broke off'))
    response.on('data', (octets: Buffer) => {
      size += octets.length
      if (size > LARGEST_BODY) end({ kind: 'too-large' })
      else body.push(octets)
    })
    response.on('end', () => {
      const { statusCode = 0 } = response
      end({ kind: 'answer', status: statusCode, body: Buffer.concat(body), maxAge: maxAgeOf(response) })
    })
  })
}

/** The addresses that were looked at, whatever the name resolves to by now. */
function lookupAmong(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }))
  return (_, options, callback) => {
    if (options.all) callback(null, all)
    else callback(null, all[0]!.address, all[0]!.family)
  }
}

function maxAgeOf({ headers }: IncomingMessage): number | null {
  const directives = (headers['cache-control'] ?? '').toLowerCase().split(',')
  const words = directives.map((one) => one.trim())
  if (words.includes('no-store') || words.includes('no-cache')) return 0
  const seconds = words.flatMap((one) => /^max-age="?([0-9]{1,9})"?$/.exec(one)?.[1] ?? [])[0]
  return seconds === undefined ? null : Number(seconds)
}
