/**
 * Where mail for a domain goes (RFC 5321 §5.1): its MX hosts by preference, the domain itself when it has none, nowhere when
 * it says so (RFC 7505). What cannot be known now is tried later; it is never taken for "no record".
 */
import { randomInt } from 'node:crypto'
import { isIP } from 'node:net'
import { type Reply, reply } from '#formats/smtp/reply.ts'
import { isPublicAddress } from '#lib/public-address.ts'
import type { DnsAnswer, MxRecord, Resolver } from '#policy/dns/resolver.ts'

/** One address of one host to try. */
export interface Hop {
  /** Name of the host, or its address in brackets. */
  readonly host: string
  readonly ip: string
  readonly port: number
}

export type NextHops =
  | { readonly kind: 'hops'; readonly hops: readonly Hop[] }
  | { readonly kind: 'failed'; readonly why: Reply }
  | { readonly kind: 'deferred'; readonly why: Reply }

export interface RoutingOptions {
  readonly resolver: Resolver
  /** Our own name: an MX host of this name is us. */
  readonly hostname: string
  readonly port: number
  /** Also send to loopback and private addresses. */
  readonly allowPrivate: boolean
}

/** MX hosts looked at, and addresses tried in all. */
const HOSTS = 10
const HOPS = 10

const DNS_TROUBLE = reply(451, '4.4.3', 'DNS gives no answer for the domain now')
const DNS_BOGUS = reply(451, '4.4.3', 'DNS answer for the domain fails validation')
const NO_DOMAIN = reply(550, '5.1.2', 'the domain does not exist')
const NO_SERVER = reply(550, '5.4.4', 'the domain has no mail server')
const NULL_MX = reply(556, '5.1.10', 'the domain takes no mail')
const PRIVATE = reply(550, '5.4.4', 'the mail servers of the domain have no public address')
const LOOP = reply(554, '5.4.6', 'the mail servers of the domain are this one, which does not know the domain')

const failed = (why: Reply): NextHops => ({ kind: 'failed', why })
const deferred = (why: Reply): NextHops => ({ kind: 'deferred', why })

/** `domain` is lower case with A-labels, or an address literal. */
export async function nextHops(domain: string, options: RoutingOptions): Promise<NextHops> {
  if (domain.startsWith('[')) return literalHop(domain, options)
  const answer = await options.resolver.mx(domain)
  if (answer.kind === 'nxdomain') return failed(NO_DOMAIN)
  if (answer.kind !== 'answer') return deferred(answer.kind === 'bogus' ? DNS_BOGUS : DNS_TROUBLE)
  // RFC 7505 §3: a null MX stands alone; beside others it means nothing.
  const hosts = answer.records.filter((record) => record.exchange !== '')
  if (hosts.length === 0 && answer.records.length > 0) return failed(NULL_MX)
  // RFC 5321 §5.1: only without any MX record is the domain itself the host.
  const usable =
    hosts.length === 0 ? [{ preference: 0, exchange: domain }] : withoutUs(inOrder(hosts), options.hostname)
  if (usable.length === 0) return failed(LOOP)
  return resolveHosts(
    usable.slice(0, HOSTS).map((record) => record.exchange),
    options,
  )
}

/** By preference, in random order among equals (RFC 5321 §5.1). */
function inOrder(records: readonly MxRecord[]): MxRecord[] {
  const shuffled = [...records]
  for (let at = shuffled.length - 1; at > 0; at--) {
    const other = randomInt(at + 1)
    ;[shuffled[at], shuffled[other]] = [shuffled[other]!, shuffled[at]!]
  }
  return shuffled.sort((a, b) => a.preference - b.preference)
}

/** RFC 5321 §5.1: hosts at and behind our own preference are no way on. */
function withoutUs(records: readonly MxRecord[], hostname: string): readonly MxRecord[] {
  const us = records.find((record) => record.exchange === hostname.toLowerCase())
  return us ? records.filter((record) => record.preference < us.preference) : records
}

/** The addresses of hosts (names or IP addresses), in their order. */
export async function resolveHosts(hosts: readonly string[], options: RoutingOptions): Promise<NextHops> {
  const answers = await Promise.all(hosts.map((host) => addressesOf(host, options.resolver)))
  const found = answers.flatMap((answer, at) => hopsOf(hosts[at]!, answer, options.port))
  const reachable = options.allowPrivate ? found : found.filter((hop) => isPublicAddress(hop.ip))
  if (reachable.length > 0) return { kind: 'hops', hops: reachable.slice(0, HOPS) }
  if (answers.some((answer) => answer.kind === 'temporary')) return deferred(DNS_TROUBLE)
  if (answers.some((answer) => answer.kind === 'bogus')) return deferred(DNS_BOGUS)
  return failed(found.length > 0 ? PRIVATE : NO_SERVER)
}

async function addressesOf(host: string, resolver: Resolver): Promise<DnsAnswer<string>> {
  if (isIP(host) === 0) return await resolver.addresses(host)
  return { kind: 'answer', secure: false, records: [host], ttl: 0 }
}

function hopsOf(host: string, answer: DnsAnswer<string>, port: number): Hop[] {
  return answer.kind === 'answer' ? answer.records.map((ip) => ({ host, ip, port })) : []
}

// RFC 5321 §4.1.3
function literalHop(domain: string, { port, allowPrivate }: RoutingOptions): NextHops {
  const ip = domain.slice(1, -1).replace(/^IPv6:/i, '')
  if (!allowPrivate && !isPublicAddress(ip)) return failed(PRIVATE)
  return { kind: 'hops', hops: [{ host: domain, ip, port }] }
}
