/**
 * One shard: the texts of some messages as lists of places, by the words that stand there. It never changes once it is made, and lies
 * in memory as it is stored: a few arrays of octets and numbers, which are wiped when it is given up.
 *
 * A text (of a header field, or of the body) is a section. Tokens (tokens.ts) of all sections are numbered through, with one number left
 * out after each section, so that what is in a row is in one text. For each token there are the sections it is in, and its places.
 */
import type { Bytes } from '#lib/bytes.ts'

/** Of sections: all bodies are one area, fields of one name another. */
export const BODY = 0

export interface ShardHead {
  /** Ids of the messages; dead ones too, which whoever asks leaves out. */
  readonly documents: Float64Array
  /** Names of the header fields, lower case; the first is that of no field. */
  readonly areas: readonly string[]
  /** Where each section begins, and last where the next one would. */
  readonly starts: Uint32Array
  readonly sectionDocuments: Uint32Array
  readonly sectionAreas: Uint16Array
}

export interface ShardWords {
  /** The tokens, each after a NUL, and a NUL at the end. */
  readonly vocabulary: Buffer
  /** Where each token begins in it, and one more. */
  readonly tokens: Uint32Array
  /** Sections of each token: differences, as in octet-sink.ts. */
  readonly sections: Buffer
  /** Where each token's sections begin, and one more. */
  readonly sectionLists: Uint32Array
}

/** Looked at for phrases only. */
export interface ShardPlaces {
  readonly places: Buffer
  readonly placeLists: Uint32Array
}

export interface WholeShard {
  readonly head: ShardHead
  readonly words: ShardWords
  readonly places: ShardPlaces
}

/** A shard whose places are fetched when they are needed. */
export interface SearchedShard {
  readonly head: ShardHead
  readonly words: ShardWords
  places(): Promise<ShardPlaces>
}

/** The section in which a place is. */
export function sectionAt(starts: Uint32Array, place: number): number {
  let low = 0
  let high = starts.length - 2
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (starts[middle]! <= place) low = middle
    else high = middle - 1
  }
  return low
}

const ALIGNMENT = 8
const aligned = (length: number) => Math.ceil(length / ALIGNMENT) * ALIGNMENT

/** Several arrays as one, each with its length before. */
function packed(parts: readonly Bytes[]): Buffer {
  const size = parts.reduce((sum, part) => sum + ALIGNMENT + aligned(part.byteLength), 0)
  const all = Buffer.alloc(size)
  let at = 0
  for (const part of parts) {
    all.writeUInt32LE(part.byteLength, at)
    all.set(part, at + ALIGNMENT)
    at += ALIGNMENT + aligned(part.byteLength)
  }
  return all
}

/** Views of `all`. Throws RangeError for what is none. */
function unpacked(all: Bytes): Buffer[] {
  const start = all.byteOffset % ALIGNMENT === 0 ? all : Uint8Array.from(all)
  const octets = Buffer.from(start.buffer, start.byteOffset, start.byteLength)
  const parts: Buffer[] = []
  for (let at = 0; at < octets.length; ) {
    const length = octets.readUInt32LE(at)
    parts.push(octets.subarray(at + ALIGNMENT, at + ALIGNMENT + length))
    at += ALIGNMENT + aligned(length)
  }
  return parts
}

const octetsOf = ({ buffer, byteOffset, byteLength }: Float64Array | Uint32Array | Uint16Array) =>
  new Uint8Array(buffer, byteOffset, byteLength)
const numbers = (part: Buffer) => new Uint32Array(part.buffer, part.byteOffset, part.byteLength / 4)

/** Differences compress better than sums. */
function differences(sums: Uint32Array): Uint8Array {
  const found = new Uint32Array(sums.length)
  for (let at = sums.length - 1; at > 0; at--) found[at] = sums[at]! - sums[at - 1]!
  if (sums.length > 0) found[0] = sums[0]!
  return octetsOf(found)
}

function sums(part: Buffer): Uint32Array {
  const found = numbers(part)
  for (let at = 1; at < found.length; at++) found[at]! += found[at - 1]!
  return found
}

export function packHead(head: ShardHead): Buffer {
  return packed([
    octetsOf(head.documents),
    Buffer.from(head.areas.join('\n')),
    differences(head.starts),
    octetsOf(head.sectionDocuments),
    octetsOf(head.sectionAreas),
  ])
}

export function unpackHead(octets: Bytes): ShardHead {
  const [documents, areas, starts, owners, sectionAreas] = unpacked(octets) as [Buffer, Buffer, Buffer, Buffer, Buffer]
  return {
    documents: new Float64Array(documents.buffer, documents.byteOffset, documents.byteLength / 8),
    areas: areas.toString().split('\n'),
    starts: sums(starts),
    sectionDocuments: numbers(owners),
    sectionAreas: new Uint16Array(sectionAreas.buffer, sectionAreas.byteOffset, sectionAreas.byteLength / 2),
  }
}

export function packWords(words: ShardWords): Buffer {
  return packed([words.vocabulary, differences(words.tokens), words.sections, differences(words.sectionLists)])
}

export function unpackWords(octets: Bytes): ShardWords {
  const [vocabulary, tokens, sections, sectionLists] = unpacked(octets) as [Buffer, Buffer, Buffer, Buffer]
  return { vocabulary, tokens: sums(tokens), sections, sectionLists: sums(sectionLists) }
}

export function packPlaces({ places, placeLists }: ShardPlaces): Buffer {
  return packed([places, differences(placeLists)])
}

export function unpackPlaces(octets: Bytes): ShardPlaces {
  const [places, placeLists] = unpacked(octets) as [Buffer, Buffer]
  return { places, placeLists: sums(placeLists) }
}

/** Octets in memory. */
export function weightOf(part: ShardHead | ShardWords | ShardPlaces): number {
  let weight = 0
  for (const one of Object.values(part)) if (ArrayBuffer.isView(one)) weight += one.byteLength
  return weight
}

export function wipePart(part: ShardHead | ShardWords | ShardPlaces): void {
  for (const one of Object.values(part))
    if (ArrayBuffer.isView(one)) new Uint8Array(one.buffer, one.byteOffset, one.byteLength).fill(0)
}
