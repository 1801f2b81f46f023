/** ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 §7.4.2) from the index of a message. Text as in writer.ts: one octet per character. */
import { isMessage, type ListedAddress, type MessageEnvelope, type MimePart } from '#formats/message/mime-index.ts'
import { formatNstring, formatString } from './writer.ts'

export function formatEnvelope(envelope: MessageEnvelope): string {
  const { date, subject, from, to, cc, bcc, inReplyTo, messageId } = envelope
  const author = formatAddresses(from)
  // RFC 3501 §7.4.2: absent or empty, both are said to be From.
  const sender = envelope.sender?.length ? formatAddresses(envelope.sender) : author
  const replyTo = envelope.replyTo?.length ? formatAddresses(envelope.replyTo) : author
  const lists = `${author} ${sender} ${replyTo} ${formatAddresses(to)} ${formatAddresses(cc)} ${formatAddresses(bcc)}`
  return `(${formatNstring(date)} ${formatNstring(subject)} ${lists} ${formatNstring(inReplyTo)} ${formatNstring(messageId)})`
}

function formatAddresses(list: readonly ListedAddress[] | null): string {
  if (!list?.length) return 'NIL'
  return `(${list.map(formatAddress).join('')})`
}

/** The second member is the source route, which nobody has any more. */
function formatAddress({ name, mailbox, host }: ListedAddress): string {
  return `(${formatNstring(name)} NIL ${formatNstring(mailbox)} ${formatNstring(host)})`
}

/**
 * BODY, or with `extended` BODYSTRUCTURE. `rev2`: for a client that enabled IMAP4rev2, which reads message/global as it reads
 * message/rfc822 (RFC 9051 §9 media-message); to others it is a part like any other.
 */
export function formatBodyStructure(part: MimePart, extended: boolean, rev2 = false): string {
  if (part.type === 'multipart') {
    const parts = part.children.map((child) => formatBodyStructure(child, extended, rev2)).join('')
    const extension = extended ? ` ${formatParameters(part.parameters)}${formatExtension(part)}` : ''
    return `(${parts} ${formatString(part.subtype)}${extension})`
  }
  const fields = [
    formatString(part.type),
    formatString(part.subtype),
    formatParameters(withCharset(part)),
    formatNstring(part.id),
    formatNstring(part.description),
    formatString(part.encoding),
    String(part.body.end - part.body.start),
  ]
  const message = rev2 || part.subtype === 'rfc822' ? messageInside(part) : null
  if (message) fields.push(formatEnvelope(message.envelope!), formatBodyStructure(message, extended, rev2))
  if (message || part.type === 'text') fields.push(String(part.lines))
  const extension = extended ? ` ${formatNstring(part.md5)}${formatExtension(part)}` : ''
  return `(${fields.join(' ')}${extension})`
}

/** RFC 2045 §5.2: text that names no charset is US-ASCII; clients expect to be told so. */
function withCharset({ type, parameters }: MimePart): MimePart['parameters'] {
  if (type !== 'text' || parameters.some(([name]) => name === 'charset' || name === 'charset*')) return parameters
  return [...parameters, ['charset', 'us-ascii']]
}

function messageInside(part: MimePart): MimePart | null {
  return isMessage(part) ? (part.children[0] ?? null) : null
}

/** body-fld-dsp, body-fld-lang and body-fld-loc, which both kinds of parts end with. */
function formatExtension({ disposition, language, location }: MimePart): string {
  const disposed = disposition
    ? `(${formatString(disposition.type)} ${formatParameters(disposition.parameters)})`
    : 'NIL'
  const languages = language.length > 0 ? `(${language.map(formatString).join(' ')})` : 'NIL'
  return ` ${disposed} ${languages} ${formatNstring(location)}`
}

function formatParameters(parameters: MimePart['parameters']): string {
  if (parameters.length === 0) return 'NIL'
  return `(${parameters.map(([name, value]) => `${formatString(name)} ${formatString(value)}`).join(' ')})`
}
