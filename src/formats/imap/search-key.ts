/**
 * What SEARCH asks for (RFC 3501 §6.4.4, RFC 5032, RFC 7162 §3.1.5), as a tree. It is never deeper than SEARCH_DEPTH, so it may
 * be walked by recursion. Keys of a flag (ANSWERED, UNSEEN, KEYWORD ...) and of a field (FROM, SUBJECT, HEADER ...) are one kind each.
 */
import type { SequenceSet } from './sequence-set.ts'

export const SEARCH_DEPTH = 100

export type SearchKey =
  | { readonly kind: 'all' }
  /** System flags with backslash (`\Seen`), keywords without. */
  | { readonly kind: 'flag'; readonly flag: string; readonly set: boolean }
  /** Lower-case field name; text in Unicode as the client sent it; empty text: the field is there. */
  | { readonly kind: 'header'; readonly field: string; readonly text: string }
  | { readonly kind: 'body'; readonly text: string }
  /** Header or body. */
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'size'; readonly compare: 'larger' | 'smaller'; readonly octets: number }
  /** INTERNALDATE or the Date field against a day, counted from 1970-01-01 (message/date.ts), time and zone disregarded. */
  | {
      readonly kind: 'date'
      readonly of: 'internal' | 'sent'
      readonly compare: 'before' | 'on' | 'since'
      readonly day: number
    }
  /** RFC 5032: INTERNALDATE older or younger than that many seconds. */
  | { readonly kind: 'age'; readonly compare: 'older' | 'younger'; readonly seconds: number }
  | { readonly kind: 'sequence'; readonly set: SequenceSet }
  | { readonly kind: 'uid'; readonly set: SequenceSet }
  /** RFC 8514 §4.2: the day on which the message came into this mailbox. */
  | { readonly kind: 'savedDate'; readonly compare: 'before' | 'on' | 'since'; readonly day: number }
  /** RFC 8514 §4.2: whether the mailbox keeps such dates. */
  | { readonly kind: 'saveDateSupported' }
  /** RFC 8474 §6 */
  | { readonly kind: 'objectId'; readonly of: 'email' | 'thread'; readonly id: string }
  /** MODSEQ at least this. */
  | { readonly kind: 'modseq'; readonly atLeast: number }
  | { readonly kind: 'not'; readonly key: SearchKey }
  /** Two or more; none of them is an `or` itself. */
  | { readonly kind: 'or'; readonly keys: readonly SearchKey[] }
  /** Two or more; none of them is an `and` itself. */
  | { readonly kind: 'and'; readonly keys: readonly SearchKey[] }

/** RFC 4731 §3.1: what `SEARCH RETURN (...)` wants to hear. An empty list in the command means ALL. */
export type SearchReturn =
  | 'min'
  | 'max'
  | 'all'
  | 'count'
  /** RFC 5182 §2 */
  | 'save'
