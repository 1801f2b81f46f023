/** BODY[...]: from a section to the octets it means (RFC 3501 §6.4.5). */
import type { Partial, Section, SectionText } from '#formats/imap/fetch-item.ts'
import { scanHeader } from '#formats/message/header.ts'
import { isMessage, type MimePart } from '#formats/message/mime-index.ts'
import type { Range } from '#formats/message/range.ts'
import type { MessageSummary } from '#formats/message/summary.ts'
import { asBuffer } from '#lib/bytes.ts'

type FieldChoice = SectionText & { readonly kind: 'fields' }

/** The part with these numbers, or null when there is none. A message that is not a multipart has one part, its body. */
export function findPart(root: MimePart, numbers: readonly number[]): MimePart | null {
  let part = root
  /** The message whose parts the next number counts; null inside a multipart. */
  let message: MimePart | null = root
  for (const number of numbers) {
    const holder: MimePart = message ?? part
    const next = holder.type === 'multipart' ? holder.children[number - 1] : message && number === 1 ? message : null
    if (!next) return null
    part = next
    // The parts of an enclosed message are numbered as if it stood alone.
    message = isMessage(part) ? (part.children[0] ?? null) : null
  }
  return part
}

/** Where the section lies, or null when the message has no such section. */
function rangeOf(root: MimePart, { part: numbers, text }: Section): Range | null {
  if (numbers.length === 0) {
    if (text === null) return { start: 0, end: root.body.end }
    return text.kind === 'text' ? root.body : root.header
  }
  const part = findPart(root, numbers)
  if (!part) return null
  if (text === null) return part.body
  if (text.kind === 'mime') return part.header
  // HEADER and TEXT of a part are those of the message that it holds.
  const message = isMessage(part) ? part.children[0] : undefined
  if (!message) return null
  return text.kind === 'text' ? message.body : message.header
}

/** Whether the octets can be had from the summary alone: they are in the root header. */
export function isInHeader({ part, text }: Section): boolean {
  return part.length === 0 && (text?.kind === 'header' || text?.kind === 'fields')
}

/** Whether the octets can be had without knowing the structure. */
export function isWhole({ part, text }: Section): boolean {
  return part.length === 0 && text === null
}

/**
 * The octets of a section, or null for one that is not there. `content` may be missing where the summary has the header and
 * `isInHeader`, for which the structure is not looked at; `summary` may be missing where `isWhole`.
 */
export function sectionOf(section: Section, summary: MessageSummary | null, content: Buffer | null): Buffer | null {
  if (isWhole(section)) return content
  if (!summary) return null
  const octets = octetsOf(section, summary, content)
  return octets && section.text?.kind === 'fields' ? chooseFields(octets, section.text) : octets
}

function octetsOf(section: Section, summary: MessageSummary, content: Buffer | null): Buffer | null {
  if (isInHeader(section) && summary.header) return asBuffer(summary.header)
  const range = rangeOf(summary.root, section)
  return range && content ? content.subarray(range.start, range.end) : null
}

/** The fields with these names, or without them, and the empty line that is always there (RFC 3501 §6.4.5). */
function chooseFields(header: Buffer, { names, not }: FieldChoice): Buffer {
  const wanted = new Set(names.map((name) => name.toLowerCase()))
  const fields = scanHeader(header).fields.filter((field) => wanted.has(field.name) !== not)
  return Buffer.concat([...fields.map(({ start, end }) => header.subarray(start, end)), Buffer.from('\r\n')])
}

/** Octets from `start`, as many as there are; none beyond the end. */
export function partOf(octets: Buffer, partial: Partial | null): Buffer {
  return partial ? octets.subarray(partial.start, partial.start + partial.length) : octets
}
