/**
 * The byte-offset index of a message: where each MIME part's header and body begin and end (RFC 2045, 2046), so that IMAP
 * parts, signatures and partial fetches are exact slices of the stored octets. It never decodes and never copies content.
 *
 * Every message has an index: what is broken, or beyond the limits below, is text/plain. So a multipart always has parts, a
 * message/rfc822 always has its one message. One pass over the octets, no recursion; the result may be walked by recursion.
 */
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { type Disposition, type Parameters, readContentFields } from './content-fields.ts'
import { HEADER_LIMIT, type Header, scanHeader, trimBlanks } from './header.ts'
import { countLines, countLinesOfAll } from './lines.ts'
import { type MessageEnvelope, readEnvelope } from './message-envelope.ts'
import { BOUNDARY_LIMIT, PartDelimiters } from './part-delimiters.ts'
import type { Range } from './range.ts'

export type { ListedAddress } from './address-list.ts'
export type { MessageEnvelope } from './message-envelope.ts'
export type { Range } from './range.ts'

/** One MIME entity. Values of header fields are raw octets as latin1 text, unfolded; nothing is decoded here. */
export interface MimePart {
  /** The MIME header fields including the empty line that ends them (the whole header for the root). */
  readonly header: Range
  /** From after the empty line to before the CRLF of the closing delimiter. */
  readonly body: Range
  /** Lines in the body: its line feeds. Counted for text and message/rfc822, which BODYSTRUCTURE wants it for; otherwise 0. */
  readonly lines: number
  /** Lower case; `text`/`plain` when absent or broken (RFC 2045 §5.2), `message`/`rfc822` inside multipart/digest. */
  readonly type: string
  readonly subtype: string
  /** Content-Type parameters: lower-case name, raw value; RFC 2231 continuations joined, charset'lang'value left encoded. */
  readonly parameters: Parameters
  readonly id: string | null
  readonly description: string | null
  /** Lower case, `7bit` when absent. */
  readonly encoding: string
  readonly md5: string | null
  readonly disposition: Disposition | null
  readonly language: readonly string[]
  readonly location: string | null
  /** multipart/*: its parts in order. message/rfc822 (and message/global): exactly one, the message inside. Otherwise empty. */
  readonly children: readonly MimePart[]
  /** The envelope of the message that this entity is the root of: set for the root and for the child of message/rfc822. */
  readonly envelope: MessageEnvelope | null
}

export const PARTS_LIMIT = 10_000
export const DEPTH_LIMIT = 100

export function indexMessage(octets: Bytes): MimePart {
  return indexWithHeader(octets).root
}

/** The index, and the fields of the root's header that were read on the way. */
export function indexWithHeader(octets: Bytes): { root: MimePart; header: Header } {
  return new Indexer(asBuffer(octets)).run()
}

/** Whether the part holds a whole message (RFC 2046 §5.2.1, RFC 6532 §3.7). */
export function isMessage({ type, subtype }: { readonly type: string; readonly subtype: string }): boolean {
  return type === 'message' && (subtype === 'rfc822' || subtype === 'global')
}

type OpenPart = { -readonly [K in keyof MimePart]: K extends 'children' ? OpenPart[] : MimePart[K] }

const TEXT_PLAIN = { type: 'text', subtype: 'plain', parameters: [] }
const MESSAGE = { type: 'message', subtype: 'rfc822', parameters: [] }
const NO_FIELDS: Header = { fields: [], range: { start: 0, end: 0 } }

class Indexer {
  readonly #octets: Buffer
  /** Entities that are not yet ended, from the outside in. */
  readonly #open: OpenPart[] = []
  readonly #delimiters: PartDelimiters
  /** Their lines are counted together at the end, because they may lie within each other. */
  readonly #messages: OpenPart[] = []
  #parts = 0
  #headerLeft = HEADER_LIMIT
  #rootHeader = NO_FIELDS

  constructor(octets: Buffer) {
    this.#octets = octets
    this.#delimiters = new PartDelimiters(octets)
  }

  run(): { root: MimePart; header: Header } {
    let at = this.#enter(0, null)
    const root = this.#open[0]!
    while (this.#parts < PARTS_LIMIT && this.#headerLeft > 0) {
      const delimiter = this.#delimiters.next(at)
      if (!delimiter) break
      this.#end(delimiter.level + 1, delimiter.contentEnd)
      at = delimiter.end
      if (delimiter.close) this.#delimiters.remove(delimiter.level)
      else at = this.#enter(at, this.#open[delimiter.level]!)
    }
    this.#end(0, this.#octets.length)
    const lines = countLinesOfAll(
      this.#octets,
      this.#messages.map(({ body }) => body),
    )
    for (const [index, message] of this.#messages.entries()) message.lines = lines[index]!
    return { root, header: this.#rootHeader }
  }

  /** Opens the entity that begins there and, when it holds a message, that one too. Answers where the innermost body begins. */
  #enter(start: number, multipart: OpenPart | null): number {
    let parent = multipart
    let at = start
    for (;;) {
      const part = this.#read(at, parent)
      this.#push(part, parent)
      at = part.body.start
      if (part.type === 'multipart') this.#delimiters.add(this.#open.length - 1, boundaryOf(part))
      if (!isMessage(part)) return at
      this.#messages.push(part)
      if (!this.#canOpen(part)) {
        this.#push(this.#opaqueMessage(at), part)
        return at
      }
      parent = part
    }
  }

  #push(part: OpenPart, parent: OpenPart | null): void {
    parent?.children.push(part)
    this.#open.push(part)
    this.#parts++
  }

  #read(start: number, parent: OpenPart | null): OpenPart {
    const isRoot = parent === null || isMessage(parent)
    const header = this.#readHeader(start)
    if (parent === null) this.#rootHeader = header
    const fields = readContentFields(this.#octets, header)
    const isDigest = parent?.type === 'multipart' && parent.subtype === 'digest'
    // RFC 2045 §5.2, RFC 2046 §5.1.5
    const contentType = fields.contentType ?? (isDigest ? MESSAGE : TEXT_PLAIN)
    const part: OpenPart = {
      header: header.range,
      body: { start: header.range.end, end: header.range.end },
      lines: 0,
      ...contentType,
      id: fields.id,
      description: fields.description,
      encoding: fields.encoding,
      md5: fields.md5,
      disposition: fields.disposition,
      language: fields.language,
      location: fields.location,
      children: [],
      envelope: isRoot ? readEnvelope(this.#octets, header) : null,
    }
    if (part.type === 'multipart' && !this.#canSplit(part)) Object.assign(part, TEXT_PLAIN)
    return part
  }

  #readHeader(start: number): Header {
    const end = Math.min(this.#octets.length, start + this.#headerLeft)
    const header = scanHeader(this.#octets, start, end, (line) => this.#delimiters.at(line) !== null)
    this.#headerLeft -= header.range.end - start
    return header
  }

  #canSplit(part: OpenPart): boolean {
    const { length } = boundaryOf(part)
    return length > 0 && length <= BOUNDARY_LIMIT && this.#open.length < DEPTH_LIMIT && this.#headerLeft > 0
  }

  /** RFC 2046 §5.2.1 forbids to encode a message; one that is encoded all the same cannot be looked into here. */
  #canOpen({ encoding }: OpenPart): boolean {
    const plain = encoding === '7bit' || encoding === '8bit' || encoding === 'binary'
    return plain && this.#open.length < DEPTH_LIMIT && this.#parts < PARTS_LIMIT && this.#headerLeft > 0
  }

  #opaqueMessage(start: number): OpenPart {
    const nowhere = { start, end: start }
    return {
      header: nowhere,
      body: nowhere,
      lines: 0,
      ...TEXT_PLAIN,
      id: null,
      description: null,
      encoding: '7bit',
      md5: null,
      disposition: null,
      language: [],
      location: null,
      children: [],
      envelope: readEnvelope(this.#octets, NO_FIELDS),
    }
  }

  /** Ends the entities from that level inwards. */
  #end(level: number, contentEnd: number): void {
    while (this.#open.length > level) {
      const part = this.#open.pop()!
      this.#delimiters.remove(this.#open.length)
      part.body = { start: part.body.start, end: Math.max(part.body.start, contentEnd) }
      if (part.type === 'multipart' && part.children.length === 0) Object.assign(part, TEXT_PLAIN)
      if (part.type === 'text') part.lines = countLines(this.#octets, part.body)
    }
  }
}

function boundaryOf({ parameters }: MimePart): string {
  const boundary = parameters.find(([name]) => name === 'boundary')?.[1] ?? ''
  // RFC 2046 §5.1.1: it cannot end with a blank.
  return trimBlanks(boundary)
}
