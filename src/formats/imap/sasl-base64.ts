/**
 * Base64 of SASL responses (RFC 4648 §4) from octets to octets: credentials pass through, so no string is ever made of them.
 */
import { secretBuffer } from '#lib/bytes.ts'

const VALUES = new Int8Array(256).fill(-1)
for (const [value, char] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) {
  VALUES[char.charCodeAt(0)] = value
}
const PADDING = 61

/** The decoded octets, to be wiped by whoever asked, or null when it is not base64. */
export function decodeSaslBase64(encoded: Buffer): Buffer | null {
  if (encoded.length % 4 !== 0) return null
  let digits = encoded.length
  while (digits > 0 && encoded.length - digits < 2 && encoded[digits - 1] === PADDING) digits--
  const decoded = secretBuffer(Math.floor((digits * 3) / 4))
  let bits = 0
  let length = 0
  for (let at = 0; at < digits; at++) {
    const value = VALUES[encoded[at]!]!
    if (value < 0) {
      decoded.fill(0)
      return null
    }
    bits = ((bits << 6) | value) & 0xffffff
    if (at % 4 === 3) {
      decoded[length++] = bits >> 16
      decoded[length++] = (bits >> 8) & 0xff
      decoded[length++] = bits & 0xff
    }
  }
  if (digits % 4 === 2) decoded[length++] = (bits >> 4) & 0xff
  if (digits % 4 === 3) {
    decoded[length++] = (bits >> 10) & 0xff
    decoded[length++] = (bits >> 2) & 0xff
  }
  return decoded
}
