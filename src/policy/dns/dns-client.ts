/**
 * The Resolver that asks real servers. It does not validate: it asks a validating resolver and believes its AD bit only
 * where nobody between could have set it, on loopback or over TLS (RFC 7672 §2.1.1).
 */
import { getServers } from 'node:dns'
import { setMaxListeners } from 'node:events'
import { isIPv6 } from 'node:net'
import { rootCertificates } from 'node:tls'
import { domainToASCII } from 'node:url'
import { RCODES } from '#formats/dns/dns-message.ts'
import { ipOctets } from '#formats/dns/ip-text.ts'
import { MalformedDns } from '#formats/dns/malformed.ts'
import { labelsOf } from '#formats/dns/name.ts'
import { type CertificateAssociation, TYPES, type TypeName } from '#formats/dns/record.ts'
import type { Clock } from '#lib/clock.ts'
import { AnswerCache } from './answer-cache.ts'
import { type DnsServer, isProtected, parseDnsServer } from './dns-server.ts'
import { type Asking, exchange } from './exchange.ts'
import { type ContentOf, interpret } from './interpretation.ts'
import type { AssociationRecord, CaaRecord, DnsAnswer, MxRecord, RecordResolver, SrvRecord } from './resolver.ts'

export interface DnsClientOptions {
  /** Asked in this order; as parseDnsServer reads them, or more exactly. Empty: the servers of the system. */
  readonly servers: readonly (string | DnsServer)[]
  /** Certificates in PEM that are trusted over TLS besides those of the runtime. */
  readonly ca?: readonly string[]
  /** They validate DNSSEC. Without it nothing is ever `secure`. */
  readonly validating: boolean
  readonly clock: Clock
  /** For one question to one server. */
  readonly timeoutMs?: number
  /** How often each server is asked before giving up. */
  readonly rounds?: number
  /** Answers kept. */
  readonly cacheSize?: number
}

/** Disposing ends what is under way with `temporary`. */
export interface DnsClient extends RecordResolver, Disposable {
  /** Whether an answer can ever be `secure`: there is a validating resolver whose word is believed. */
  readonly proves: boolean
}

/** Throws when a server is written wrongly, or when there is none. */
export function createResolver(options: DnsClientOptions): DnsClient {
  const written = options.servers.length > 0 ? options.servers : getServers()
  const servers = written.map((server) => (typeof server === 'string' ? parseDnsServer(server) : server))
  if (servers.length === 0) throw new Error('no DNS server is configured, and the system has none')
  return new AskingResolver(
    servers.map((server) => trusting(server, options.ca ?? [])),
    options,
  )
}

function trusting(server: DnsServer, ca: readonly string[]): DnsServer {
  if (!server.tls || server.tls.ca !== undefined || ca.length === 0) return server
  return { ...server, tls: { ...server.tls, ca: [...rootCertificates, ...ca] } }
}

/** The name as it is asked, or null when it cannot exist. */
function wireName(name: string): string | null {
  const ascii = /^[\x00-\x7f]*$/.test(name) ? name : domainToASCII(name)
  try {
    return labelsOf(ascii).length > 0 ? ascii.toLowerCase() : null
  } catch (error) {
    if (error instanceof MalformedDns) return null
    throw error
  }
}

function mapped<A, B>(answer: DnsAnswer<A>, map: (record: A) => B): DnsAnswer<B> {
  return answer.kind === 'answer' ? { ...answer, records: answer.records.map(map) } : answer
}

/** Secure only when both are; a failure of either is a failure, for an attacker could have caused it. */
function both(first: DnsAnswer<string>, second: DnsAnswer<string>): DnsAnswer<string> {
  for (const one of [first, second]) if (one.kind === 'bogus') return one
  for (const one of [first, second]) if (one.kind === 'temporary') return one
  if (!('ttl' in first) || !('ttl' in second)) return first
  const secure = first.secure && second.secure
  const ttl = Math.min(first.ttl, second.ttl)
  if (first.kind === 'nxdomain' && second.kind === 'nxdomain') return { kind: 'nxdomain', secure, ttl }
  const records = [first, second].flatMap((one) => (one.kind === 'answer' ? one.records : []))
  return { kind: 'answer', secure, records, ttl }
}

/** RFC 1035 §3.5, RFC 3596 §2.5 */
function reverseName(ip: string): string {
  if (!isIPv6(ip)) return `${ip.split('.').reverse().join('.')}.in-addr.arpa`
  return `${[...ipOctets(ip, 6).toString('hex')].reverse().join('.')}.ip6.arpa`
}

class AskingResolver implements DnsClient {
  readonly proves: boolean
  readonly #servers: readonly DnsServer[]
  readonly #validating: boolean
  readonly #rounds: number
  readonly #asking: Asking
  readonly #cache: AnswerCache
  readonly #closing = new AbortController()
  readonly #underWay = new Map<string, Promise<DnsAnswer<unknown>>>()

  constructor(servers: readonly DnsServer[], options: DnsClientOptions) {
    const { clock, validating, timeoutMs = 3000, rounds = 2, cacheSize = 10_000 } = options
    this.#servers = servers
    this.#validating = validating
    this.proves = validating && servers.some(isProtected)
    this.#rounds = rounds
    // One listener for every question under way.
    setMaxListeners(0, this.#closing.signal)
    this.#asking = { clock, timeoutMs, closing: this.#closing.signal }
    this.#cache = new AnswerCache(clock, cacheSize)
  }

  async mx(domain: string): Promise<DnsAnswer<MxRecord>> {
    const answer = await this.#look(domain, 'MX')
    return mapped(answer, ({ preference, exchange }) => ({ preference, exchange: exchange.toLowerCase() }))
  }

  async addresses(host: string): Promise<DnsAnswer<string>> {
    const [four, six] = await Promise.all([this.#look(host, 'A'), this.#look(host, 'AAAA')])
    return both(
      mapped(four, ({ address }) => address),
      mapped(six, ({ address }) => address),
    )
  }

  async txt(name: string): Promise<DnsAnswer<string>> {
    return mapped(await this.#look(name, 'TXT'), ({ strings }) => Buffer.concat(strings).toString('utf8'))
  }

  async srv(name: string): Promise<DnsAnswer<SrvRecord>> {
    const answer = await this.#look(name, 'SRV')
    return mapped(answer, ({ priority, weight, port, target }) => {
      return { priority, weight, port, target: target.toLowerCase() }
    })
  }

  async tlsa(name: string): Promise<DnsAnswer<AssociationRecord>> {
    return mapped(await this.#look(name, 'TLSA'), associationOf)
  }

  async smimea(name: string): Promise<DnsAnswer<AssociationRecord>> {
    return mapped(await this.#look(name, 'SMIMEA'), associationOf)
  }

  async caa(name: string): Promise<DnsAnswer<CaaRecord>> {
    return mapped(await this.#look(name, 'CAA'), ({ flags, tag, value }) => {
      return { critical: (flags & 0x80) !== 0, tag: tag.toLowerCase(), value: value.toString('latin1') }
    })
  }

  async openpgpkey(name: string): Promise<DnsAnswer<Buffer>> {
    return mapped(await this.#look(name, 'OPENPGPKEY'), ({ certificate }) => certificate)
  }

  async ptr(ip: string): Promise<DnsAnswer<string>> {
    return mapped(await this.#look(reverseName(ip), 'PTR'), ({ target }) => target.toLowerCase())
  }

  [Symbol.dispose](): void {
    this.#closing.abort()
  }

  async #look<T extends TypeName>(given: string, type: T): Promise<DnsAnswer<ContentOf<T>>> {
    const name = wireName(given)
    if (name === null) return { kind: 'nxdomain', secure: false, ttl: 0 }
    const key = `${type} ${name}`
    const kept = this.#cache.get(key) ?? this.#underWay.get(key)
    if (kept) return (await kept) as DnsAnswer<ContentOf<T>>
    const asked = this.#ask(name, type)
    this.#underWay.set(key, asked)
    try {
      const answer = await asked
      this.#cache.put(key, answer)
      return answer
    } finally {
      this.#underWay.delete(key)
    }
  }

  async #ask<T extends TypeName>(name: string, type: T): Promise<DnsAnswer<ContentOf<T>>> {
    let why = ''
    for (let round = 0; round < this.#rounds; round++) {
      for (const server of this.#servers) {
        try {
          const answer = await this.#askOne(server, name, type)
          if (typeof answer !== 'string') return answer
          why = answer
        } catch (error) {
          why = (error as Error).message
        }
        if (this.#closing.signal.aborted) return { kind: 'temporary', why }
      }
    }
    return { kind: 'temporary', why: `${name} ${type}: ${why}` }
  }

  /** An answer, or why this server has none. */
  async #askOne<T extends TypeName>(
    server: DnsServer,
    name: string,
    type: T,
  ): Promise<DnsAnswer<ContentOf<T>> | string> {
    const query = { name, type: TYPES[type], checkingDisabled: false }
    const message = await exchange(server, query, this.#asking)
    const believed = this.#validating && isProtected(server)
    const answer = interpret(message, name, type, message.authentic && believed)
    if (answer) return answer
    if (message.rcode === RCODES.SERVFAIL && this.#validating) {
      // RFC 4035 §3.2.2: with CD the data comes whether or not it is valid. If it comes now, validation was what failed.
      const unchecked = await exchange(server, { ...query, checkingDisabled: true }, this.#asking)
      if (interpret(unchecked, name, type, false)) return { kind: 'bogus' }
    }
    return `the server answers with code ${message.rcode}`
  }
}

const associationOf = ({ usage, selector, matching, association }: CertificateAssociation): AssociationRecord => ({
  usage,
  selector,
  matching,
  association,
})
