/** A message's session key: the cipher it is for and the key itself (RFC 9580 §5.1, §9.3). */
import { type Bytes, secretBuffer } from '#lib/bytes.ts'

export interface SessionKey {
  /** RFC 9580 §9.3 number: 7, 8, 9 are AES-128, 192, 256. 0 in a v6 PKESK, where the encrypted packet names the cipher. */
  readonly cipher: number
  readonly key: Bytes
}

/** The cipher octet followed by the key: the form in which session keys are kept and cross process borders. */
export function encodeSessionKey({ cipher, key }: SessionKey): Bytes {
  const encoded = secretBuffer(key.byteLength + 1)
  encoded[0] = cipher
  encoded.set(key, 1)
  return encoded
}

export function decodeSessionKey(encoded: Bytes): SessionKey {
  return { cipher: encoded[0] ?? 0, key: encoded.subarray(1) }
}
