import type { MailboxId } from '#custody/store/mail-store.ts'
import type { Telling } from '../selected.ts'

/** What a conversation knows of the one who tells what was asked for with NOTIFY. */
export interface NewsTeller extends Disposable {
  /** What there is to tell of the selected mailbox, as far as it was asked for. Throws NoSuchMailbox. */
  tellSelected(telling: Telling, asked: boolean): Promise<void>
  /** Lets a command begin: what is being told is told before. */
  pause(): Promise<void>
  /** Whatever came meanwhile may be told; in IDLE also EXPUNGE (RFC 5465 §4). */
  resume(idling?: boolean): void
  /** The client itself did this and needs not be told (RFC 5465 §5). */
  ownMailboxes(...names: readonly string[]): void
  /** The same of entries; 0 stands for the account. */
  ownEntries(mailbox: MailboxId, names: readonly string[]): void
}
