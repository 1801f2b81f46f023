/**
 * What is known of a message without opening it again: enough for every IMAP list, for threading and for finding a part.
 * Made once from the clear octets at delivery, stored only sealed.
 *
 * Encoded: one octet for the version, four for the length of a JSON text (arrays, no names), the text, then the kept header.
 */
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import type { Parameters } from './content-fields.ts'
import { fieldValue } from './header.ts'
import { indexWithHeader, type ListedAddress, type MessageEnvelope, type MimePart } from './mime-index.ts'
import { previewOf } from './preview.ts'

export interface MessageSummary {
  /** Octets of the whole message (RFC822.SIZE). */
  readonly size: number
  readonly root: MimePart
  /** Raw References field, for threading. */
  readonly references: string | null
  /** The exact octets of the root header (empty line included) when no longer than HEADER_KEPT, else null. */
  readonly header: Bytes | null
  /** The first words (preview.ts); null in summaries from before there was one. */
  readonly preview: string | null
}

export const HEADER_KEPT = 16_384

const REFERENCES_KEPT = 16_384
const VERSION = 1
const PREFIX_OCTETS = 5
const COMMA = 44

/** Takes a copy of the header, so that the message itself need not stay in memory. */
export function summarize(octets: Bytes): MessageSummary {
  const { root, header } = indexWithHeader(octets)
  const { start, end } = root.header
  const references = header.fields.find(({ name }) => name === 'references')
  return {
    size: octets.byteLength,
    root,
    references: references ? fieldValue(octets, references, REFERENCES_KEPT) : null,
    header: end - start <= HEADER_KEPT ? Buffer.from(octets.subarray(start, end)) : null,
    preview: previewOf(root, octets),
  }
}

export function encodeSummary({ size, root, references, header, preview }: MessageSummary): Bytes {
  const text = Buffer.from(JSON.stringify([size, references, header !== null, packPart(root), preview]))
  const prefix = Buffer.alloc(PREFIX_OCTETS)
  prefix[0] = VERSION
  prefix.writeUInt32BE(text.length, 1)
  return Buffer.concat(header ? [prefix, text, header] : [prefix, text])
}

/** The encoded form is not one of ours, or is damaged. */
export class BadSummary extends Error {
  override readonly name = 'BadSummary'
}

/** The header is a view of the encoded octets. Throws BadSummary. */
export function decodeSummary(encoded: Bytes): MessageSummary {
  const bytes = asBuffer(encoded)
  if (bytes.length < PREFIX_OCTETS || bytes[0] !== VERSION) throw new BadSummary('unknown version of a message summary')
  const end = PREFIX_OCTETS + bytes.readUInt32BE(1)
  if (end > bytes.length) throw new BadSummary('a message summary is cut short')
  try {
    const packed = JSON.parse(bytes.toString('utf8', PREFIX_OCTETS, end)) as PackedSummary
    const [size, references, hasHeader, root, preview = null] = packed
    return { size, root: unpackPart(root), references, header: hasHeader ? bytes.subarray(end) : null, preview }
  } catch (error) {
    throw new BadSummary('a message summary is damaged', { cause: error })
  }
}

/** RFC822.SIZE alone, which stands first, without reading the rest. Throws BadSummary. */
export function sizeInSummary(encoded: Bytes): number {
  const start = PREFIX_OCTETS + 1
  const comma = encoded[0] === VERSION ? asBuffer(encoded).indexOf(COMMA, start) : -1
  const size = comma > start && comma - start <= 16 ? Number(asBuffer(encoded).toString('latin1', start, comma)) : -1
  if (!Number.isSafeInteger(size) || size < 0) throw new BadSummary('a message summary is damaged')
  return size
}

type Text = string | null
type PackedSummary = [size: number, references: Text, hasHeader: boolean, root: PackedPart, preview?: Text]
type PackedAddress = [name: Text, mailbox: Text, host: Text]
type PackedList = PackedAddress[] | null
type PackedEnvelope = [Text, Text, Text, Text, PackedList, PackedList, PackedList, PackedList, PackedList, PackedList]
/** Places; type, subtype, encoding; id, description, md5, location; the rest. */
type PackedPart = [
  number,
  number,
  number,
  number,
  number,
  string,
  string,
  string,
  Text,
  Text,
  Text,
  Text,
  Parameters,
  [string, Parameters] | null,
  readonly string[],
  PackedPart[],
  PackedEnvelope | null,
]

function packPart(part: MimePart): PackedPart {
  const { header, body, disposition } = part
  return [
    header.start,
    header.end,
    body.start,
    body.end,
    part.lines,
    part.type,
    part.subtype,
    part.encoding,
    part.id,
    part.description,
    part.md5,
    part.location,
    part.parameters,
    disposition && [disposition.type, disposition.parameters],
    part.language,
    part.children.map(packPart),
    part.envelope && packEnvelope(part.envelope),
  ]
}

function unpackPart(packed: PackedPart): MimePart {
  const disposition = packed[13]
  const envelope = packed[16]
  return {
    header: { start: packed[0], end: packed[1] },
    body: { start: packed[2], end: packed[3] },
    lines: packed[4],
    type: packed[5],
    subtype: packed[6],
    parameters: packed[12],
    id: packed[8],
    description: packed[9],
    encoding: packed[7],
    md5: packed[10],
    disposition: disposition && { type: disposition[0], parameters: disposition[1] },
    language: packed[14],
    location: packed[11],
    children: packed[15].map(unpackPart),
    envelope: envelope && unpackEnvelope(envelope),
  }
}

function packEnvelope(envelope: MessageEnvelope): PackedEnvelope {
  const { date, subject, inReplyTo, messageId, from, sender, replyTo, to, cc, bcc } = envelope
  return [
    date,
    subject,
    inReplyTo,
    messageId,
    packList(from),
    packList(sender),
    packList(replyTo),
    packList(to),
    packList(cc),
    packList(bcc),
  ]
}

function unpackEnvelope(packed: PackedEnvelope): MessageEnvelope {
  return {
    date: packed[0],
    subject: packed[1],
    from: unpackList(packed[4]),
    sender: unpackList(packed[5]),
    replyTo: unpackList(packed[6]),
    to: unpackList(packed[7]),
    cc: unpackList(packed[8]),
    bcc: unpackList(packed[9]),
    inReplyTo: packed[2],
    messageId: packed[3],
  }
}

function packList(list: readonly ListedAddress[] | null): PackedList {
  return list?.map(({ name, mailbox, host }) => [name, mailbox, host]) ?? null
}

function unpackList(packed: PackedList): readonly ListedAddress[] | null {
  return packed?.map(([name, mailbox, host]) => ({ name, mailbox, host })) ?? null
}
