/**
 * What a logged-in person may do: the one door for all front-ends. A session holds the account's unlocked keys and mail; it
 * ends with logout, suspension, a password change, or the end of the app password that it came in by, and says so through `ended`.
 */

import type { Peer } from '#agents/inbound/inbound.ts'
import type { Account } from '#custody/accounts/directory.ts'
import type { AccountMail, MailChanges } from '#custody/store/mail-store.ts'
import type { Address } from '#formats/message/address.ts'
import type { Envelope } from '#formats/message/envelope.ts'
import type { Reply } from '#formats/smtp/reply.ts'
import type { MalformedScram } from '#formats/smtp/scram.ts'
import type { Bytes } from '#lib/bytes.ts'

export type Protocol = 'imap' | 'pop3' | 'submission' | 'jmap'

export interface LoginAttempt {
  /** As typed by the client. */
  readonly user: string
  /** Wiped by the desk once it is used; never made a string. */
  readonly credential: Buffer
  readonly protocol: Protocol
  readonly ip: string
}

export type LoginResult =
  | { readonly kind: 'welcome'; readonly session: UserSession }
  /** Wrong password, unknown account, suspended: the same words and the same time for all. */
  | { readonly kind: 'refused' }
  /** The password is right, and the account wants its separate passphrase too, which no mail program asks for. */
  | { readonly kind: 'passphrase' }
  /** Too many attempts from here, or our own trouble; try later. */
  | { readonly kind: 'unavailable' }

export interface ScramAttempt {
  /** The client's first message, decoded. */
  readonly clientFirst: Buffer
  readonly protocol: Protocol
  readonly ip: string
}

export type ScramBegun =
  /** `finish` takes the client's last message, once, and wipes it. */
  | { readonly kind: 'challenge'; readonly challenge: Buffer; finish(clientFinal: Buffer): Promise<ScramFinished> }
  | { readonly kind: 'unavailable' }
  | MalformedScram

export type ScramFinished =
  /** The client wants to see the challenge before it believes that it is welcome. */
  | { readonly kind: 'welcome'; readonly session: UserSession; readonly challenge: Buffer }
  | Exclude<LoginResult, { readonly kind: 'welcome' }>
  | MalformedScram

export interface SessionDesk {
  login(attempt: LoginAttempt): Promise<LoginResult>
  /** Whether to offer SCRAM-SHA-256 to a client from there; it is taken from everybody. */
  offersScram(ip: string): boolean
  /** SCRAM-SHA-256 (RFC 7677), for app passwords alone. */
  beginScram(attempt: ScramAttempt): Promise<ScramBegun>
}

export interface UserSession extends AsyncDisposable {
  readonly account: Account
  /** What the person must be told at login, a sentence each. */
  readonly notices: readonly string[]
  /** Opened at the first call. Rejects with NotWithThisCredential when the app password is for sending alone. */
  mail(): Promise<AccountMail>
  readonly changes: MailChanges
  /** Makes the encoded summary that an append wants from the octets of a message. */
  summarize(message: Bytes): Bytes
  checkSender(reversePath: Address | null): Promise<Reply | null>
  checkRecipient(recipient: Address): Promise<Reply | null>
  submit(mail: { queueId: string; peer: Peer; envelope: Envelope; content: Bytes }): Promise<Reply>
  readonly ended: AbortSignal
}
