/** What a submitted message lacks is added, what must not travel is taken out (RFC 6409 §8). */
import { claimsResults } from '#formats/message/authentication-results.ts'
import { formatDate } from '#formats/message/date.ts'
import { editHeader, formatField, type Header, type HeaderField } from '#formats/message/header.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { isBetweenUs } from '#privacy/e2e/demand.ts'

/** Both are the content itself, or the same octets, where nothing makes them different: whoever changes octets takes a copy. */
export interface Completed {
  /** As it goes out, without trace field. */
  readonly outgoing: Buffer
  /** As the author keeps it: with Bcc. */
  readonly kept: Buffer
}

interface Additions {
  /** Without angle brackets. */
  readonly messageId: string
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Our own name, in which no author speaks. */
  readonly hostname: string
}

// RFC 5322 §3.6.3: how Bcc stays blind. RFC 5321 §4.4: Return-Path is for final delivery to add.
const BLIND = new Set(['bcc', 'resent-bcc'])

export function complete(content: Bytes, header: Header, { messageId, time, hostname }: Additions): Completed {
  const ours = (field: HeaderField) =>
    field.name === 'return-path' || isBetweenUs(field.name) || claimsResults(content, field, hostname) // RFC 8601 §5
  const dropped = new Set(header.fields.filter(ours))
  const has = (name: string) => header.fields.some((field) => field.name === name)
  const added = [
    has('message-id') ? '' : formatField('Message-ID', `<${messageId}>`), // RFC 6409 §8.3
    has('date') ? '' : formatField('Date', formatDate(time)), // RFC 6409 §8.2
  ].join('')
  const without = (those: ReadonlySet<HeaderField>) =>
    those.size === 0 && added === ''
      ? asBuffer(content)
      : editHeader(content, header, added, (field) => those.has(field))
  const kept = without(dropped)
  const blind = header.fields.filter(({ name }) => BLIND.has(name))
  return { kept, outgoing: blind.length === 0 ? kept : without(new Set([...dropped, ...blind])) }
}
