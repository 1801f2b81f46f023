/**
 * The mail store: messages in mailboxes in accounts, with the numbers that IMAP and JMAP need. It knows neither of them,
 * nor OpenPGP: content and summary are octets that come back as they went in. Only what a sender sealed or signed comes back as what
 * it says, and beside it what protected it: that is the sealing store's work, which knows OpenPGP.
 *
 * Four things implement it and pass one contract (mail-store.contract.ts and the parts it names): memory-mail-store (the reference),
 * sql-mail-store (one SQLite file per account), sealed-mail-store (a decorator that seals what it hands on and unseals what
 * it reads; the only place where sealing at rest happens) and store-pool (the same behind worker threads).
 *
 * Promises: an append is on the disk when it resolves. UIDs rise and are never used twice under one UIDVALIDITY
 * (RFC 3501 §2.3.1.1); UIDVALIDITY never repeats for a re-created name; every change of a message or its flags takes a
 * higher MODSEQ (RFC 7162). Nothing here grows with the mailbox that need not.
 */
import type { TextQuery } from '#formats/message/message-text.ts'
import type { Protection } from '#formats/pgp-mime/protection.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { UnsealingAid } from './unsealing-aid.ts'

export type MailboxId = number
export type Uid = number

/** A name in the hierarchy, levels separated by `/`, Unicode NFC. INBOX is spelled in capitals. */
export type MailboxName = string

/** RFC 6154 attribute without the backslash. */
export type SpecialUse = 'Sent' | 'Drafts' | 'Trash' | 'Junk' | 'Archive'

export interface NewMessage {
  /** The exact octets of the message. */
  readonly content: Bytes
  /** Encoded MessageSummary (formats/message/summary.ts). */
  readonly summary: Bytes
  /** Milliseconds since the epoch; kept to the second. */
  readonly internalDate: number
  /** System flags with backslash (`\Seen`) and keywords, case kept, compared without case. */
  readonly flags: readonly string[]
  /** When given, a second append of the same key to the same account does nothing and answers the first one's place. */
  readonly deliveryKey?: string
}

export interface Appended {
  readonly mailbox: MailboxId
  readonly uidValidity: number
  readonly uid: Uid
}

export interface Mailbox {
  readonly id: MailboxId
  readonly name: MailboxName
  readonly uidValidity: number
  readonly subscribed: boolean
  readonly specialUse: SpecialUse | null
}

export interface MailboxStatus {
  readonly messages: number
  readonly unseen: number
  readonly deleted: number
  readonly uidNext: number
  readonly uidValidity: number
  readonly highestModseq: number
  /** Sum of the clear (padded) sizes. */
  readonly size: number
}

/** All that SELECT tells. It costs the same however many messages there are. */
export interface MailboxOverview {
  readonly status: MailboxStatus
  /** Keywords that messages have, as first spelled; it may be that some are on none any more. */
  readonly keywords: readonly string[]
  readonly firstUnseen: Uid | null
  /**
   * The uids, as pairs of first and last of each run, ascending: those that are there, or, instead, those that vanished since the
   * `known` MODSEQ. What was there then and did not vanish is there, and so is every other uid given since.
   */
  readonly present: Uint32Array<ArrayBuffer> | null
  readonly vanished: Uint32Array<ArrayBuffer> | null
}

/** What is known of a message without any key: this and nothing else is in clear on the disk (keys.md, At rest). */
export interface MessageRow {
  readonly uid: Uid
  readonly modseq: number
  readonly internalDate: number
  readonly flags: readonly string[]
  /** Size rounded up; the exact one is in the summary. */
  readonly paddedSize: number
}

/** What stays with a message that no change of flags changes. */
export interface MessageFacts {
  /** RFC 8474 §5.1: the same for copies, wherever they are; another one as soon as readers see other octets. 1 to 255 of `[A-Za-z0-9_-]`. */
  readonly emailId: string
  /** RFC 8514: when it came into this mailbox, in milliseconds since the epoch, to the second. */
  readonly savedDate: number
}

/** Uids, ascending. What stands in neither surely does not match. */
export interface TextMatches {
  readonly yes: Uint32Array<ArrayBuffer>
  /** To be looked at (verifyText). */
  readonly open: Uint32Array<ArrayBuffer>
}

/** Copies of a message count once. */
export interface Indexing {
  readonly messages: number
  /** Those whose summaries are not in the index yet. */
  readonly waiting: number
  /** Those whose texts are indexed. */
  readonly indexed: number
}

/** What of messages is asked for together. */
export interface Wanted {
  readonly row?: boolean
  readonly summary?: boolean
  readonly content?: boolean
}

/** One of the messages that were asked for together; what was not wanted is null. */
export interface ReadMessage {
  readonly uid: Uid
  readonly row: MessageRow | null
  /** Encoded. */
  readonly summary: Bytes | null
  /** The exact octets, the reader's to keep. */
  readonly content: Bytes | null
  /** Why the summary or the content that was wanted cannot be had (what `read` says in a MessageUnreadable); null: nothing is missing. */
  readonly unreadable: string | null
}

export interface FlagChange {
  readonly mode: 'replace' | 'add' | 'remove'
  readonly flags: readonly string[]
  /** RFC 7162 §3.1.3: leave messages alone whose MODSEQ is higher, and name them. */
  readonly unchangedSince?: number
}

export interface FlagsChanged {
  /** The rows after the change (messages that had these flags already too). */
  readonly rows: readonly MessageRow[]
  /** Those that `unchangedSince` spared. */
  readonly spared: readonly Uid[]
  /** The mailbox's highest MODSEQ before and after the change: nothing else happened between. */
  readonly before: number
  readonly after: number
}

export interface MailboxChanges {
  /** New messages and changed flags, ascending by uid. */
  readonly changed: readonly MessageRow[]
  /**
   * As pairs of first and last of each run, ascending. After a long time there may be some among them that were gone before
   * (RFC 7162 §3.2.5.1), never one that is there.
   */
  readonly vanished: Uint32Array<ArrayBuffer>
  readonly highestModseq: number
}

export interface Quota {
  /** Octets on the disk. */
  readonly used: number
  readonly limit: number | null
}

/**
 * What mail of an account is sealed to. `certificate` is the current one for mail at rest, whose secret key the server keeps
 * locked. In device mode every message is first wrapped as PGP/MIME to `device`, whose secret key the server does not have.
 */
export interface Sealing {
  /** Binary. null: the account has no key yet, and nothing can be kept for it. */
  readonly certificate: Bytes | null
  readonly device: Bytes | null
}

/** Re-sealing to the current certificate: `running` goes on whenever somebody with keys is there, until all is done. */
export type ResealingState = 'off' | 'running' | 'paused'

/** How much of the mail is sealed to the current certificate. Copies of a message share one content. */
export interface Coverage {
  readonly contents: number
  readonly current: number
  readonly waiting: number
  /** Those that no key of the last try opened, or that are damaged; tried again when re-sealing is started again. */
  readonly unreadable: number
  readonly state: ResealingState
}

/** One account's mail, open. Ids of mailboxes that are gone make a NoSuchMailbox; uids that are gone are left out of answers. */
export interface AccountMail extends AsyncDisposable {
  /** All mailboxes, by name. INBOX, Sent, Drafts, Trash, Junk and Archive exist from the start. */
  mailboxes(): Promise<readonly Mailbox[]>
  /** The one of this name (exactly) or id; null: there is none. It costs the same however many there are. */
  mailbox(which: MailboxName | MailboxId): Promise<Mailbox | null>
  /** Also names of mailboxes that no longer exist stay subscribed (RFC 3501 §6.3.6). */
  subscriptions(): Promise<readonly MailboxName[]>
  subscribe(name: MailboxName, subscribed: boolean): Promise<void>
  /** Makes missing superiors too. Throws MailboxExists. */
  createMailbox(name: MailboxName, specialUse?: SpecialUse): Promise<Mailbox>
  /** Throws NoSuchMailbox, MailboxRefused (INBOX). Inferiors stay (RFC 3501 §6.3.4). */
  deleteMailbox(name: MailboxName): Promise<void>
  /**
   * Renames inferiors too. Renaming INBOX moves its messages to a new mailbox and leaves INBOX where it is, empty (RFC 3501
   * §6.3.5): answers what moved, otherwise null. Throws NoSuchMailbox, MailboxExists, MailboxRefused.
   */
  renameMailbox(from: MailboxName, to: MailboxName): Promise<Relocated | null>
  status(mailbox: MailboxId): Promise<MailboxStatus>

  /** `known`: a MODSEQ of this mailbox at which the caller knows the uids and UIDNEXT. */
  overview(mailbox: MailboxId, known?: number): Promise<MailboxOverview>
  /** In the order asked for; null for a uid that is gone. */
  rows(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (MessageRow | null)[]>
  /** Ascending by uid. */
  list(mailbox: MailboxId): Promise<readonly MessageRow[]>
  changesSince(mailbox: MailboxId, modseq: number): Promise<MailboxChanges>
  /** In the order asked for; null for a uid that is gone. Needs no keys. */
  facts(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (MessageFacts | null)[]>
  /** Encoded summaries, in the order asked for; null for a uid that is gone. */
  summaries(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (Bytes | null)[]>
  /**
   * Many at once, in the order asked for; null for a uid that is gone. Costs a fixed number of questions to the disk and to the keys,
   * however many they are; all that is asked for is in memory together, so the caller asks in groups. A summary costs no reading
   * of the content, and a row alone needs no keys.
   */
  messages(mailbox: MailboxId, uids: readonly Uid[], wanted: Wanted): Promise<readonly (ReadMessage | null)[]>
  /** The exact octets, or null for a uid that is gone. Throws MessageUnreadable when the stored form is damaged or sealed to a lost key. */
  read(mailbox: MailboxId, uid: Uid): Promise<Bytes | null>

  /**
   * How messages were protected by who sent them, in the order asked for; null for one that is gone, and for what came in clear
   * and unsigned.
   */
  protections(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly (Protection | null)[]>
  /**
   * Those of these Message-IDs, of which the last 50 are looked at, that are of mail which its sender had sealed and which was opened
   * here, within 400 days, whether or not it is still there. A store that does not seal knows of none.
   */
  sealedAmong(messageIds: readonly string[]): Promise<readonly string[]>

  /**
   * Searches the texts of all messages of a mailbox (formats/message/message-text.ts), an answer for each query, in their order.
   * It opens no message: what only its content would tell, because no index covers it yet, is left open.
   */
  textMatches(mailbox: MailboxId, queries: readonly TextQuery[]): Promise<readonly TextMatches[]>
  /** Opens these messages and answers those that match, in the order asked for. One that is gone or unreadable matches nothing. */
  verifyText(mailbox: MailboxId, uids: readonly Uid[], query: TextQuery): Promise<readonly Uid[]>
  /** How far the index of summaries and that of texts have come. Needs no keys. */
  indexing(): Promise<Indexing>

  append(mailbox: MailboxId, message: NewMessage): Promise<Appended>
  /** All of them in this order, or none (RFC 3502 §6.3.11); delivery keys do not count. Throws as `append` does. */
  appendAll(mailbox: MailboxId, messages: readonly NewMessage[]): Promise<readonly Appended[]>
  /** Throws TooManyFlags. */
  setFlags(mailbox: MailboxId, uids: readonly Uid[], change: FlagChange): Promise<FlagsChanged>
  /** All or nothing. Pairs of old and new uid, ascending. Throws OverQuota. */
  copy(from: MailboxId, uids: readonly Uid[], to: MailboxId): Promise<Copied>
  /** The same, and the originals vanish in the same transaction (RFC 6851 §3.3). */
  move(from: MailboxId, uids: readonly Uid[], to: MailboxId): Promise<Copied>
  /** Removes those of `uids` (or of all) that have \Deleted (RFC 3501 §6.4.3, RFC 4315 §2.1); answers the removed ones. */
  expunge(mailbox: MailboxId, uids?: readonly Uid[]): Promise<readonly Uid[]>
  /** Removes them all, whatever their flags, in one transaction; answers those that were there, ascending. */
  remove(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly Uid[]>
  quota(): Promise<Quota>

  /** Annotations (RFC 5464) of a mailbox, or (null) of the account itself: octets by entry name. */
  annotations(mailbox: MailboxId | null): Promise<ReadonlyMap<string, Bytes>>
  /** Sets entries, or (null) removes them: all or none. Throws TooManyAnnotations, OverQuota. */
  annotate(mailbox: MailboxId | null, entries: readonly (readonly [name: string, value: Bytes | null])[]): Promise<void>

  /** Needs no keys. A store that does not seal has nothing waiting. */
  coverage(): Promise<Coverage>
  /** Answers the state, after setting it to `next` when that is given. Starting it forgets what was unreadable. */
  resealing(next?: ResealingState): Promise<ResealingState>
  /**
   * Re-seals up to `limit` contents to the current certificate, each in a transaction of its own: what is under way when it
   * fails is as it was. Numbers, flags and dates of messages do not change, and readers notice nothing. When nothing waits any
   * more, the state becomes `off`. Throws KeysNeeded, NoCertificate, or the disk's error.
   */
  reseal(limit: number): Promise<Coverage>
}

export interface Copied {
  readonly uidValidity: number
  readonly uids: readonly (readonly [from: Uid, to: Uid])[]
}

export interface Relocated extends Copied {
  readonly from: MailboxId
  readonly to: MailboxId
}

/** Keys that open what is sealed; the plain stores ignore them. Structural, so that the store needs no other room. */
export interface ReadingKeys {
  readonly aid?: UnsealingAid
  sessionKeys(pkesks: readonly Bytes[]): Promise<readonly (Bytes | null)[]>
  /** 32 octets, for the sealed index of this account. A copy of its own, which the store wipes. */
  indexKey(): Promise<Bytes>
  /** Those of earlier generations of the account's master key, newest first; the same. */
  olderIndexKeys?(): Promise<readonly Bytes[]>
}

export interface MailStore extends AsyncDisposable {
  /** Makes the account's store with its first mailboxes. Idempotent. */
  create(account: AccountId): Promise<void>
  /** Delivery: needs no key. A missing mailbox is INBOX. Throws OverQuota, NoCertificate, or the disk's error (isDiskFull tells a full one). */
  append(account: AccountId, mailbox: MailboxName, message: NewMessage): Promise<Appended>
  /** Without keys what needs no key works; summaries and contents throw KeysNeeded. */
  open(account: AccountId, keys: ReadingKeys | null): Promise<AccountMail>
  quota(account: AccountId): Promise<Quota>
  setQuota(account: AccountId, limit: number | null): Promise<void>
  /** Deletes everything of the account. */
  remove(account: AccountId): Promise<void>
  readonly changes: MailChanges
}

/** What there is news of. */
export type Change =
  /** Messages and their flags: which, changesSince tells. */
  | { readonly kind: 'mail' }
  /** Mailboxes were made, deleted or renamed, or subscriptions changed. The mailbox is 0 where none is concerned. */
  | { readonly kind: 'mailboxes' }
  /** Entries of these names, of the mailbox or (0) of the account. */
  | { readonly kind: 'annotations'; readonly names: readonly string[] }

/** Tells front-ends that something changed once it is on the disk. */
export interface MailChanges {
  subscribe(account: AccountId, listener: ChangeListener): Disposable
}

export type ChangeListener = (mailbox: MailboxId, change: Change) => void

/** Of one mailbox, and of the account itself. */
export const ANNOTATIONS_PER_MAILBOX = 64

class StoreError extends Error {}
export class NoSuchMailbox extends StoreError {
  override readonly name = 'NoSuchMailbox'
}
export class MailboxExists extends StoreError {
  override readonly name = 'MailboxExists'
}
/** The change is never allowed; the message says why. */
export class MailboxRefused extends StoreError {
  override readonly name = 'MailboxRefused'
}
/** A message or a mailbox has as many keywords as it may have, or one is too long. */
export class TooManyFlags extends StoreError {
  override readonly name = 'TooManyFlags'
}
export class OverQuota extends StoreError {
  override readonly name = 'OverQuota'
}
export class TooManyMailboxes extends StoreError {
  override readonly name = 'TooManyMailboxes'
}
export class TooManyAnnotations extends StoreError {
  override readonly name = 'TooManyAnnotations'
}
/** The account has no certificate yet, so nothing can be kept for it. */
export class NoCertificate extends StoreError {
  override readonly name = 'NoCertificate'
}
export class KeysNeeded extends StoreError {
  override readonly name = 'KeysNeeded'
}
export class MessageUnreadable extends StoreError {
  override readonly name = 'MessageUnreadable'
}
/** No store was made for this account, or it was removed. */
export class NoSuchAccount extends StoreError {
  override readonly name = 'NoSuchAccount'
}
/** This account's files are damaged; others are not concerned. The message names the file and the remedy. */
export class AccountDamaged extends StoreError {
  override readonly name = 'AccountDamaged'
}
