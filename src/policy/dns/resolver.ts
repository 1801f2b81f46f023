/**
 * DNS with the one fact that Node's resolver does not give: whether the answer is DNSSEC-authenticated (`secure`).
 * AD is believed only from the configured validating resolver on loopback or DoT (RFC 7672 §2.1.1).
 */
import type { CertificateAssociation, SrvContent } from '#formats/dns/record.ts'

/**
 * What is known about the truth of an answer: DNSSEC proves it (`secure`), nothing can prove it (`insecure`: the zone is not
 * signed, or with nothing that can be checked), the proof fails (`bogus`), or nobody could say (`temporary`). Only the first
 * two are answers. An alias is as secure as the weakest name on its way.
 */
export type Security = 'secure' | 'insecure' | 'bogus' | 'temporary'

/** An empty `records` with kind `answer` is NODATA; `nxdomain` says the name does not exist. */
export type DnsAnswer<R> =
  | {
      readonly kind: 'answer'
      readonly secure: boolean
      readonly records: readonly R[] /** Seconds. */
      readonly ttl: number
    }
  | { readonly kind: 'nxdomain'; readonly secure: boolean; readonly ttl: number }
  /** SERVFAIL that goes away with checking disabled: validation failed. Never "no record". */
  | { readonly kind: 'bogus' }
  | { readonly kind: 'temporary'; readonly why: string }

export function securityOf(answer: DnsAnswer<unknown>): Security {
  return 'secure' in answer ? (answer.secure ? 'secure' : 'insecure') : answer.kind
}

export interface MxRecord {
  readonly preference: number
  /** Lower case, no trailing dot; `` for the null MX (RFC 7505). */
  readonly exchange: string
}

/** RFC 2782; the target is lower case, `` where the service is decidedly not offered. */
export type SrvRecord = SrvContent

/** RFC 6698, RFC 8162. */
export type AssociationRecord = CertificateAssociation

/** RFC 8659 §4.1; the tag is lower case. */
export interface CaaRecord {
  readonly critical: boolean
  readonly tag: string
  readonly value: string
}

/** What finds the way of a message. Names are given without trailing dot; one that cannot exist is answered as `nxdomain`. */
export interface Resolver {
  mx(domain: string): Promise<DnsAnswer<MxRecord>>
  /** A and AAAA together, as text; secure only when both are. */
  addresses(host: string): Promise<DnsAnswer<string>>
  /** The strings of a record joined, as UTF-8 (RFC 7208 §3.3). */
  txt(name: string): Promise<DnsAnswer<string>>
}

/** The other records that mail lives by: discovery, DANE, keys in DNS, names of clients. */
export interface RecordResolver extends Resolver {
  srv(name: string): Promise<DnsAnswer<SrvRecord>>
  tlsa(name: string): Promise<DnsAnswer<AssociationRecord>>
  smimea(name: string): Promise<DnsAnswer<AssociationRecord>>
  /** Of exactly this name: climbing to the domains above (RFC 8659 §3) is the caller's. */
  caa(name: string): Promise<DnsAnswer<CaaRecord>>
  /** Octets of OpenPGP certificates (RFC 7929). */
  openpgpkey(name: string): Promise<DnsAnswer<Buffer>>
  /** Names of an IP address. */
  ptr(ip: string): Promise<DnsAnswer<string>>
}
