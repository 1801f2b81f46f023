/** BINARY[...]: a part with its transfer encoding undone (RFC 3516 §4.2, RFC 9051 §6.4.5). */
import { decodePart } from '#formats/message/decode-part.ts'
import { isMessage, type MimePart } from '#formats/message/mime-index.ts'
import type { MessageSummary } from '#formats/message/summary.ts'
import { findPart } from './section.ts'

const KNOWN: ReadonlySet<string> = new Set(['7bit', '8bit', 'binary', 'base64', 'quoted-printable'])

/** The part decoded last of a content, so that it is not decoded anew for each piece that a client asks for. */
const lastDecoded = new WeakMap<Buffer, { readonly part: MimePart; readonly octets: Buffer }>()

/** `summary` may be missing for the message itself. 'missing': there is no such part; 'unknown': nobody knows its encoding. */
export function decodedPart(
  numbers: readonly number[],
  summary: MessageSummary | null,
  content: Buffer,
): Buffer | 'missing' | 'unknown' {
  if (numbers.length === 0) return content
  const part = summary && findPart(summary.root, numbers)
  if (!part) return 'missing'
  // RFC 2045 §6.4: what has parts of its own is not encoded.
  if (part.type === 'multipart' || isMessage(part)) return content.subarray(part.body.start, part.body.end)
  if (!KNOWN.has(part.encoding)) return 'unknown'
  const last = lastDecoded.get(content)
  if (last && last.part.body.start === part.body.start && last.part.body.end === part.body.end) return last.octets
  const octets = decodePart(part, content)
  lastDecoded.set(content, { part, octets })
  return octets
}
