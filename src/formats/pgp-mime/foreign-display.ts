/** Header fields that were repeated in the text for readers who do not know protected headers (RFC 9788 §2.1.2, §4.5.3). */
import type { Header } from '#formats/message/header.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'

/** The body of the entity without them. */
export function withoutLegacyDisplay(entity: Bytes, header: Header): Buffer {
  return asBuffer(entity).subarray(header.range.end)
}
