/**
 * What is asked of a keyserver (HKP, draft-ietf-openpgp-hkp-01): search terms of version 1, path identifiers of version 2, queries.
 *
 * Nothing here is a pattern: a term names one address, one fingerprint or one 64-bit key id, or it is refused. So a keyserver that
 * understands only these terms cannot be made to list anybody. Pure, capped, and every octet string has an answer.
 */
import { type Address, parseAddress } from '#formats/message/address.ts'

export type Term =
  | { readonly kind: 'address'; readonly address: Address }
  /** Upper-case hex: 40 digits of version 4, 64 of version 6. Of a primary key or a subkey. */
  | { readonly kind: 'fingerprint'; readonly version: 4 | 6; readonly fingerprint: string }
  /** 16 digits of upper-case hex. */
  | { readonly kind: 'key-id'; readonly keyId: string }

/**
 * The `search` of version 1: an address, with or without angle brackets, or `0x` and a fingerprint or key id. null: anything else, such
 * as 32-bit key ids, which anybody can make collide, parts of names, and wildcards.
 */
export function parseSearch(text: string): Term | null {
  const term = text.trim()
  if (/^0x/i.test(term)) return parseHex(term.slice(2))
  return parseIdentity(term.startsWith('<') && term.endsWith('>') ? term.slice(1, -1) : term)
}

/** An address that names one mailbox. A star is allowed in addresses, but who types it means a pattern. */
export function parseIdentity(text: string): Term | null {
  const address = text.includes('*') ? null : parseAddress(text)
  return address && { kind: 'address', address }
}

/** The digits of a fingerprint of either version, or of a key id. */
export function parseHex(digits: string): Term | null {
  if (!/^[0-9a-f]*$/i.test(digits)) return null
  const hex = digits.toUpperCase()
  if (hex.length === 16) return { kind: 'key-id', keyId: hex }
  if (hex.length === 40) return { kind: 'fingerprint', version: 4, fingerprint: hex }
  return hex.length === 64 ? { kind: 'fingerprint', version: 6, fingerprint: hex } : null
}

/** Fields of one query, decoded. null: a field twice, or escapes that are none. `+` is a blank, as in HTML forms. */
export function parseQuery(query: string): ReadonlyMap<string, string> | null {
  const fields = new Map<string, string>()
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=')
    const name = percentDecoded((equals < 0 ? pair : pair.slice(0, equals)).replaceAll('+', ' '))
    const value = equals < 0 ? '' : percentDecoded(pair.slice(equals + 1).replaceAll('+', ' '))
    // Two values for one name: two programs on the way could each believe another one.
    if (name === null || value === null || fields.has(name)) return null
    if (name !== '') fields.set(name, value)
  }
  return fields
}

/** null: not percent-encoded UTF-8. */
export function percentDecoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
