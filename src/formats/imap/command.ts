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

export interface AppendedMessage {
  /** As the client wrote them. */
  readonly flags: readonly string[]
  /** Milliseconds since the epoch; null: now. */
  readonly internalDate: number | null
  readonly content: Buffer
}

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
  readonly key: SearchKey
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
  | { readonly kind: 'create'; readonly mailbox: string; readonly use: readonly string[] }
  | { readonly kind: 'delete' | 'subscribe' | 'unsubscribe'; readonly mailbox: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
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
