/**
 * SASL messages as SMTP, IMAP and POP3 carry them (RFC 4954 §4, RFC 4616), from octets to octets: no step makes a string
 * of a credential, so that whoever owns the buffers can wipe them.
 */
import { isUtf8 } from 'node:buffer'
import { secretBuffer } from '#lib/bytes.ts'

const VALUES = new Uint8Array(256).fill(255)
for (const [value, char] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) {
  VALUES[char.charCodeAt(0)] = value
}

/**
 * Strict base64 (RFC 4648 §4: padded, nothing but the alphabet, no stray bits), or null. The answer has memory of its own,
 * outside any pool.
 */
export function decodeBase64(octets: Uint8Array): Buffer | null {
  const { length } = octets
  if (length % 4 !== 0) return null
  const padding = length > 0 && octets[length - 1] === 61 ? (octets[length - 2] === 61 ? 2 : 1) : 0
  const decoded = secretBuffer((length / 4) * 3 - padding)
  let bits = 0
  let wrong = 0
  for (let at = 0, to = 0; at < length - padding; at++) {
    const value = VALUES[octets[at]!]!
    wrong |= value
    bits = ((bits << 6) | value) & 0xffffff
    if (at % 4 === 1) decoded[to++] = bits >> 4
    else if (at % 4 === 2) decoded[to++] = bits >> 2
    else if (at % 4 === 3) decoded[to++] = bits
  }
  if (padding === 1) wrong |= bits & 3 ? 255 : 0
  if (padding === 2) wrong |= bits & 15 ? 255 : 0
  if (wrong < 64) return decoded
  decoded.fill(0)
  return null
}

export interface PlainCredentials {
  /** Empty when the client acts as itself. */
  readonly authorization: string
  readonly user: string
  /** A view of the message: wiping the message wipes it. */
  readonly credential: Buffer
}

/** Reads `authzid NUL authcid NUL passwd` (RFC 4616 §2), or null. */
export function parsePlain(message: Buffer): PlainCredentials | null {
  const first = message.indexOf(0)
  const second = message.indexOf(0, first + 1)
  if (first < 0 || second < 0) return null
  const credential = message.subarray(second + 1)
  const names = message.subarray(0, second)
  if (second === first + 1 || credential.length === 0 || credential.includes(0) || !isUtf8(names)) return null
  return {
    authorization: names.toString('utf8', 0, first),
    user: names.toString('utf8', first + 1),
    credential,
  }
}
