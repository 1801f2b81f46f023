/**
 * The byte-offset index of a message: where each MIME part's header and body begin and end (RFC 2045, 2046), so that IMAP
 * parts, signatures and partial fetches are exact slices of the stored octets. It never decodes and never copies content.
 */

import type { Range } from './range.ts'

export type { Range } from './range.ts'

/** One MIME entity. Values of header fields are raw octets as latin1 text, unfolded; nothing is decoded here. */
export interface MimePart {
  /** The MIME header fields including the empty line that ends them (the whole header for the root). */
  readonly header: Range
  /** From after the empty line to before the CRLF of the closing delimiter. */
  readonly body: Range
  /** Lines in the body, counted as CRLFs (BODYSTRUCTURE wants it for text and message/rfc822). */
  readonly lines: number
  /** Lower case; `text`/`plain` when absent or broken (RFC 2045 §5.2), `message`/`rfc822` inside multipart/digest. */
  readonly type: string
  readonly subtype: string
  /** Content-Type parameters: lower-case name, raw value; RFC 2231 continuations joined, charset'lang'value left encoded. */
  readonly parameters: readonly (readonly [name: string, value: string])[]
  readonly id: string | null
  readonly description: string | null
  /** Lower case, `7bit` when absent. */
  readonly encoding: string
  readonly md5: string | null
  readonly disposition: { readonly type: string; readonly parameters: readonly (readonly [string, string])[] } | null
  readonly language: readonly string[]
  readonly location: string | null
  /** multipart/*: its parts in order. message/rfc822 (and message/global): exactly one, the message inside. Otherwise empty. */
  readonly children: readonly MimePart[]
  /** The envelope of the message that this entity is the root of: set for the root and for the child of message/rfc822. */
  readonly envelope: MessageEnvelope | null
}

/** One element of an address list as IMAP's ENVELOPE shows it (RFC 3501 §7.4.2). Group start: host null; group end: mailbox null too. */
export interface ListedAddress {
  readonly name: string | null
  readonly mailbox: string | null
  readonly host: string | null
}

/** The header fields of ENVELOPE, raw and unfolded (encoded words left alone), null where absent. */
export interface MessageEnvelope {
  readonly date: string | null
  readonly subject: string | null
  readonly from: readonly ListedAddress[] | null
  readonly sender: readonly ListedAddress[] | null
  readonly replyTo: readonly ListedAddress[] | null
  readonly to: readonly ListedAddress[] | null
  readonly cc: readonly ListedAddress[] | null
  readonly bcc: readonly ListedAddress[] | null
  readonly inReplyTo: string | null
  readonly messageId: string | null
}
