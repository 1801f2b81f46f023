/**
 * What is kept of a message that its sender sealed or signed, for a later look at it.
 *
 * One that no key opened: for whom it is, and which keys were tried. One whose signatures could not be checked: these, and what
 * is needed to make the signed octets again from those that are shown, which differ from them in the header and sometimes in the
 * first lines of the text.
 */
import { asBuffer, type Bytes } from '#lib/bytes.ts'

/** Names of keys, as PKESKs have them; null for one that names none. */
export interface Closed {
  readonly recipients: readonly (string | null)[]
  /** Of the keys that were tried (nameOfKeys). */
  readonly tried: string
}

/** First octets. */
const CLOSED = 0x63
const SIGNED = 0x73

export function isClosed(kept: Bytes): boolean {
  return kept[0] === CLOSED
}

export function encodeClosed({ recipients, tried }: Closed): Buffer {
  return Buffer.concat([Buffer.of(CLOSED), Buffer.from(JSON.stringify([tried, recipients]))])
}

/** null for what is none. */
export function decodeClosed(kept: Bytes): Closed | null {
  if (!isClosed(kept)) return null
  try {
    const [tried, recipients] = JSON.parse(asBuffer(kept).toString('utf8', 1)) as [unknown, unknown]
    if (typeof tried !== 'string' || !Array.isArray(recipients)) return null
    return { tried, recipients: recipients.map((one) => (typeof one === 'string' ? one : null)) }
  } catch {
    return null
  }
}

/** What was signed, and by which signatures. */
export interface Signed {
  readonly signed: Bytes
  readonly signatures: readonly Bytes[]
}

/** More than a header and signatures by usual keys: nothing is kept, and they stay unchecked. */
const MOST_KEPT = 64 << 10
const NUMBER = 4

/**
 * Where the signed octets are to be looked for in the view: so many octets before its end. The form is three numbers (that one,
 * how many octets of the view are used, length of the octets that stand before them), these octets, and the signatures, each after
 * its length. null when they are not there, or too much had to be kept.
 */
export function encodeSigned({ signed, signatures }: Signed, view: Bytes, behind: number): Buffer | null {
  if (behind > view.byteLength) return null
  const shared = commonTail(asBuffer(signed), asBuffer(view).subarray(0, view.byteLength - behind))
  const head = signed.subarray(0, signed.byteLength - shared)
  const parts = [head, ...signatures]
  if (parts.reduce((sum, part) => sum + part.byteLength, 0) > MOST_KEPT) return null
  const numbers = [Buffer.of(SIGNED), number(behind), number(shared)]
  return Buffer.concat([...numbers, ...parts.flatMap((part) => [number(part.byteLength), part])])
}

function number(value: number): Buffer {
  const octets = Buffer.alloc(NUMBER)
  octets.writeUInt32BE(value)
  return octets
}

/** null when they are not of this view. */
export function decodeSigned(kept: Bytes, view: Bytes): Signed | null {
  const octets = asBuffer(kept)
  const first = 1 + 2 * NUMBER
  if (octets[0] !== SIGNED || octets.byteLength < first) return null
  const parts: Buffer[] = []
  for (let at = first; at < octets.byteLength; ) {
    if (at + NUMBER > octets.byteLength) return null
    const end = at + NUMBER + octets.readUInt32BE(at)
    if (end > octets.byteLength) return null
    parts.push(octets.subarray(at + NUMBER, end))
    at = end
  }
  const [head, ...signatures] = parts
  if (!head) return null
  const end = view.byteLength - octets.readUInt32BE(1)
  const start = end - octets.readUInt32BE(1 + NUMBER)
  if (start < 0) return null
  return { signed: Buffer.concat([head, view.subarray(start, end)]), signatures }
}

const BLOCK = 64 << 10

/** How many octets at their ends are the same. */
function commonTail(a: Buffer, b: Buffer): number {
  const most = Math.min(a.byteLength, b.byteLength)
  let shared = 0
  const at = (octets: Buffer, size: number) =>
    octets.subarray(octets.byteLength - shared - size, octets.byteLength - shared)
  while (shared + BLOCK <= most && at(a, BLOCK).equals(at(b, BLOCK))) shared += BLOCK
  while (shared < most && a[a.byteLength - 1 - shared] === b[b.byteLength - 1 - shared]) shared++
  return shared
}
