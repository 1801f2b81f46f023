/** How addresses of our own domains compare: the text under which an address is found. */
import { type Address, domainOf } from '#formats/message/address.ts'

/** `straße.test` and `xn--strae-oqa.test` are one domain. */
export const domainKey = (domain: string): string => domainOf({ local: '', domain: domain.toLowerCase() })

/** Our local-parts compare without case (RFC 5321 §2.4 leaves it to us) and composed (RFC 6532 §3.1). */
export const localKey = (local: string): string => local.normalize('NFC').toLowerCase()

export const addressKey = (address: Address): string => `${localKey(address.local)}@${domainKey(address.domain)}`

/** RFC 5233 §1: `local+detail`. null when there is no separator after a non-empty local-part. */
export function splitDetail(local: string): { readonly base: string; readonly detail: string } | null {
  const plus = local.indexOf('+')
  return plus < 1 ? null : { base: local.slice(0, plus), detail: local.slice(plus + 1) }
}
