/**
 * What the sealing decorator asks of the store beneath it, besides what every store does: a place for the pages of its index. The
 * store beneath keeps pages as it keeps contents, as octets that mean nothing to it.
 *
 * A message is appended with a summary (sealed to the account's certificate) and waits. Once a session has keys, an entry in a page
 * takes the summary's place. Summaries and entries are of contents, which copies share: COPY and MOVE carry the message's number of its
 * page along, and nothing is made anew.
 */
import type { Bytes } from '#lib/bytes.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { IndexFiles } from '../search/sealed-files.ts'
import type { AnnotationPlace } from './annotations.ts'
import type {
  AccountMail,
  Appended,
  MailboxId,
  MailboxName,
  MailStore,
  MessageRow,
  MessageUnreadable,
  NewMessage,
  ReadingKeys,
  Uid,
} from './mail-store.ts'

/** Never given twice in an account, so it says which octets an entry of the index is about. Copies of a message share it. */
export type ContentId = number

/** Never given twice in an account either: what a page holds never changes. */
export type PageId = number

export interface SealedMessage extends NewMessage {
  /** Fingerprint of the certificate. */
  readonly sealedTo?: string
}

/** What is kept of a message besides its content. */
export interface IndexedParts {
  readonly content: ContentId
  readonly row: MessageRow
  /** Where its entry is; null: it waits. */
  readonly page: PageId | null
  /** While it waits; null: it does not, or it is missing. */
  readonly summary: Bytes | null
}

export interface NewPage {
  /** Whose entries it holds. */
  readonly contents: readonly ContentId[]
  /** Where their entries were (null: they waited). One that is elsewhere by now, or is gone, stays as it is. */
  readonly from: readonly (PageId | null)[]
  /** The octets, once its number is known. */
  readonly seal: (id: PageId) => Bytes
}

/** Contents that are alike. */
export interface ContentTally {
  /** Fingerprint of the certificate, or what else is known of the key; null: not looked at yet. */
  readonly sealedTo: string | null
  readonly unreadable: boolean
  readonly contents: number
}

export interface StoredContent {
  readonly id: ContentId
  /** Octets on the disk. */
  readonly size: number
}

export interface Place {
  readonly mailbox: MailboxId
  readonly uid: Uid
}

/**
 * Of a content that its sender had sealed or signed: 0 it is as it came, as all others are; 1 what its readers see has been put in
 * its place; 2 the same, and its signatures are to be checked again. In clear, so that the last ones are found.
 */
export type UnsealingState = 0 | 1 | 2

export interface ContentChange {
  /** Makes a page of the index that holds the content's entry alone. */
  readonly page: (id: PageId, content: ContentId) => Bytes
  /** Left as it was when not given. */
  readonly unsealing?: UnsealingState
}

export interface ContentReplacement extends ContentChange {
  readonly octets: Bytes
  readonly sealedTo: string
  /**
   * Readers have seen the octets before: every message that has them takes a new uid, and the old one vanishes, as when it is moved
   * within its mailbox (RFC 3501 §2.3.1.1: what a uid names never changes).
   */
  readonly renumbers?: boolean
  /** Names of messages, kept for a while from `at` on (milliseconds since the epoch), in the same step. */
  readonly cameSealed?: { readonly names: readonly Bytes[]; readonly at: number }
}

/** The contents themselves, whichever messages have them: for re-sealing and unsealing. */
export interface Contents {
  tally(): Promise<readonly ContentTally[]>
  /** Some that are not marked as unreadable. */
  sealedTo(sealedTo: string | null, limit: number): Promise<readonly StoredContent[]>
  /** null: gone, or replaced. */
  read(id: ContentId): Promise<Bytes | null>
  /**
   * Many at once, the reader's to give up. Those that are gone or replaced are left out; the error is of one whose stored form
   * is damaged.
   */
  readAll(ids: readonly ContentId[]): Promise<Map<ContentId, Bytes | MessageUnreadable>>
  /** A message that has it, with what else is kept of that message. */
  example(id: ContentId): Promise<(IndexedParts & Place) | null>
  /**
   * Puts other octets, under another id, in the place of a content, and a page of the index in the place of what else is kept of
   * the messages that have it, all in one step; the quota is adjusted and not checked. false: it was gone, or replaced.
   */
  replace(id: ContentId, replacement: ContentReplacement): Promise<boolean>
  /** The same, but the octets and their id stay. */
  describe(id: ContentId, change: ContentChange): Promise<boolean>
  /** 0 for what is gone. */
  unsealing(id: ContentId): Promise<UnsealingState>
  /** Those in state 2, newest first, below `before` (null: from the newest). */
  unchecked(before: ContentId | null, limit: number): Promise<readonly ContentId[]>
  mark(id: ContentId, as: { readonly sealedTo: string | null; readonly unreadable: boolean }): Promise<void>
}

export interface ContentRun {
  readonly first: ContentId
  readonly last: ContentId
}

/** A message that has the content. */
export interface PlacedContent extends Place {
  readonly content: ContentId
  /** Octets on the disk. */
  readonly size: number
}

/** Of each message of a mailbox, ascending by uid, which content it has. */
export interface MailboxContents {
  /** Another text once anything was changed. */
  readonly revision: string
  readonly uids: Uint32Array<ArrayBuffer>
  readonly contents: Float64Array
}

/** What the index of texts asks: which contents there are, and where its files are kept. */
export interface Searchable {
  /** null: nothing was changed since the revision `known`. Throws NoSuchMailbox. */
  mailbox(mailbox: MailboxId, known: string | null): Promise<MailboxContents | null>
  /** Messages whose contents are in the run, the newest contents first. */
  placed(run: ContentRun, limit: number): Promise<readonly PlacedContent[]>
  /** Those of these messages that are there. Throws NoSuchMailbox. */
  places(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly PlacedContent[]>
  readonly files: IndexFiles
}

/** The pages of an account's index. */
export interface Pages {
  /** Those that are there. */
  read(ids: readonly PageId[]): Promise<ReadonlyMap<PageId, Bytes>>
  /** Ascending, above `after`. */
  after(after: PageId, limit: number): Promise<readonly PageId[]>
  /** Contents whose entry is in the page, by number; what else it holds is of messages that are gone. */
  contentsOf(page: PageId): Promise<readonly ContentId[]>
  /** How many contents are in none. */
  waiting(): Promise<number>
  /** Those with few entries, or with entries that nobody needs any more; the oldest first. */
  untidy(limit: number): Promise<readonly PageId[]>
  /**
   * Keeps pages; what they were made of goes. Changes no MODSEQ, tells nobody, and is not waited for: after a power cut
   * summaries and pages may be as they were before.
   */
  keep(pages: readonly NewPage[]): Promise<void>
  /** Names the index key that all pages are known to be under; null when that is not known. */
  keyName(): Promise<string | null>
  nameKey(name: string): Promise<void>
}

export interface IndexedAccountMail extends AccountMail {
  readonly contents: Contents
  readonly pages: Pages
  readonly searchable: Searchable
  /** Where the annotations of a mailbox, or (null) of the account, lie as octets. Its methods throw NoSuchMailbox. */
  annotationPlace(mailbox: MailboxId | null): AnnotationPlace
  /** Messages that are in no page yet, newest first, below the uid `before` (null: from the newest). */
  waiting(mailbox: MailboxId, before: Uid | null, limit: number): Promise<readonly Uid[]>
  /** In the order asked for; null for a uid that is gone. */
  parts(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (IndexedParts | null)[]>
  /** For each of the names whether it is kept (`cameSealed`). */
  knowsSealed(names: readonly Bytes[]): Promise<readonly boolean[]>
  /** Those of `uids` that are there and not \Seen. */
  unseen(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly Uid[]>
}

export interface IndexedMailStore extends MailStore {
  append(account: AccountId, mailbox: MailboxName, message: SealedMessage): Promise<Appended>
  open(account: AccountId, keys: ReadingKeys | null): Promise<IndexedAccountMail>
}
