/**
 * Discovery: which certificate mail to an address is sealed to, and why that one is believed.
 *
 * The sources, strongest first: our own directory for our own domains; the keyserver that the domain names in DNSSEC-signed SRV
 * records, asked over HTTPS; OPENPGPKEY in signed DNS (RFC 7929); the domain's Web Key Directory. A weaker source is asked only
 * where the stronger ones authentically have nothing, and what it finds never replaces what a stronger one found. Where the
 * signed keyserver of a domain answers that it has no certificate, the Web Key Directory is not asked any more. Last of all come
 * certificates that one account accepted for an address: where nobody publishes anything, or what is published is not proven by
 * DNSSEC, and never over one that is revoked, expired, weak or not the only one.
 *
 * Promises: only what DNSSEC proves counts as the domain's word, insecure records are shown and not used; trouble (bogus,
 * SERVFAIL, no answer, a wrong TLS name) is `temporary` and never "nobody has a key"; exactly one certificate that carries the
 * address and passes policy is taken, without anything in it that its owner did not sign; a certificate is kept for seven days at
 * the most and then deleted, and until then no failure replaces it, but its own revocation does.
 *
 * Must never: guess from public keyservers, follow a redirect, connect to an address inside our own network because a stranger's
 * DNS says so, or write down in clear whom our users write to.
 */
import type { AccountId } from '#custody/accounts/directory.ts'
import type { Address } from '#formats/message/address.ts'
import type { Bytes } from '#lib/bytes.ts'

/** Where a certificate was found; the strongest first. */
export const EVIDENCE = ['local', 'secure-srv', 'openpgpkey', 'wkd', 'accepted'] as const
export type Evidence = (typeof EVIDENCE)[number]

/** One thing that was looked at, in words for people. */
export interface Step {
  readonly source: 'directory' | 'srv' | 'keyserver' | 'openpgpkey' | 'wkd' | 'accepted' | 'cache'
  /** `refused`: it was there and may not be used. `failed`: nobody can say now. */
  readonly outcome: 'found' | 'absent' | 'refused' | 'failed'
  readonly text: string
}

export type Discovery =
  | {
      readonly kind: 'found'
      /** Binary, cleaned. */
      readonly certificate: Bytes
      /** Upper-case hex. */
      readonly fingerprint: string
      readonly evidence: Evidence
      readonly steps: readonly Step[]
      /** When it was looked up or accepted, in milliseconds since the epoch. */
      readonly at: number
      /** When it is deleted at the latest; of one that was accepted, when it ends by itself. */
      readonly until: number
      /** The account that asked accepted a certificate for the address: this one, or one that has given way to it. */
      readonly isAccepted?: boolean
    }
  /** Nobody publishes a certificate for the address. */
  | { readonly kind: 'none'; readonly steps: readonly Step[] }
  /** Something is published, and may not be used: an insecure record, a certificate that is revoked, expired, weak or of others. */
  | {
      readonly kind: 'unusable'
      readonly why: string
      readonly steps: readonly Step[]
      /** Only because DNSSEC does not prove what is published. */
      readonly isUnproven?: boolean
    }
  /** Mail that is to be sealed waits and is tried again; it is never sent in clear because of this. */
  | {
      readonly kind: 'temporary'
      readonly why: string
      readonly steps: readonly Step[]
      /** Nothing is published that DNSSEC proves, nor was anything accepted; the trouble is with a source that could not start sealing. */
      readonly isUnproven?: boolean
    }

/** A certificate that an address had. */
export interface Sighting {
  readonly fingerprint: string
  readonly evidence: Evidence
  /** Milliseconds since the epoch. */
  readonly first: number
  readonly last: number
}

/** Certificates that accounts accepted for addresses. */
export interface AcceptedCertificates {
  /** null: none. Throws when what is kept cannot be read: that is trouble, and not "none". */
  accepted(account: AccountId, address: Address): Promise<{ readonly certificate: Bytes; readonly at: number } | null>
}

export interface DiscoverOptions {
  /** Ask again whatever is remembered. */
  readonly fresh?: boolean
  /** Whose accepted certificates count too. */
  readonly account?: AccountId
  /** Nobody is asked while an answer of the last day or a certificate is remembered: who reads mail must not be seen by who wrote it. */
  readonly quiet?: boolean
}

/** Disposing ends what is under way with `temporary`. */
export interface Discoverer extends AsyncDisposable {
  /** Lookups of one address at one time are one. */
  discover(address: Address, options?: DiscoverOptions): Promise<Discovery>
  /**
   * A certificate that the address has or had, by the fingerprint or 64-bit id (upper-case hex) of any key in it: from our directory, or
   * from the keyserver that the domain names in signed DNS. For checking signatures, not for sealing: it may be revoked or expired, so
   * that whoever has it judges each signature at its time. Answers `found`, `none` or `temporary`.
   */
  certificate(address: Address, key: string): Promise<Discovery>
  /** Drops what is remembered of an address; the sightings stay. */
  forget(address: Address): Promise<void>
  /** Which certificates of the address were seen, newest first: more than one means that it changed. */
  sightings(address: Address): Promise<readonly Sighting[]>
}

/** The one discoverer of a running server: opened when somebody needs it for the first time. */
export interface DiscovererSource {
  discoverer(): Promise<Discoverer>
}
