/**
 * Sequence sets (RFC 3501 §9 `sequence-set`): message sequence numbers or UIDs as ranges. A set is never expanded: `1:4294967295`
 * costs what `1` costs. What a set means depends on the mailbox, because `*` is its greatest number, whatever that is.
 */

export interface SequenceRange {
  /** Never greater than `last`; STAR counts as the greatest. */
  readonly first: number
  readonly last: number
}

/** At least one range; in the order of the client. */
export type SequenceSet = readonly SequenceRange[]

/** `*`: the greatest number in use. */
export const STAR = Number.POSITIVE_INFINITY

/** `$`: what the last SEARCH with RETURN (SAVE) found (RFC 5182 §2.1). Told from others by identity; it stands alone. */
export const SAVED: SequenceSet = Object.freeze([])

const GREATEST = 0xffff_ffff

/** The set, or null when the text is none. */
export function parseSequenceSet(text: string): SequenceSet | null {
  const set: SequenceRange[] = []
  for (const part of text.split(',')) {
    const colon = part.indexOf(':')
    const one = parseNumber(colon < 0 ? part : part.slice(0, colon))
    const other = colon < 0 ? one : parseNumber(part.slice(colon + 1))
    if (one === null || other === null) return null
    set.push(one <= other ? { first: one, last: other } : { first: other, last: one })
  }
  return set
}

function parseNumber(text: string): number | null {
  if (text === '*') return STAR
  if (!/^[1-9][0-9]{0,9}$/.test(text)) return null
  const number = Number(text)
  return number <= GREATEST ? number : null
}

export function formatSequenceSet(set: SequenceSet): string {
  if (set === SAVED) return '$'
  const name = (number: number) => (number === STAR ? '*' : String(number))
  return set.map(({ first, last }) => (first === last ? name(first) : `${name(first)}:${name(last)}`)).join(',')
}

/** The shortest set for ascending numbers, or an empty one. */
export function compactSequence(numbers: Iterable<number>): SequenceRange[] {
  const set: SequenceRange[] = []
  let first = 0
  let last = 0
  for (const number of numbers) {
    if (first !== 0 && number !== last + 1) set.push({ first, last })
    if (first === 0 || number !== last + 1) first = number
    last = number
  }
  if (first !== 0) set.push({ first, last })
  return set
}

/** The set's ranges in a mailbox whose greatest number is `greatest`: ascending, disjoint, without STAR. */
export function resolveSequence(set: SequenceSet, greatest: number): SequenceRange[] {
  const resolved = set.map(({ first, last }) => {
    // RFC 3501 §9: `559:*` means the last message even when that is below 559.
    const low = first === STAR ? greatest : first
    const high = last === STAR ? greatest : last
    return low <= high ? { first: low, last: high } : { first: high, last: low }
  })
  resolved.sort((a, b) => a.first - b.first)
  const merged: SequenceRange[] = []
  for (const range of resolved) {
    const before = merged.at(-1)
    if (!before || range.first > before.last + 1) merged.push(range)
    else if (range.last > before.last) merged[merged.length - 1] = { first: before.first, last: range.last }
  }
  return merged
}

/** Whether the set has this number, in a mailbox whose greatest one is `greatest`. For many numbers resolve once instead. */
export function inSequence(set: SequenceSet, number: number, greatest: number): boolean {
  return set.some(({ first, last }) => {
    const low = first === STAR ? greatest : first
    const high = last === STAR ? greatest : last
    return low <= high ? number >= low && number <= high : number >= high && number <= low
  })
}

/**
 * The places (from 0) that a set of message sequence numbers means in a mailbox of `count` messages, ascending, as half-open
 * ranges; null when it names a message that is not there (RFC 3501 §9 makes that an error).
 */
export function placesOfSequence(set: SequenceSet, count: number): { start: number; end: number }[] | null {
  const ranges = resolveSequence(set, count)
  if (ranges.some(({ first, last }) => first < 1 || last > count)) return null
  return ranges.map(({ first, last }) => ({ start: first - 1, end: last }))
}

/** The places (from 0) that a set of UIDs means among the mailbox's ascending `uids`, as half-open ranges. UIDs that are not there are no error. */
export function placesOfUids(set: SequenceSet, uids: readonly number[]): { start: number; end: number }[] {
  const greatest = uids.at(-1)
  if (greatest === undefined) return []
  const places: { start: number; end: number }[] = []
  for (const { first, last } of resolveSequence(set, greatest)) {
    const start = lowerBound(uids, first)
    const end = lowerBound(uids, last + 1)
    if (end > start) places.push({ start, end })
  }
  return places
}

/** Where the first number that is not below `wanted` stands in ascending `numbers`. */
function lowerBound(numbers: readonly number[], wanted: number): number {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (numbers[middle]! < wanted) low = middle + 1
    else high = middle
  }
  return low
}
