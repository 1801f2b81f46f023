/**
 * Taking mail in from elsewhere: Maildirs, mbox files, other IMAP servers. A source reads (maildir-source, mbox-source,
 * imap-source); the importer appends what it reads to an account's store, which seals it: no password of the account is needed.
 *
 * Promises: a message is stored with the octets that it has as mail (wire-form.ts), its flags, its keywords and its date. What
 * cannot be read or kept is named and the rest goes on. Running an import again continues it: the ledger (ledger.ts) remembers
 * what came in, so nothing is stored twice in one mailbox, and a crash between the append and the ledger's line is covered by the
 * delivery key. Memory holds a bounded number of messages, never a mailbox.
 *
 * Sources are not trusted: their sizes, dates, names and links are somebody else's words. Symbolic links are not followed (an
 * administrator imports what a user put there), every read has a limit, and no name reaches the file system.
 */
import type { SpecialUse } from '#custody/store/mail-store.ts'
import type { Bytes } from '#lib/bytes.ts'

export interface SourceMessage {
  readonly kind: 'message'
  /** For people, within its mailbox: a file name, a place in a file, a UID. */
  readonly name: string
  /** As it is to be stored. */
  readonly content: Bytes
  /** Milliseconds since the epoch; null when the source does not know. */
  readonly internalDate: number | null
  /** What the source has; the importer keeps what can be kept. */
  readonly flags: readonly string[]
  /** Names the message for good, without its content (IMAP: mailbox, UIDVALIDITY, UID): it need not be fetched again. */
  readonly origin?: string
}

export type SourceEntry =
  | SourceMessage
  /** It stays out, for this reason. */
  | { readonly kind: 'unreadable'; readonly name: string; readonly why: string }
  /** Its origin was known, so its content was not fetched. */
  | { readonly kind: 'known' }

export interface SourceMailbox {
  /** Levels of the name, in Unicode; none for the source's only or first mailbox. */
  readonly levels: readonly string[]
  readonly specialUse: SpecialUse | null
  /** It shows messages of the other mailboxes too (RFC 6154 \All): only what is in none of them is wanted. */
  readonly isView: boolean
  /** Messages in it, when that is known without reading. */
  readonly count: number | null
  /** `known` says of origins whether they came in before. */
  entries(known: (origins: readonly string[]) => Promise<readonly boolean[]>): AsyncIterable<SourceEntry>
}

/** Read once, in order, each mailbox to its end or not at all. */
export interface MailSource extends AsyncDisposable {
  mailboxes(): AsyncIterable<
    SourceMailbox | { readonly kind: 'unreadable'; readonly name: string; readonly why: string }
  >
}

/** The source is not what it was said to be, or is not there any more. Its message is for people. */
export class SourceFailed extends Error {
  override readonly name = 'SourceFailed'
}
