/** What a delivery status notification is made from. */
import type { Bytes } from '#lib/bytes.ts'
import type { Address } from './address.ts'

/** RFC 3464 §2.3.3 */
export type DsnAction = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded'

export interface DsnRecipient {
  readonly address: Address
  /** ORCPT as the envelope keeps it: `type;decoded-value`. */
  readonly orcpt: string | null
  readonly action: DsnAction
  /** RFC 3463 status; null: the general one for the action. */
  readonly status: string | null
  /** The server that was asked, by name; null: it was our own decision. */
  readonly remote: string | null
  /** What that server (or we) answered: code and text, one line each. */
  readonly diagnostic: readonly string[]
  /** Milliseconds since the epoch; null: not said. */
  readonly lastAttempt: number | null
  readonly retryUntil: number | null
}

export interface DsnFacts {
  /** The reverse-path of the message that this is about. */
  readonly to: Address
  /** Us, for people. */
  readonly from: Address
  /** Our host name. */
  readonly reportingMta: string
  /** Random, for the Message-ID and for the boundary. */
  readonly id: string
  readonly now: number
  readonly arrived: number
  readonly envid: string | null
  /** RFC 3461 §4.3, from the envelope. */
  readonly ret: 'full' | 'hdrs' | null
  /** The message came with SMTPUTF8, so its sender reads UTF-8. */
  readonly smtputf8: boolean
  readonly recipients: readonly DsnRecipient[]
  /** The message, strictly CRLF. */
  readonly original: Bytes
}

const GENERAL: Record<DsnAction, string> = {
  failed: '5.0.0',
  delayed: '4.0.0',
  delivered: '2.0.0',
  relayed: '2.0.0',
  expanded: '2.0.0',
}

/** RFC 3463 §2, of the class that the action has: a temporary reason for which we gave up is a failure all the same. */
export function statusOf({ status, action }: Pick<DsnRecipient, 'status' | 'action'>): string {
  const general = GENERAL[action]
  if (status === null || !/^[245]\.[0-9]{1,3}\.[0-9]{1,3}$/.test(status)) return general
  return action === 'failed' && status.startsWith('2') ? general : status
}
