/**
 * Trace fields (RFC 5321 §4.4): the Received field that every server adds in front, the Return-Path that final delivery adds,
 * and the count that ends loops. What the client said of itself is written so that it can be nothing but text.
 */
import { type Address, formatAddress } from './address.ts'
import { formatDate } from './date.ts'
import { formatField, type Header } from './header.ts'

export interface ReceivedFacts {
  /** What the client called itself. */
  readonly helo: string
  /** Textual IP address. */
  readonly ip: string
  /** Our own host name. */
  readonly by: string
  /** RFC 3848, RFC 6531 §4.3 keyword: ESMTPS, LMTP, UTF8SMTPSA ... */
  readonly protocol: string
  readonly tls: { readonly version: string; readonly cipher: string } | null
  readonly queueId: string
  /** Named only when there is exactly one: others are nobody's business (RFC 5321 §7.6). */
  readonly recipients: readonly Address[]
  /** Milliseconds since the epoch. */
  readonly time: number
}

/** RFC 5321 §6.3: more Received fields than this are a loop. */
export const HOP_LIMIT = 50

const CLAIM_LIMIT = 255

/** The whole field with its CRLF. */
export function formatReceived(facts: ReceivedFacts): string {
  const { helo, ip, by, protocol, tls, queueId, recipients, time } = facts
  const literal = ip.includes(':') ? `[IPv6:${ip}]` : `[${ip}]`
  const lines = [
    `Received: from ${claimed(helo)} (${claimed(literal)})`,
    `by ${by} (Letterlock) with ${protocol} id ${queueId}`,
  ]
  if (recipients.length === 1) lines.push(`for <${formatAddress(recipients[0]!)}>`)
  // RFC 5321 §4.4: what was registered later follows `for`.
  if (tls) lines.push(`${tlsClause(tls.cipher)}(${claimed(tls.version)})`)
  return `${lines.join('\r\n\t')};\r\n\t${formatDate(time)}\r\n`
}

/** RFC 8314 §4.3: the cipher suite by its registered name. */
function tlsClause(cipher: string): string {
  return /^TLS_[A-Z0-9_]+$/.test(cipher) ? `tls ${cipher} ` : ''
}

/** Foreign text as one word without anything that a field or comment is made of. */
function claimed(text: string): string {
  const word = text
    .slice(0, CLAIM_LIMIT)
    .replace(/[^A-Za-z0-9.:_[\]\-\u00a1-\uffff]/g, '?')
    .toWellFormed()
  return word === '' ? 'unknown' : word
}

/** RFC 5321 §4.4: `Return-Path: <reverse-path>` with its CRLF; null is the null reverse-path. */
export function formatReturnPath(reversePath: Address | null): string {
  return formatField('Return-Path', reversePath ? `<${formatAddress(reversePath)}>` : '<>')
}

export function countReceived(header: Header): number {
  return header.fields.reduce((count, field) => (field.name === 'received' ? count + 1 : count), 0)
}
