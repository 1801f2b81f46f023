/** What a search looks at. */
import type { AccountMail, MailboxId, Uid } from '#custody/store/mail-store.ts'
import type { Logger } from '#lib/log.ts'

/** The selected mailbox, as far as a search looks at it. */
export interface SearchedMailbox {
  readonly mail: AccountMail
  readonly id: MailboxId
  readonly view: {
    readonly length: number
    readonly lastUid: Uid
    uidAt(place: number): Uid
    isRecent(uid: Uid): boolean
  }
}

export interface SearchGround {
  readonly mailbox: SearchedMailbox
  /** What `$` means (RFC 5182), ascending. */
  readonly saved: ArrayLike<Uid>
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly logger: Logger
  /** Asked now and then; throws when nobody waits for the answer any more. */
  readonly goOn: () => void
}
