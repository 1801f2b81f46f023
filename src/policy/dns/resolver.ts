/**
 * DNS with the one fact that Node's resolver does not give: whether the answer is DNSSEC-authenticated (`secure`).
 * AD is believed only from the configured validating resolver on loopback or DoT (RFC 7672 §2.1.1).
 */

export type DnsStatus =
  /** Validated by DNSSEC. */
  | 'secure'
  /** Provably or simply unsigned. */
  | 'insecure'

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

export interface MxRecord {
  readonly preference: number
  /** Lower case, no trailing dot; `` for the null MX (RFC 7505). */
  readonly exchange: string
}

export interface Resolver {
  mx(domain: string): Promise<DnsAnswer<MxRecord>>
  /** A and AAAA together, as text; secure only when both are. */
  addresses(host: string): Promise<DnsAnswer<string>>
  txt(name: string): Promise<DnsAnswer<string>>
}
