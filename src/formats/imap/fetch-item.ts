/** What FETCH asks for (RFC 3501 §6.4.5), as values. The macros ALL, FAST and FULL are expanded by the parser. */

/** `<start.length>`: octets of what the section means; length is at least 1. */
export interface Partial {
  readonly start: number
  readonly length: number
}

export type SectionText =
  | { readonly kind: 'header' }
  | { readonly kind: 'text' }
  /** Only with a part number. */
  | { readonly kind: 'mime' }
  /** HEADER.FIELDS or, with `not`, HEADER.FIELDS.NOT. Names as the client wrote them; they compare without case. */
  | { readonly kind: 'fields'; readonly names: readonly string[]; readonly not: boolean }

/** What stands between the brackets of BODY[...]. */
export interface Section {
  /** Part numbers from 1, from the outside in; empty for the message itself. */
  readonly part: readonly number[]
  /** null: all of it. */
  readonly text: SectionText | null
}

export type FetchItem =
  | { readonly kind: 'envelope' }
  | { readonly kind: 'flags' }
  | { readonly kind: 'internalDate' }
  | { readonly kind: 'size' }
  | { readonly kind: 'uid' }
  /** RFC 7162 §3.1.4 */
  | { readonly kind: 'modseq' }
  /** BODY without a section: the structure without extension data. */
  | { readonly kind: 'body' }
  | { readonly kind: 'bodyStructure' }
  /** RFC 8474 §5 */
  | { readonly kind: 'emailId' }
  | { readonly kind: 'threadId' }
  /** RFC 8514 §4.3 */
  | { readonly kind: 'saveDate' }
  /** RFC 8970 §3 */
  | { readonly kind: 'preview'; readonly lazy: boolean }
  /** RFC822, RFC822.HEADER, RFC822.TEXT: BODY[], BODY.PEEK[HEADER], BODY[TEXT] under another name. */
  | { readonly kind: 'rfc822' }
  | { readonly kind: 'rfc822Header' }
  | { readonly kind: 'rfc822Text' }
  | {
      readonly kind: 'section'
      readonly section: Section
      readonly partial: Partial | null
      /** Without it, fetching sets \Seen. */
      readonly peek: boolean
    }
  /** RFC 3516 §4.2, RFC 9051 §6.4.5: the part with its transfer encoding undone. An empty part number is the message itself. */
  | {
      readonly kind: 'binary'
      readonly part: readonly number[]
      readonly partial: Partial | null
      readonly peek: boolean
    }
  | { readonly kind: 'binarySize'; readonly part: readonly number[] }

/** Whether fetching it sets \Seen (RFC 3501 §6.4.5). */
export function setsSeen(wanted: FetchItem): boolean {
  if (wanted.kind === 'section' || wanted.kind === 'binary') return !wanted.peek
  return wanted.kind === 'rfc822' || wanted.kind === 'rfc822Text'
}
