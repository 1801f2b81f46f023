/**
 * What the sealing decorator asks of the store beneath it, besides what every store does: a place for each message's index
 * record. The store beneath keeps records as it keeps contents, as octets that mean nothing to it.
 *
 * A message is appended with a summary (sealed to the account's certificate) and waits. Once a session has keys, the record
 * takes the summary's place. COPY and MOVE carry summary and record along unchanged; who made the record makes it anew.
 */
import type { Bytes } from '#lib/bytes.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { AccountMail, MailboxId, MailStore, ReadingKeys, Uid } from './mail-store.ts'

export interface WaitingSummary {
  readonly uid: Uid
  readonly summary: Bytes
}

export interface IndexRecord {
  readonly uid: Uid
  readonly record: Bytes
}

/** What is kept of a message besides its content: either may be missing. */
export interface IndexedParts {
  readonly summary: Bytes | null
  readonly record: Bytes | null
}

export interface IndexedAccountMail extends AccountMail {
  /** Messages whose summary has no record in its place yet, newest first, below the uid `before` (null: from the newest). */
  waiting(mailbox: MailboxId, before: Uid | null, limit: number): Promise<readonly WaitingSummary[]>
  /** In the order asked for; null for a uid that is gone. */
  parts(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (IndexedParts | null)[]>
  /** Puts the records in the place of the summaries; skips messages that are gone. Changes no MODSEQ and tells nobody. */
  keepRecords(mailbox: MailboxId, records: readonly IndexRecord[]): Promise<void>
}

export interface IndexedMailStore extends MailStore {
  open(account: AccountId, keys: ReadingKeys | null): Promise<IndexedAccountMail>
}
