/**
 * The SMTP envelope: who gets the message and whom to tell when that fails. It is not the header (RFC 5321 §2.3.1).
 */
import type { Address } from './address.ts'

/** RFC 3461 §4.1: what the sender wants to hear of. An empty list is NOTIFY=NEVER; null is "not said" (failure only, and delay). */
export type Notify = readonly ('success' | 'failure' | 'delay')[] | null

export interface EnvelopeRecipient {
  readonly address: Address
  readonly notify: Notify
  /** RFC 3461 §4.2: the original recipient as the sender wrote it, `type;decoded-value`. */
  readonly orcpt: string | null
}

export interface Envelope {
  /** null is the null reverse-path `<>` (RFC 5321 §4.5.5): nobody may be told of a failure. */
  readonly reversePath: Address | null
  readonly recipients: readonly EnvelopeRecipient[]
  /** RFC 6531: the message needs next hops that speak SMTPUTF8. */
  readonly smtputf8: boolean
  /** RFC 3461 §4.3: return the whole message or its header with a failure; null is "not said". */
  readonly ret: 'full' | 'hdrs' | null
  /** RFC 3461 §4.4: the sender's own name for this mail, decoded. */
  readonly envid: string | null
}
