/**
 * The commands of IMAP4rev1 (RFC 3501 §6) and the extensions that Letterlock speaks, as values: what parser.ts reads and
 * command-writer.ts writes. Mailbox names are Unicode here (modified UTF-7 undone), INBOX is spelled in capitals.
 */
import type { FetchItem } from './fetch-item.ts'
import type { SearchKey, SearchReturn } from './search-key.ts'
import type { SequenceSet } from './sequence-set.ts'

export type StatusAttribute =
  | 'messages'
  | 'recent'
  | 'uidNext'
  | 'uidValidity'
  | 'unseen'
  /** RFC 7162 */
  | 'highestModseq'
  /** RFC 8438 */
  | 'size'
  /** RFC 9051 §6.3.11 */
  | 'deleted'
  /** RFC 9208 §4.1.4: octets that an EXPUNGE would free. */
  | 'deletedStorage'
  /** RFC 8474 §4.2 */
  | 'mailboxId'
  /** RFC 7889 §3 */
  | 'appendLimit'

export interface AppendedMessage {
  /** As the client wrote them. */
  readonly flags: readonly string[]
  /** Milliseconds since the epoch; null: now. */
  readonly internalDate: number | null
  /** The octets, or what they are put together from (RFC 4469 CATENATE), in order. */
  readonly content: Buffer | readonly CatenatedPiece[]
  /** RFC 6855 §4: the message came as `UTF8 (~{...})`. */
  readonly utf8: boolean
}

/** RFC 4469 §3. A URL is as the client wrote it (RFC 5092 §6). */
export type CatenatedPiece =
  | { readonly kind: 'text'; readonly octets: Buffer }
  | { readonly kind: 'url'; readonly url: string }

/** RFC 7162 §3.2.5: what the client knows of the mailbox that it selects. */
export interface QresyncParameters {
  readonly uidValidity: number
  readonly modseq: number
  readonly knownUids: SequenceSet | null
  readonly match: { readonly sequence: SequenceSet; readonly uids: SequenceSet } | null
}

export interface SelectCommand {
  readonly kind: 'select' | 'examine'
  readonly mailbox: string
  /** What the client called it, where that is not what it is called (RFC 9051 §6.3.2). */
  readonly written?: string
  /** RFC 7162 §3.1.8 */
  readonly condstore: boolean
  readonly qresync: QresyncParameters | null
}

export interface ListCommand {
  readonly kind: 'list'
  readonly reference: string
  /** One, or several in parentheses (RFC 5258 §3); `*` and `%` are wild. */
  readonly patterns: readonly string[]
  /** RFC 5258 §3.1, RFC 6154 §5.2 selection options. */
  readonly select: readonly ('subscribed' | 'remote' | 'recursiveMatch' | 'specialUse')[]
  /** RFC 5258 §3.2, RFC 6154, RFC 5819 return options; null when there was no RETURN. */
  readonly return: readonly ('subscribed' | 'children' | 'specialUse')[] | null
  /** RFC 5819: STATUS for each mailbox listed. */
  readonly status: readonly StatusAttribute[] | null
  /** RFC 5258 syntax was used: options or several patterns. */
  readonly extended: boolean
}

export interface SearchCommand {
  readonly kind: 'search'
  readonly uid: boolean
  /** Upper case; null: not said, which is US-ASCII. Text in the key is read as UTF-8 whatever it says: refuse others (BADCHARSET). */
  readonly charset: string | null
  /** RFC 4731; null: no RETURN, answer with SEARCH. */
  readonly return: readonly SearchReturn[] | null
  /** RFC 9394 §3.1 RETURN (PARTIAL ...); also in SORT (RFC 5267). */
  readonly partial: PartialRange | null
  readonly key: SearchKey
}

/** RFC 9394 §3.1: places from 1, or from -1 backwards from the end; both of one sign. */
export interface PartialRange {
  readonly first: number
  readonly last: number
}

/** RFC 5256 §3 */
export type SortField = 'arrival' | 'cc' | 'date' | 'from' | 'size' | 'subject' | 'to' | 'displayFrom' | 'displayTo'

export interface SortCriterion {
  readonly field: SortField
  readonly reverse: boolean
}

/** RFC 5256 SORT, with RETURN RFC 5267 §3 (ESORT). The charset must be given. */
export interface SortCommand extends Omit<SearchCommand, 'kind' | 'charset'> {
  readonly kind: 'sort'
  readonly charset: string
  readonly criteria: readonly SortCriterion[]
}

/** RFC 5256 THREAD. */
export interface ThreadCommand {
  readonly kind: 'thread'
  readonly uid: boolean
  /** Upper case, as the client wrote it: unknown ones are the server's to refuse. */
  readonly algorithm: string
  readonly charset: string
  readonly key: SearchKey
}

/** RFC 5465 §6: which mailboxes are meant. */
export type NotifyMailboxes =
  | { readonly kind: 'selected' | 'selectedDelayed' | 'inboxes' | 'personal' | 'subscribed' }
  | { readonly kind: 'subtree' | 'mailboxes'; readonly names: readonly string[] }

/** RFC 5465 §5. Names in capitals as registered; unknown ones are the server's to refuse (BADEVENT). */
export interface NotifyGroup {
  readonly mailboxes: NotifyMailboxes
  /** Empty: NONE. */
  readonly events: readonly string[]
  /** What to FETCH of new messages in the selected mailbox; empty when nothing was said. */
  readonly messageNew: readonly FetchItem[]
}

/** RFC 5465 §3; groups null: NOTIFY NONE. */
export interface NotifyCommand {
  readonly kind: 'notify'
  readonly status: boolean
  readonly groups: readonly NotifyGroup[] | null
}

/** RFC 5464 §4.2. An empty mailbox name is the server itself. */
export interface GetMetadataCommand {
  readonly kind: 'getMetadata'
  readonly mailbox: string
  /** Octets; larger values are left out. */
  readonly maxSize: number | null
  readonly depth: '0' | '1' | 'infinity'
  readonly entries: readonly string[]
}

export interface FetchCommand {
  readonly kind: 'fetch'
  readonly uid: boolean
  readonly set: SequenceSet
  readonly items: readonly FetchItem[]
  /** RFC 7162 §3.1.4.1 */
  readonly changedSince: number | null
  /** RFC 7162 §3.2.6 */
  readonly vanished: boolean
  /** RFC 9394 §3.2; UID FETCH alone. */
  readonly partial: PartialRange | null
}

export interface StoreCommand {
  readonly kind: 'store'
  readonly uid: boolean
  readonly set: SequenceSet
  readonly mode: 'replace' | 'add' | 'remove'
  readonly silent: boolean
  readonly flags: readonly string[]
  /** RFC 7162 §3.1.3 */
  readonly unchangedSince: number | null
}

/** Commands without arguments. */
export interface BareCommand {
  readonly kind:
    | 'capability'
    | 'noop'
    | 'logout'
    | 'starttls'
    | 'namespace'
    | 'idle'
    | 'check'
    | 'close'
    | 'unselect'
    | 'expunge'
}

export type Command =
  | BareCommand
  /** Mechanism in capitals. The initial response (RFC 4959) is decoded; the receiver wipes it. */
  | { readonly kind: 'authenticate'; readonly mechanism: string; readonly initialResponse: Buffer | null }
  /** Octets as they came; the receiver wipes them. */
  | { readonly kind: 'login'; readonly user: Buffer; readonly password: Buffer }
  /** Capitals. */
  | { readonly kind: 'enable'; readonly capabilities: readonly string[] }
  | SelectCommand
  /** RFC 6154 §3 USE: attributes with backslash. */
  | {
      readonly kind: 'create'
      readonly mailbox: string
      readonly use: readonly string[]
      /** What the client called it, where that is not what it will be called (RFC 9051 §6.3.4). */
      readonly written?: string
    }
  | { readonly kind: 'delete' | 'subscribe' | 'unsubscribe'; readonly mailbox: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly written?: string }
  | ListCommand
  | { readonly kind: 'lsub'; readonly reference: string; readonly pattern: string }
  | { readonly kind: 'status'; readonly mailbox: string; readonly attributes: readonly StatusAttribute[] }
  /** One message; several with RFC 3502. */
  | { readonly kind: 'append'; readonly mailbox: string; readonly messages: readonly AppendedMessage[] }
  /** RFC 4315 */
  | { readonly kind: 'uidExpunge'; readonly uids: SequenceSet }
  | SearchCommand
  | FetchCommand
  | StoreCommand
  | { readonly kind: 'copy' | 'move'; readonly uid: boolean; readonly set: SequenceSet; readonly mailbox: string }
  | SortCommand
  | ThreadCommand
  | NotifyCommand
  | GetMetadataCommand
  /** RFC 5464 §4.3; null removes. */
  | {
      readonly kind: 'setMetadata'
      readonly mailbox: string
      readonly entries: readonly (readonly [name: string, value: Buffer | null])[]
    }
  /** RFC 9208 §4.1 */
  | { readonly kind: 'getQuota'; readonly root: string }
  | { readonly kind: 'getQuotaRoot'; readonly mailbox: string }
  /** Refused: only the operator sets limits. */
  | { readonly kind: 'setQuota'; readonly root: string }
  /** RFC 4978; in capitals. */
  | { readonly kind: 'compress'; readonly mechanism: string }
  /** RFC 2971: pairs, or null for NIL. */
  | { readonly kind: 'id'; readonly parameters: readonly (readonly [field: string, value: string | null])[] | null }

/** What the command reader (parser.ts) has to say next. */
export type ReaderEvent =
  | { readonly kind: 'command'; readonly tag: string; readonly command: Command }
  /** A synchronising literal may come: answer `+ `. */
  | { readonly kind: 'continue' }
  /** Answer `tag status [code] text`, untagged `* BAD` when the tag could not be read. The reader has recovered. */
  | {
      readonly kind: 'rejected'
      readonly tag: string | null
      readonly status: 'NO' | 'BAD'
      readonly code: 'TOOBIG' | null
      readonly text: string
    }
  /** The line that was waited for with expectLine(), without its line end: a SASL response, or DONE. The receiver wipes it. */
  | { readonly kind: 'line'; readonly line: Buffer }
  /** The stream cannot be followed any further: say `* BYE text` and close. */
  | { readonly kind: 'fatal'; readonly text: string }
