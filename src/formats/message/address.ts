/**
 * Mail addresses as the envelope carries them (RFC 5321 §4.1.2, RFC 6531 §3.3): local-part and domain, nothing else.
 * Address lists of header fields are another grammar: address-list.ts.
 */
import { domainToASCII } from 'node:url'

export interface Address {
  /** As given, unquoted; case kept (RFC 5321 §2.4). */
  readonly local: string
  /** Lower case; U-labels kept as they came, so that SMTPUTF8 round-trips. Address literals keep their brackets. */
  readonly domain: string
}

/**
 * RFC 5321 §4.5.3.1.3 without the angle brackets. Local-parts have no limit of their own: bounce addresses that carry their
 * recipient are often longer than the 64 octets that §4.5.3.1.1 asks everybody to take.
 */
const ADDRESS_OCTETS = 254
const DOMAIN_OCTETS = 253
const LABEL_OCTETS = 63

/** The address in `local@domain` (no angle brackets, no route), or null when the text is not one. */
export function parseAddress(text: string): Address | null {
  if (text.length > 2 * ADDRESS_OCTETS + 2) return null
  const local = text.startsWith('"') ? readQuotedLocal(text) : readDotLocal(text)
  if (!local || text[local.end] !== '@') return null
  const domain = parseDomain(text.slice(local.end + 1))
  if (domain === null) return null
  const address = { local: local.value, domain }
  return Buffer.byteLength(formatAddress(address)) <= ADDRESS_OCTETS ? address : null
}

/** `local@domain`, the local-part quoted where it must be (RFC 5321 §4.1.2). The inverse of parseAddress. */
export function formatAddress({ local, domain }: Address): string {
  const plain = readDotLocal(local)?.end === local.length
  return plain ? `${local}@${domain}` : `"${local.replace(/["\\]/g, '\\$&')}"@${domain}`
}

/** Whether two addresses mean the same mailbox for us: case and the spelling of international domains do not count. */
export function sameAddress(a: Address, b: Address): boolean {
  return foldLocal(a.local) === foldLocal(b.local) && domainOf(a) === domainOf(b)
}

/** The domain as DNS knows it: lower case, A-labels (RFC 5890 §2.3.2.1). Address literals stay as they are. */
export function domainOf({ domain }: Address): string {
  return isAscii(domain) ? domain : domainToASCII(domain)
}

/** Whether the address can only be used where SMTPUTF8 is spoken (RFC 6531 §3.3): its local-part is not ASCII. */
export function needsSmtpUtf8({ local }: Address): boolean {
  return !isAscii(local)
}

/** A domain or address literal in the form that Address keeps, or null. */
export function parseDomain(text: string): string | null {
  if (text.startsWith('[')) return parseLiteral(text)
  const domain = text.toLowerCase()
  // IDNA takes other dots for a dot and drops invisible characters: what it refuses or empties is not a domain.
  const ascii = isAscii(domain) ? domain : domainToASCII(domain)
  if (ascii === '' || ascii.length > DOMAIN_OCTETS || !isAddressable(domain)) return null
  const labels = ascii.split('.')
  if (labels.length !== domain.split('.').length) return null
  return labels.every(isLabel) ? domain : null
}

const foldLocal = (local: string) => local.normalize('NFC').toLowerCase()
const isAscii = (text: string) => /^[\x00-\x7f]*$/.test(text)

// RFC 5321 §4.1.2 sub-domain, and the underscore that some hosts have.
const isLabel = (label: string) => label.length <= LABEL_OCTETS && /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/.test(label)

/** No control characters, no exotic spaces or line separators, no unpaired surrogates above ASCII. */
function isAddressable(text: string): boolean {
  return (
    !/[\x00-\x1f\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]/.test(text) && text.isWellFormed()
  )
}

interface LocalPart {
  readonly value: string
  /** Index of the character after it. */
  readonly end: number
}

const isAtext = (char: string) => /[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\uffff]/.test(char)

function readDotLocal(text: string): LocalPart | null {
  let end = 0
  let afterDot = true
  for (; end < text.length; end++) {
    const char = text[end]!
    if (char === '.' && afterDot) return null
    if (char !== '.' && !isAtext(char)) break
    afterDot = char === '.'
  }
  const value = text.slice(0, end)
  return afterDot || !isAddressable(value) ? null : { value, end }
}

function readQuotedLocal(text: string): LocalPart | null {
  let value = ''
  for (let at = 1; at < text.length; at++) {
    const char = text[at]!
    if (char === '"') return isAddressable(value) ? { value, end: at + 1 } : null
    if (char === '\\') {
      const quoted = text[++at]
      if (quoted === undefined || quoted < ' ' || quoted > '~') return null
      value += quoted
    } else value += char
  }
  return null
}

// RFC 5321 §4.1.3
function parseLiteral(text: string): string | null {
  if (!text.endsWith(']')) return null
  const inner = text.slice(1, -1).toLowerCase()
  if (inner.startsWith('ipv6:')) return isIpv6(inner.slice(5)) ? `[IPv6:${inner.slice(5)}]` : null
  return isIpv4(inner) ? `[${inner}]` : null
}

function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^[0-9]{1,3}$/.test(part) && Number(part) <= 255)
}

function isIpv6(text: string): boolean {
  if (text.length > 45) return false
  const halves = text.split('::')
  if (halves.length > 2) return false
  let groups = 0
  for (const [index, half] of halves.entries()) {
    const parts = half === '' ? [] : half.split(':')
    for (const [at, part] of parts.entries()) {
      const last = index === halves.length - 1 && at === parts.length - 1
      if (last && part.includes('.') && isIpv4(part)) groups += 2
      else if (/^[0-9a-f]{1,4}$/.test(part)) groups += 1
      else return false
    }
  }
  return halves.length === 2 ? groups < 8 : groups === 8
}
