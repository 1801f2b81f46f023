/**
 * DEFLATE that compresses nothing (RFC 1951 §3.2.4): octets in stored blocks, followed by empty blocks that hide their number.
 * Padding packets would do the same, but programs older than RFC 9580 refuse a message that has them; this every one reads.
 */
import type { Bytes } from '#lib/bytes.ts'

const LARGEST_BLOCK = 65_535
const BLOCK_HEADER = 5
/** An empty block of fixed codes, then an empty stored one: six octets, so that every number can be made of fives and sixes. */
const EMPTY_SIX = Buffer.of(2, 0, 0, 0, 0xff, 0xff)
const EMPTY_FIVE = Buffer.of(0, 0, 0, 0xff, 0xff)

/** Octets that `size` octets take without padding. */
export function storedSize(size: number): number {
  return size + BLOCK_HEADER * Math.max(1, Math.ceil(size / LARGEST_BLOCK))
}

/** Whether a gap of this many octets can be filled with empty blocks. */
export function canPad(gap: number): boolean {
  const sixes = gap % 5
  return gap >= 0 && (sixes === 0 || gap >= 6 * sixes + BLOCK_HEADER)
}

/** Writes head and content as one stream that fills `target` to its end; the size must be one that `canPad` allows. */
export function writeStored(target: Buffer, head: Bytes, content: Bytes): void {
  const size = head.length + content.length
  const gap = target.length - storedSize(size)
  let at = 0
  for (let from = 0; from === 0 || from < size; from += LARGEST_BLOCK) {
    const length = Math.min(LARGEST_BLOCK, size - from)
    target[at] = gap === 0 && from + length === size ? 1 : 0
    target.writeUInt16LE(length, at + 1)
    target.writeUInt16LE(~length & 0xffff, at + 3)
    at += BLOCK_HEADER
    if (from === 0) target.set(head, at)
    const begin = Math.max(0, from - head.length)
    target.set(content.subarray(begin, from + length - head.length), from === 0 ? at + head.length : at)
    at += length
  }
  if (gap === 0) return
  for (let sixes = gap % 5; sixes > 0; sixes--, at += EMPTY_SIX.length) target.set(EMPTY_SIX, at)
  target.fill(EMPTY_FIVE, at)
  target[target.length - BLOCK_HEADER] = 1
}

/** Reads such a stream; a single block shares memory with it. null: something else is in it. */
export function readStored(octets: Buffer): Buffer | null {
  const blocks: Buffer[] = []
  for (let at = 0, last = false; !last; ) {
    if (octets[at] === 2 && octets[at + 1] === 0) at += 1
    else if (octets[at] !== 0 && octets[at] !== 1) return null
    // a five's first octet, or a six's second, which is never the last block
    last = octets[at] === 1
    if (at + BLOCK_HEADER > octets.length) return null
    const length = octets.readUInt16LE(at + 1)
    if ((octets.readUInt16LE(at + 3) ^ length) !== 0xffff) return null
    at += BLOCK_HEADER + length
    if (at > octets.length) return null
    if (length > 0) blocks.push(octets.subarray(at - length, at))
    if (last && at !== octets.length) return null
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks)
}
