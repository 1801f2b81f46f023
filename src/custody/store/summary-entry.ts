/**
 * What is kept sealed about a message besides its content: the content's session key and the summary. It is the plaintext of
 * the sealed summary that waits, and of the index record that takes its place.
 *
 * Version octet 1, length of the session key (one octet), the session key, the summary.
 */
import { asBuffer, type Bytes } from '#lib/bytes.ts'

const VERSION = 1

export interface SummaryEntry {
  /** Encoded as in formats/openpgp/session-key.ts. A secret: whoever holds it reads this one message. */
  readonly sessionKey: Buffer
  readonly summary: Buffer
}

export function encodeEntry({ sessionKey, summary }: { sessionKey: Bytes; summary: Bytes }): Buffer {
  const encoded = Buffer.allocUnsafeSlow(2 + sessionKey.byteLength + summary.byteLength)
  encoded[0] = VERSION
  encoded[1] = sessionKey.byteLength
  encoded.set(sessionKey, 2)
  encoded.set(summary, 2 + sessionKey.byteLength)
  return encoded
}

/** The parts share memory with `encoded`. null for what is no entry. */
export function decodeEntry(encoded: Bytes): SummaryEntry | null {
  const octets = asBuffer(encoded)
  const end = 2 + (octets[1] ?? 0)
  if (octets[0] !== VERSION || end === 2 || octets.byteLength < end) return null
  return { sessionKey: octets.subarray(2, end), summary: octets.subarray(end) }
}
