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

/** Writes the parts as one stream that fills `target` to its end; the size must be one that `canPad` allows. */
export function writeStored(target: Buffer, parts: readonly Bytes[]): void {
  const size = parts.reduce((sum, part) => sum + part.length, 0)
  const gap = target.length - storedSize(size)
  const blocks = Math.max(1, Math.ceil(size / LARGEST_BLOCK))
  for (let index = 0; index < blocks; index++) {
    const length = Math.min(LARGEST_BLOCK, size - index * LARGEST_BLOCK)
    const at = index * (LARGEST_BLOCK + BLOCK_HEADER)
    target[at] = gap === 0 && index === blocks - 1 ? 1 : 0
    target.writeUInt16LE(length, at + 1)
    target.writeUInt16LE(~length & 0xffff, at + 3)
  }
  let from = 0
  for (const part of parts) {
    spread(target, part, from)
    from += part.length
  }
  if (gap > 0) pad(target, target.length - gap)
}

/** Copies a part that begins at octet `from` of the content to where the blocks have room for it. */
function spread(target: Buffer, part: Bytes, from: number): void {
  for (let done = 0; done < part.length; ) {
    const index = Math.floor((from + done) / LARGEST_BLOCK)
    const end = Math.min(part.length, (index + 1) * LARGEST_BLOCK - from)
    target.set(part.subarray(done, end), from + done + (index + 1) * BLOCK_HEADER)
    done = end
  }
}

function pad(target: Buffer, start: number): void {
  let at = start
  for (let sixes = (target.length - start) % 5; sixes > 0; sixes--, at += EMPTY_SIX.length) target.set(EMPTY_SIX, at)
  target.fill(EMPTY_FIVE, at)
  target[target.length - BLOCK_HEADER] = 1
}

/** Reads such a stream into its own memory, in which it is no stream afterwards. null: something else is in it, and nothing happened. */
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
  return joined(blocks)
}

/** Moves each block to the end of the one before. Other memory would have to be found and filled for every large message. */
function joined(blocks: readonly Buffer[]): Buffer {
  const [first, ...others] = blocks
  if (!first) return Buffer.alloc(0)
  const whole = Buffer.from(
    first.buffer,
    first.byteOffset,
    blocks.reduce((sum, block) => sum + block.length, 0),
  )
  let end = first.length
  for (const block of others) {
    whole.set(block, end)
    end += block.length
  }
  const last = others.at(-1) ?? first
  Buffer.from(first.buffer, first.byteOffset + end, last.byteOffset - first.byteOffset + last.length - end).fill(0)
  return whole
}
