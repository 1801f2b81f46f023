/** Whose mail address a user id names (RFC 9580 §5.11). */
import { type Address, parseAddress } from '#formats/message/address.ts'

/**
 * `Ada <ada@alpha.test>`, or the address alone. null: none, or not clear which: a user id with two angle brackets shows one address to
 * one reader and another to the next.
 */
export function addressInUserId(userId: string): Address | null {
  const start = userId.indexOf('<')
  if (start < 0) return userId.includes('>') ? null : parseAddress(userId.trim())
  const text = userId.trimEnd()
  return text.indexOf('>', start) === text.length - 1 && text.indexOf('<', start + 1) < 0
    ? parseAddress(text.slice(start + 1, -1))
    : null
}
