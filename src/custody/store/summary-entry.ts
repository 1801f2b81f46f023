/**
 * What is kept sealed about a message besides its content: the content's session key and the summary; for one that its sender
 * sealed or signed also how it was protected, and what is needed to look at that again. It is the plaintext of the sealed summary
 * that waits, and of what is in a page of the index in its place.
 *
 * Version octet 1, length of the session key (one octet), the session key, the summary. Version octet 2, the same with two
 * parts more before the summary, the protection and the rest, each after its length (four octets).
 */
import { asBuffer, type Bytes } from '#lib/bytes.ts'

const PLAIN = 1
const PROTECTED = 2
const LENGTH = 4

export interface EntryParts {
  /** Encoded as in formats/openpgp/session-key.ts. A secret: whoever holds it reads this one message. */
  readonly sessionKey: Bytes
  readonly summary: Bytes
  /** Encoded as in formats/pgp-mime/protection.ts. null: nobody has looked. */
  readonly protection?: Bytes | null
  /** What a later look needs (sealed-mail-store-kept.ts). */
  readonly kept?: Bytes | null
}

export interface SummaryEntry {
  readonly sessionKey: Buffer
  readonly summary: Buffer
  readonly protection: Buffer | null
  readonly kept: Buffer | null
}

export function encodeEntry({ sessionKey, summary, protection, kept }: EntryParts): Buffer {
  const parts = protection ? [protection, kept ?? Buffer.alloc(0)] : []
  const between = parts.reduce((sum, part) => sum + LENGTH + part.byteLength, 0)
  const encoded = Buffer.allocUnsafeSlow(2 + sessionKey.byteLength + between + summary.byteLength)
  encoded[0] = protection ? PROTECTED : PLAIN
  encoded[1] = sessionKey.byteLength
  encoded.set(sessionKey, 2)
  let at = 2 + sessionKey.byteLength
  for (const part of parts) {
    encoded.writeUInt32BE(part.byteLength, at)
    encoded.set(part, at + LENGTH)
    at += LENGTH + part.byteLength
  }
  encoded.set(summary, at)
  return encoded
}

/** The parts share memory with `encoded`. null for what is no entry. */
export function decodeEntry(encoded: Bytes): SummaryEntry | null {
  const octets = asBuffer(encoded)
  const end = 2 + (octets[1] ?? 0)
  if (end === 2 || octets.byteLength < end) return null
  const sessionKey = octets.subarray(2, end)
  if (octets[0] === PLAIN) return { sessionKey, summary: octets.subarray(end), protection: null, kept: null }
  if (octets[0] !== PROTECTED) return null
  const protection = partAt(octets, end)
  const kept = protection && partAt(octets, protection.end)
  if (!kept) return null
  return {
    sessionKey,
    summary: octets.subarray(kept.end),
    protection: protection.part,
    kept: kept.part.byteLength > 0 ? kept.part : null,
  }
}

function partAt(octets: Buffer, at: number): { readonly part: Buffer; readonly end: number } | null {
  if (octets.byteLength < at + LENGTH) return null
  const end = at + LENGTH + octets.readUInt32BE(at)
  return octets.byteLength < end ? null : { part: octets.subarray(at + LENGTH, end), end }
}
