/** Resource records as values (RFC 1035 §3.2, and the RFC named beside each type). */

export const TYPES = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28, // RFC 3596
  SRV: 33, // RFC 2782
  DNAME: 39, // RFC 6672
  OPT: 41, // RFC 6891
  DS: 43, // RFC 4034
  RRSIG: 46, // RFC 4034
  DNSKEY: 48, // RFC 4034
  TLSA: 52, // RFC 6698
  SMIMEA: 53, // RFC 8162
  OPENPGPKEY: 61, // RFC 7929
  CAA: 257, // RFC 8659
} as const

export type TypeName = keyof typeof TYPES

/** A certificate association (RFC 6698 §2.1, RFC 8162 §2). */
export interface CertificateAssociation {
  readonly usage: number
  readonly selector: number
  readonly matching: number
  readonly association: Buffer
}

export interface SrvContent {
  readonly priority: number
  readonly weight: number
  readonly port: number
  readonly target: string
}

export interface SoaContent {
  readonly primary: string
  readonly mailbox: string
  readonly serial: number
  readonly refresh: number
  readonly retry: number
  readonly expire: number
  /** Seconds that a negative answer may be kept, beside the record's own TTL (RFC 2308 §5). */
  readonly minimum: number
}

/** What a record says. Types that are not read here are `opaque`: their octets as they came. */
export type RecordContent =
  | { readonly type: 'A' | 'AAAA'; readonly address: string }
  | { readonly type: 'NS' | 'CNAME' | 'PTR' | 'DNAME'; readonly target: string }
  | ({ readonly type: 'SOA' } & SoaContent)
  | { readonly type: 'MX'; readonly preference: number; readonly exchange: string }
  | { readonly type: 'TXT'; readonly strings: readonly Buffer[] }
  | ({ readonly type: 'SRV' } & SrvContent)
  | ({ readonly type: 'TLSA' | 'SMIMEA' } & CertificateAssociation)
  | { readonly type: 'OPENPGPKEY'; readonly certificate: Buffer }
  | { readonly type: 'CAA'; readonly flags: number; readonly tag: string; readonly value: Buffer }
  | { readonly type: 'opaque'; readonly number: number; readonly octets: Buffer }

export interface ResourceRecord {
  readonly name: string
  readonly class: number
  /** Seconds. */
  readonly ttl: number
  readonly content: RecordContent
}
