/**
 * The submission agent (RFC 6409): takes a logged-in author's message, checks who it says it is from, completes it, and
 * sends each recipient's copy on its way: into the store for our own, into the queue for the world, into Sent for the author.
 *
 * An author uses their own addresses only, in the envelope and in From (§6.1). The null reverse-path is theirs too: clients
 * send read receipts with it (RFC 8098 §3). All or nothing: the copy in Sent comes first and is taken back when what
 * follows fails, and what follows is one step, an append (a single recipient of ours) or one write of the queue (all
 * others, ours included, who have it a moment later). What is kept for pickup is taken back in the same way. The author's IP address does not travel in the Received field:
 * where people are when they write is not for their readers.
 *
 * For recipients elsewhere there is a plan (privacy/e2e/plan.ts) before anything is done: whom it is sealed to, who waits, and whether
 * it may leave in clear. When one recipient is refused, nobody gets anything. What left in clear although this provider seals is
 * told at once, in the reply, and stays told, in the copy in Sent. What answers or forwards mail that came encrypted does not leave in
 * clear, unless the message itself asks for it. Fields between author and provider (Letterlock-...) never travel.
 */
import type { Account } from '#custody/accounts/directory.ts'
import type { Address } from '#formats/message/address.ts'
import type { Envelope } from '#formats/message/envelope.ts'
import type { Reply } from '#formats/smtp/reply.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { IsReplyToSealed } from '#privacy/e2e/plan.ts'
import type { Peer } from '../inbound/inbound.ts'

/** The author's key, as far as their session may use it. */
export interface MailSigner {
  /**
   * A signature packet over the content as of `created`, milliseconds since the epoch, for the owners of these certificates (upper-case
   * hex fingerprints). Throws NotWithThisCredential when this session may not sign after all; whatever else it throws, nothing is sent.
   */
  sign(content: Bytes, created: number, meant: { readonly recipients: readonly string[] }): Promise<Bytes>
}

export interface SubmittedMail {
  readonly queueId: string
  readonly author: Account
  readonly peer: Peer
  readonly envelope: Envelope
  /** Strictly CRLF. */
  readonly content: Bytes
  /** null or absent: what is sealed is not signed. */
  readonly signer?: MailSigner | null
  /** Asked when the message would leave in clear. null or absent: the session does not read, so nobody can say. */
  readonly isReplyToSealed?: IsReplyToSealed
}

export interface SubmissionAgent {
  /** null: this account may use it as reverse-path. Otherwise the reply to MAIL (550 5.7.1). */
  checkSender(author: Account, reversePath: Address | null): Promise<Reply | null>
  /** null: take it. Unknown addresses of our own domains are refused here. */
  checkRecipient(author: Account, recipient: Address): Promise<Reply | null>
  /** Durable for all recipients when the reply is positive; nothing was done otherwise. */
  submit(mail: SubmittedMail): Promise<Reply>
}

/** Marks the copy in Sent that submission made, so that the one which the author's client appends can take its place. */
export const SUBMITTED_KEYWORD = '$Submitted'
