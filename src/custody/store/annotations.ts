/**
 * The annotations of a mailbox, or of the account itself (RFC 5464), as one value: names in order, each with its octets. The store keeps
 * it encoded, the sealing store sealed, so that neither names nor values are in clear on the disk.
 *
 * Encoded: version octet 1, then for each entry the length of its name (two octets), the name, the length of its value (four
 * octets), the value.
 */
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { ANNOTATIONS_PER_MAILBOX, TooManyAnnotations } from './mail-store.ts'

const VERSION = 1
/** How often a value that others change meanwhile is changed again. */
const ROUNDS = 8

export type Annotations = ReadonlyMap<string, Bytes>
export type AnnotationEntry = readonly [name: string, value: Bytes | null]

/** Where the encoded value of one mailbox is kept. */
export interface AnnotationPlace {
  read(): Promise<Bytes | null>
  /**
   * Puts `after` in the place of `before` (null: nothing); false when that was not there any more. Listeners hear which
   * entries changed.
   */
  replace(before: Bytes | null, after: Bytes | null, changed: readonly string[]): Promise<boolean>
}

/** Between the value and its octets on the disk. */
export interface AnnotationCodec {
  encode(annotations: Annotations): Bytes
  /** Empty for what does not open. */
  decode(octets: Bytes): Annotations
}

export const plainAnnotations: AnnotationCodec = { encode: encodeAnnotations, decode: decodeAnnotations }

export async function readAnnotations(place: AnnotationPlace, codec: AnnotationCodec): Promise<Annotations> {
  const octets = await place.read()
  return octets ? codec.decode(octets) : new Map()
}

/** Sets all of the entries, or removes those without a value. Throws TooManyAnnotations. */
export async function changeAnnotations(
  place: AnnotationPlace,
  codec: AnnotationCodec,
  entries: readonly AnnotationEntry[],
): Promise<void> {
  const changed = entries.map(([name]) => name)
  for (let round = 0; round < ROUNDS; round++) {
    const before = await place.read()
    const after = new Map(before ? codec.decode(before) : [])
    for (const [name, value] of entries) {
      if (value === null) after.delete(name)
      else after.set(name, value)
    }
    if (after.size > ANNOTATIONS_PER_MAILBOX) throw new TooManyAnnotations('too many annotations of one mailbox')
    if (await place.replace(before, after.size > 0 ? codec.encode(after) : null, changed)) return
  }
  throw new Error('the annotations are changed all the time')
}

export function encodeAnnotations(annotations: Annotations): Buffer {
  const pieces: Bytes[] = [Buffer.of(VERSION)]
  for (const [name, value] of annotations) {
    const named = Buffer.from(name)
    const lengths = Buffer.alloc(6)
    lengths.writeUInt16BE(named.length)
    lengths.writeUInt32BE(value.byteLength, 2)
    pieces.push(lengths.subarray(0, 2), named, lengths.subarray(2), value)
  }
  return Buffer.concat(pieces)
}

/** The values are copies. Empty for what is no such value. */
export function decodeAnnotations(encoded: Bytes): Annotations {
  const octets = asBuffer(encoded)
  const found = new Map<string, Bytes>()
  if (octets[0] !== VERSION) return found
  for (let at = 1; at < octets.length; ) {
    if (octets.length < at + 2) return new Map()
    const named = at + 2 + octets.readUInt16BE(at)
    if (octets.length < named + 4) return new Map()
    const end = named + 4 + octets.readUInt32BE(named)
    if (octets.length < end) return new Map()
    found.set(octets.toString('utf8', at + 2, named), Buffer.from(octets.subarray(named + 4, end)))
    at = end
  }
  return found
}
