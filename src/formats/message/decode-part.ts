/** The text of a MIME part, for SEARCH and for showing: transfer encoding and charset undone. Never fails. */
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { decodeCharset, decodeRaw, parameterText } from './encoded-word.ts'
import type { MimePart } from './mime-index.ts'
import { decodeTransfer } from './transfer-encoding.ts'

/** Encoded octets of one part; what follows is not looked at. */
const TEXT_LIMIT = 10_000_000

/** The part's own octets with the transfer encoding undone. `octets` is the whole message. */
export function decodePart(part: MimePart, octets: Bytes, limit = Number.POSITIVE_INFINITY): Buffer {
  const { start, end } = part.body
  return decodeTransfer(octets.subarray(start, Math.min(end, start + limit)), part.encoding)
}

/** The text of a text/* part, or null for other parts. Without a charset that is known, UTF-8 is tried before latin1. */
export function decodePartText(part: MimePart, octets: Bytes, limit = TEXT_LIMIT): string | null {
  if (part.type !== 'text') return null
  const decoded = decodePart(part, octets, limit)
  const charset = parameterText(part.parameters, 'charset')?.toLowerCase() ?? 'us-ascii'
  const text = charset === 'us-ascii' ? null : decodeCharset(charset, decoded)
  return text ?? decodeRaw(asBuffer(decoded).toString('latin1'))
}
