/** Addresses of a header field, when there is only one way to read it: for fields that decide who somebody is. */
import { type Address, parseDomain } from './address.ts'
import { parseAddressList } from './address-list.ts'

const ADDRESSES = 20

/**
 * All addresses in the value of an address field (as fieldValue gives it). null when there is none, when there are more than twenty,
 * and when any part could be read as something else than these addresses.
 */
export function certainAddresses(value: string): readonly Address[] | null {
  const text = Buffer.from(value, 'latin1').toString()
  const listed = parseAddressList(text)
  if (listed.length === 0 || listed.length > ADDRESSES) return null
  const addresses = listed.map(({ mailbox, host }) => {
    const domain = host ? parseDomain(host) : null
    return mailbox && domain ? { local: mailbox, domain } : null
  })
  const known = addresses.filter((address) => address !== null)
  if (known.length < addresses.length) return null
  // a bare address where a name should stand is what other readers may take for the author
  const spelled = new Set(known.map(({ local, domain }) => `${local}@${domain}`.toLowerCase()))
  const loose = outsideQuotes(text).split(/[\s<>,;:()[\]]/)
  return loose.every((word) => !word.includes('@') || word.startsWith('@') || spelled.has(word.toLowerCase()))
    ? known
    : null
}

/** The text without quoted strings and comments. */
function outsideQuotes(text: string): string {
  const outside: string[] = []
  let depth = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!
    if (char === '\\' && (quoted || depth > 0)) at++
    else if (depth === 0 && char === '"') quoted = !quoted
    else if (quoted) continue
    else if (char === '(') depth++
    else if (char === ')' && depth > 0) depth--
    else if (depth === 0) outside.push(char)
  }
  return outside.join('')
}
