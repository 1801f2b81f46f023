/**
 * Delivery status notifications (RFC 3464, in multipart/report RFC 6522; their SMTPUTF8 forms RFC 6533): what became of a
 * message, once in words for the sender and once for machines, with the message or its header. Values that came from outside
 * (replies of other servers, ORCPT, ENVID) are made harmless here.
 */
import { type Address, formatAddress, needsSmtpUtf8 } from './address.ts'
import {
  type ComposedPart,
  composeMessage,
  encodedText,
  exactPart,
  type Field,
  multipart,
  textPart,
} from './compose.ts'
import { formatDate } from './date.ts'
import { type DsnFacts, type DsnRecipient, statusOf } from './dsn-facts.ts'
import { explainReport, reportSubject } from './dsn-words.ts'
import { fieldValues, formatField, type Header, scanHeader } from './header.ts'

export type { DsnFacts, DsnRecipient } from './dsn-facts.ts'

/** Larger messages come back as their header even with RET=FULL. */
export const RETURN_LIMIT = 100_000
const RETURNED_HEADER_LIMIT = 65_536

/** The whole notification. It goes out with a null reverse-path, and never for a message that had one itself. */
export function composeDsn(facts: DsnFacts): Buffer {
  const { to, from, reportingMta, id, now, recipients, smtputf8 } = facts
  const header = scanHeader(facts.original)
  const fields: Field[] = [
    ['From', `Mail Delivery <${formatAddress(from)}>`],
    ['To', `<${formatAddress(to)}>`],
    ['Subject', reportSubject(recipients)],
    ['Date', formatDate(now)],
    ['Message-ID', `<${id}@${reportingMta}>`],
    // RFC 3834 §5: nobody's vacation reply should answer this.
    ['Auto-Submitted', 'auto-replied'],
  ]
  const messageId = fieldValues(facts.original, header, 'message-id')[0] ?? ''
  if (/^<[!-~]{1,250}>$/.test(messageId)) fields.push(['In-Reply-To', messageId], ['References', messageId])
  const status = Buffer.from(formatStatus(facts))
  const parts = [
    textPart(explainReport(facts)),
    exactPart(smtputf8 ? 'message/global-delivery-status' : 'message/delivery-status', status),
    returnedPart(facts, header),
  ]
  return composeMessage(fields, multipart('multipart/report; report-type=delivery-status', parts, `report-${id}`))
}

/** RFC 3461 §6.2: the message only for failures and only when asked for; otherwise its header. */
function returnedPart({ original, ret, recipients, smtputf8 }: DsnFacts, header: Header): ComposedPart {
  const failed = recipients.some(({ action }) => action === 'failed')
  if (failed && ret === 'full' && original.byteLength <= RETURN_LIMIT) {
    return exactPart(smtputf8 ? 'message/global' : 'message/rfc822', original)
  }
  const whole = header.fields.findLast(({ end }) => end <= RETURNED_HEADER_LIMIT)
  const octets = original.subarray(0, whole?.end ?? 0)
  return smtputf8 ? exactPart('message/global-headers', octets) : encodedText('text/rfc822-headers', octets)
}

/** RFC 3464 §2.1: a group of fields for the message, one for each recipient, empty lines between. */
function formatStatus(facts: DsnFacts): string {
  const clean = facts.smtputf8 ? cleanUtf8 : cleanAscii
  const message: Field[] = []
  if (facts.envid !== null) message.push(['Original-Envelope-Id', clean(facts.envid)])
  message.push(['Reporting-MTA', `dns; ${facts.reportingMta}`], ['Arrival-Date', formatDate(facts.arrived)])
  const groups = [message, ...facts.recipients.map((recipient) => recipientFields(recipient, facts.smtputf8))]
  return groups.map((group) => group.map(([name, value]) => formatField(name, value)).join('')).join('\r\n')
}

// RFC 3464 §2.3, in its order.
function recipientFields(recipient: DsnRecipient, utf8: boolean): Field[] {
  const { address, orcpt, action, remote, diagnostic, lastAttempt, retryUntil } = recipient
  const clean = utf8 ? cleanUtf8 : cleanAscii
  const fields: Field[] = []
  if (orcpt !== null) fields.push(['Original-Recipient', originalRecipient(orcpt, utf8)])
  fields.push(['Final-Recipient', typedAddress(address, utf8)], ['Action', action], ['Status', statusOf(recipient)])
  if (remote !== null) fields.push(['Remote-MTA', `dns; ${clean(remote)}`])
  if (diagnostic.length > 0) fields.push(['Diagnostic-Code', `smtp; ${clean(diagnostic.join(' '))}`])
  if (lastAttempt !== null) fields.push(['Last-Attempt-Date', formatDate(lastAttempt)])
  if (retryUntil !== null && action === 'delayed') fields.push(['Will-Retry-Until', formatDate(retryUntil)])
  return fields
}

/** RFC 6533 §3: `utf-8` addresses, escaped where the notification must be ASCII. */
function typedAddress(address: Address, utf8: boolean): string {
  const text = formatAddress(address)
  if (!needsSmtpUtf8(address) && isAscii(text)) return `rfc822; ${text}`
  return `utf-8; ${utf8 ? text : escapeUnicode(text)}`
}

function originalRecipient(orcpt: string, utf8: boolean): string {
  const separator = orcpt.indexOf(';')
  const type = cleanAscii(orcpt.slice(0, Math.max(separator, 0))) || 'rfc822'
  const address = orcpt.slice(separator + 1)
  return `${type}; ${utf8 ? cleanUtf8(address) : cleanAscii(isAscii(address) ? address : escapeUnicode(address))}`
}

const escapeUnicode = (text: string) =>
  text.replace(/[^\x00-\x7f]/gu, (char) => `\\x{${char.codePointAt(0)!.toString(16).toUpperCase()}}`)

const isAscii = (text: string) => /^[\x00-\x7f]*$/.test(text)

const VALUE_LIMIT = 2_000

const cleanAscii = (text: string) => text.slice(0, VALUE_LIMIT).replace(/[^\x20-\x7e]/g, '?')

const cleanUtf8 = (text: string) =>
  text
    .slice(0, VALUE_LIMIT)
    .replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, '?')
    .toWellFormed()
