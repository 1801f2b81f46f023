/**
 * What is known of a message without opening it again: enough for every IMAP list, for threading and for finding a part.
 * Made once from the clear octets at delivery, stored only sealed.
 *
 * Encoded: version octet 2, 1 when the header is kept (else 0), the size (6 octets), the lengths of two JSON texts (4 each; arrays, no
 * names), the envelope with the references, the structure with all the rest, and the kept header. So a list reads what it shows.
 * Version octet 1: the length (4) of one JSON text of everything, the text, the header.
 */
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import type { Parameters } from './content-fields.ts'
import { fieldValue } from './header.ts'
import { indexWithHeader, type ListedAddress, type MessageEnvelope, type MimePart } from './mime-index.ts'
import { previewOf } from './preview.ts'

export interface MessageSummary {
  /** Octets of the whole message (RFC822.SIZE). */
  readonly size: number
  /** Of `root`. */
  readonly envelope: MessageEnvelope
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
const VERSION = 2
/** Places of what stands before the texts. */
const KEPT = 1
const SIZE = 2
const SIZE_OCTETS = 6
const ENVELOPE_LENGTH = 8
const STRUCTURE_LENGTH = 12
const PREFIX_OCTETS = 16

const JOINED_VERSION = 1
const JOINED_PREFIX_OCTETS = 5
const COMMA = 44

/** Takes a copy of the header, so that the message itself need not stay in memory. */
export function summarize(octets: Bytes): MessageSummary {
  const { root, header } = indexWithHeader(octets)
  const { start, end } = root.header
  const references = header.fields.find(({ name }) => name === 'references')
  return {
    size: octets.byteLength,
    envelope: root.envelope!,
    root,
    references: references ? fieldValue(octets, references, REFERENCES_KEPT) : null,
    header: end - start <= HEADER_KEPT ? Buffer.from(octets.subarray(start, end)) : null,
    preview: previewOf(root, octets),
  }
}

export function encodeSummary({ size, envelope, root, references, header, preview }: MessageSummary): Bytes {
  const named: PackedNamed = [packEnvelope(envelope), references]
  const structure: PackedStructure = [packPart({ ...root, envelope: null }), preview]
  const [first, second] = [Buffer.from(JSON.stringify(named)), Buffer.from(JSON.stringify(structure))]
  const prefix = Buffer.alloc(PREFIX_OCTETS)
  prefix[0] = VERSION
  prefix[KEPT] = header ? 1 : 0
  prefix.writeUIntBE(size, SIZE, SIZE_OCTETS)
  prefix.writeUInt32BE(first.length, ENVELOPE_LENGTH)
  prefix.writeUInt32BE(second.length, STRUCTURE_LENGTH)
  return Buffer.concat(header ? [prefix, first, second, header] : [prefix, first, second])
}

/** The encoded form is not one of ours, or is damaged. */
export class BadSummary extends Error {
  override readonly name = 'BadSummary'
}

/** The header is a view of the encoded octets. Throws BadSummary. */
export function decodeSummary(encoded: Bytes): MessageSummary {
  const { size, envelope, root, references, header, preview } = openSummary(encoded, WHOLE)
  return { size, envelope, root, references, header, preview }
}

/** What somebody will look at. */
export interface SummaryUse {
  /** And the references. */
  readonly envelope: boolean
  /** `root` and the preview. */
  readonly structure: boolean
}

const WHOLE: SummaryUse = { envelope: true, structure: true }

/**
 * The same, but what is not used is not decoded, and its damage not found, until somebody looks at it after all. It does not
 * survive a spread.
 */
export function openSummary(encoded: Bytes, use: SummaryUse): MessageSummary {
  const octets = asBuffer(encoded)
  if (octets[0] === JOINED_VERSION) return decodeJoined(octets)
  if (octets[0] !== VERSION) throw new BadSummary('unknown version of a message summary')
  const summary = new EncodedSummary(octets)
  if (use.envelope) summary.decodeEnvelope()
  // Where the header was not kept, the structure says where it is.
  if (use.structure || summary.header === null) summary.decodeStructure()
  return summary
}

type Named = Pick<MessageSummary, 'envelope' | 'references'>
type Structure = Pick<MessageSummary, 'root' | 'preview'>

class EncodedSummary implements MessageSummary {
  readonly size: number
  readonly header: Bytes | null
  readonly #octets: Buffer
  readonly #middle: number
  readonly #end: number
  #named: Named | null = null
  #structure: Structure | null = null

  constructor(octets: Buffer) {
    if (octets.length < PREFIX_OCTETS) throw cutShort()
    this.#octets = octets
    this.#middle = PREFIX_OCTETS + octets.readUInt32BE(ENVELOPE_LENGTH)
    this.#end = this.#middle + octets.readUInt32BE(STRUCTURE_LENGTH)
    if (this.#end > octets.length) throw cutShort()
    this.size = octets.readUIntBE(SIZE, SIZE_OCTETS)
    this.header = octets[KEPT] === 1 ? octets.subarray(this.#end) : null
  }

  decodeEnvelope(): Named {
    this.#named ??= decodeText(this.#octets, PREFIX_OCTETS, this.#middle, ([envelope, references]: PackedNamed) => ({
      envelope: unpackEnvelope(envelope),
      references,
    }))
    return this.#named
  }

  decodeStructure(): Structure {
    this.#structure ??= decodeText(this.#octets, this.#middle, this.#end, ([root, preview]: PackedStructure) => ({
      root: { ...unpackPart(root), envelope: this.envelope },
      preview,
    }))
    return this.#structure
  }

  get envelope(): MessageEnvelope {
    return this.decodeEnvelope().envelope
  }

  get references(): string | null {
    return this.decodeEnvelope().references
  }

  get root(): MimePart {
    return this.decodeStructure().root
  }

  get preview(): string | null {
    return this.decodeStructure().preview
  }
}

function decodeJoined(octets: Buffer): MessageSummary {
  if (octets.length < JOINED_PREFIX_OCTETS) throw cutShort()
  const end = JOINED_PREFIX_OCTETS + octets.readUInt32BE(1)
  if (end > octets.length) throw cutShort()
  return decodeText(octets, JOINED_PREFIX_OCTETS, end, (packed: PackedSummary) => {
    const [size, references, hasHeader, packedRoot, preview = null] = packed
    const root = unpackPart(packedRoot)
    const header = hasHeader ? octets.subarray(end) : null
    return { size, envelope: root.envelope!, root, references, header, preview }
  })
}

function decodeText<P, T>(octets: Buffer, start: number, end: number, unpack: (packed: P) => T): T {
  try {
    return unpack(JSON.parse(octets.toString('utf8', start, end)) as P)
  } catch (error) {
    throw new BadSummary('a message summary is damaged', { cause: error })
  }
}

const cutShort = () => new BadSummary('a message summary is cut short')

/** RFC822.SIZE alone, without reading the rest. Throws BadSummary. */
export function sizeInSummary(encoded: Bytes): number {
  const octets = asBuffer(encoded)
  if (octets[0] === VERSION) return new EncodedSummary(octets).size
  const start = JOINED_PREFIX_OCTETS + 1
  const comma = octets[0] === JOINED_VERSION ? octets.indexOf(COMMA, start) : -1
  const size = comma > start && comma - start <= 16 ? Number(octets.toString('latin1', start, comma)) : -1
  if (!Number.isSafeInteger(size) || size < 0) throw new BadSummary('a message summary is damaged')
  return size
}

type Text = string | null
/** The envelope of the root is apart. */
type PackedStructure = [root: PackedPart, preview: Text]
type PackedNamed = [envelope: PackedEnvelope, references: Text]
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
