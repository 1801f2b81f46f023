/**
 * The submission agent (RFC 6409): takes a logged-in author's message, checks who it says it is from, completes it, and
 * sends each recipient's copy on its way: into the store for our own, into the queue for the world, into Sent for the author.
 */

import type { Account } from '#custody/accounts/directory.ts'
import type { Address } from '#formats/message/address.ts'
import type { Envelope } from '#formats/message/envelope.ts'
import type { Reply } from '#formats/smtp/reply.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Peer } from '../inbound/inbound.ts'

export interface SubmittedMail {
  readonly queueId: string
  readonly author: Account
  readonly peer: Peer
  readonly envelope: Envelope
  /** Strictly CRLF. */
  readonly content: Bytes
}

export interface SubmissionAgent {
  /** null: this account may use it as reverse-path. Otherwise the reply to MAIL (553 5.7.1). */
  checkSender(author: Account, reversePath: Address | null): Promise<Reply | null>
  /** null: take it. Unknown addresses of our own domains are refused here. */
  checkRecipient(author: Account, recipient: Address): Promise<Reply | null>
  /** Durable for all recipients when the reply is positive; nothing was done otherwise. */
  submit(mail: SubmittedMail): Promise<Reply>
}

/** Marks the copy in Sent that submission made, so that the one which the author's client appends can take its place. */
export const SUBMITTED_KEYWORD = '$Submitted'
