/** What the sources are asked with, and what they come to. */
import type { Address } from '#formats/message/address.ts'
import type { Clock } from '#lib/clock.ts'
import type { RecordResolver } from '#policy/dns/resolver.ts'
import type { Evidence, Step } from './discovery.ts'
import type { WebClient } from './web-client.ts'

/** What one search came to. */
export type Finding =
  | {
      readonly kind: 'found'
      readonly certificate: Buffer
      readonly fingerprint: string
      readonly evidence: Evidence
      /** Milliseconds that it may be kept, as its source says; null when it does not. */
      readonly keep: number | null
      /** Milliseconds after which to ask again, as its source says; null when it does not. */
      readonly renew: number | null
      /** When it ends by itself, in milliseconds since the epoch; null for never. */
      readonly expires: number | null
    }
  | { readonly kind: 'none' }
  | {
      readonly kind: 'unusable'
      readonly why: string
      readonly revoked: readonly string[]
      /** Only because DNSSEC does not prove what is published. */
      readonly isUnproven?: boolean
    }
  | {
      readonly kind: 'temporary'
      readonly why: string
      /** Nothing is published that DNSSEC proves, and the trouble is with what it would not. */
      readonly isUnproven?: boolean
    }

export interface Search {
  readonly address: Address
  readonly domain: string
  /** The fingerprint of a certificate that the address had: its revocation is looked for where it is gone. */
  readonly known: string | null
  readonly note: (source: Step['source'], outcome: Step['outcome'], text: string) => void
}

export interface SearchTools {
  readonly resolver: RecordResolver
  readonly web: WebClient
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  /** Of Web Key Directories. */
  readonly httpsPort: number
}
