/** Counting lines quickly: four octets at a time, because a message of megabytes is counted when it is delivered. */
import type { Bytes } from '#lib/bytes.ts'
import type { Range } from './range.ts'

const LF = 10
const SEVEN_BITS = 0x7f7f7f7f
const FOUR_LF = 0x0a0a0a0a

/** The line feeds in a range. */
export function countLines(octets: Bytes, { start, end }: Range): number {
  let count = 0
  let at = start
  while (at < end && ((octets.byteOffset + at) & 3) !== 0) if (octets[at++] === LF) count++
  const words = (end - at) >>> 2
  if (words > 0) {
    const view = new Int32Array(octets.buffer, octets.byteOffset + at, words)
    for (let index = 0; index < words; index++) {
      const word = view[index]! ^ FOUR_LF
      // The top bit of each octet of `zeros` says that this octet was a line feed.
      const zeros = ~(((word & SEVEN_BITS) + SEVEN_BITS) | word | SEVEN_BITS)
      if (zeros !== 0) count += Math.imul(zeros >>> 7, 0x01010101) >>> 24
    }
    at += words << 2
  }
  while (at < end) if (octets[at++] === LF) count++
  return count
}

/** The line feeds in each of many ranges that may lie within each other, in one pass over the octets. */
export function countLinesOfAll(octets: Bytes, ranges: readonly Range[]): number[] {
  const places = [...new Set(ranges.flatMap(({ start, end }) => [start, end]))].sort((a, b) => a - b)
  const before = new Map<number, number>()
  let count = 0
  for (const [index, place] of places.entries()) {
    if (index > 0) count += countLines(octets, { start: places[index - 1]!, end: place })
    before.set(place, count)
  }
  return ranges.map(({ start, end }) => before.get(end)! - before.get(start)!)
}
