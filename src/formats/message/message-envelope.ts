/** The fields of a message that IMAP's ENVELOPE and JMAP show, taken from its header (RFC 3501 §7.4.2). Not the SMTP envelope. */
import type { Bytes } from '#lib/bytes.ts'
import { type ListedAddress, parseAddressList } from './address-list.ts'
import { fieldValue, type Header } from './header.ts'

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

/** Octets of one field; what is beyond is not shown. */
const TEXT_LIMIT = 16_384
const LIST_LIMIT = 262_144

const TEXTS = new Map([
  ['date', 'date'],
  ['subject', 'subject'],
  ['in-reply-to', 'inReplyTo'],
  ['message-id', 'messageId'],
] as const satisfies [string, keyof MessageEnvelope][])

const LISTS = new Map([
  ['from', 'from'],
  ['sender', 'sender'],
  ['reply-to', 'replyTo'],
  ['to', 'to'],
  ['cc', 'cc'],
  ['bcc', 'bcc'],
] as const satisfies [string, keyof MessageEnvelope][])

/** The first field of each name counts, as it does for a reader. */
export function readEnvelope(octets: Bytes, header: Header): MessageEnvelope {
  const envelope: { -readonly [K in keyof MessageEnvelope]: MessageEnvelope[K] } = {
    date: null,
    subject: null,
    from: null,
    sender: null,
    replyTo: null,
    to: null,
    cc: null,
    bcc: null,
    inReplyTo: null,
    messageId: null,
  }
  for (const field of header.fields) {
    const text = TEXTS.get(field.name as never)
    if (text !== undefined) {
      envelope[text] ??= fieldValue(octets, field, TEXT_LIMIT)
      continue
    }
    const list = LISTS.get(field.name as never)
    if (list !== undefined) envelope[list] ??= parseAddressList(fieldValue(octets, field, LIST_LIMIT))
  }
  return envelope
}
