/**
 * End to end between providers: what becomes of a message for each of its recipients, and how it is sealed.
 *
 * On the way out: for each recipient outside, discovery says which certificate there is and why it is believed; the policy of the
 * author says what happens without one; the message is signed with the author's key and encrypted in the form of PGP/MIME (RFC
 * 3156) with its header protected inside (RFC 9788). One sealed copy goes to all recipients that the message itself names, one of
 * its own to each other one, so that no copy names a blind recipient. On the way in: whose certificates a signature may be by.
 *
 * Promises: where policy wants encryption nothing leaves in clear, whatever fails; trouble of DNS or of a keyserver makes mail wait
 * and never changes what it is sealed to; nothing that is encrypted or signed already is changed; where this provider can seal at all,
 * the author hears of every recipient whose mail left in clear.
 *
 * Must never: touch a secret key (the vault signs), or write down in clear what a message says.
 */
import type { Evidence } from '#privacy/discovery/discovery.ts'

/**
 * What becomes of mail for somebody who has no certificate: `plain` it leaves as it was written, `warn` the same and its author gets
 * a message that says so, `refuse` it is not taken, `pickup` it is kept here, sealed, for the recipient to read on a page.
 */
export const WITHOUT_KEY = ['plain', 'warn', 'refuse', 'pickup'] as const
export type WithoutKey = (typeof WITHOUT_KEY)[number]

/** What a message asks for itself, in a field that is taken out before it is sent. */
export const DEMANDS = ['required', 'automatic', 'pickup', 'no'] as const
export type Demand = (typeof DEMANDS)[number]

export const DEMAND_FIELD = 'Letterlock-Encrypt'

/** What becomes of a message for one recipient. */
export type Fate =
  | {
      readonly kind: 'sealed'
      /** Binary. */
      readonly certificate: Uint8Array
      /** Upper-case hex. */
      readonly fingerprint: string
      readonly evidence: Evidence
    }
  /** An account of this provider: it stays here and rests sealed. */
  | { readonly kind: 'kept' }
  /** Its author encrypted it: it goes as it is. */
  | { readonly kind: 'already' }
  | { readonly kind: 'plain'; readonly why: string; readonly warns: boolean }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'pickup'; readonly why: string }
  /** Nobody can say now: it waits, sealed, and is tried again. */
  | { readonly kind: 'waits'; readonly why: string }
