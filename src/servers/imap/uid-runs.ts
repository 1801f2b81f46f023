/**
 * The uids of a mailbox, ascending, as runs without gaps: a mailbox from which little was removed takes a few numbers, however many
 * messages it has. Values of it never change, so sessions share them; a change makes another one.
 */
import type { SequenceRange } from '#formats/imap/sequence-set.ts'

export class UidRuns implements Iterable<number> {
  static readonly EMPTY = new UidRuns(new Uint32Array(0))
  /** First and last of each run. */
  readonly #pairs: Uint32Array
  /** How many uids lie before each run. */
  readonly #before: Uint32Array
  readonly length: number

  /** `pairs`: first and last of each run, ascending; they are kept as they are. */
  constructor(pairs: Uint32Array) {
    this.#pairs = pairs
    const before = new Uint32Array(pairs.length / 2)
    let count = 0
    for (let run = 0; run < before.length; run++) {
      before[run] = count
      count += pairs[2 * run + 1]! - pairs[2 * run]! + 1
    }
    this.#before = before
    this.length = count
  }

  /** Ascending ranges; those that touch become one run. */
  static of(ranges: Iterable<SequenceRange>): UidRuns {
    const pairs: number[] = []
    for (const { first, last } of ranges) {
      if (pairs.length > 0 && pairs[pairs.length - 1] === first - 1) pairs[pairs.length - 1] = last
      else pairs.push(first, last)
    }
    return pairs.length === 0 ? UidRuns.EMPTY : new UidRuns(Uint32Array.from(pairs))
  }

  /** Of lists of runs as the constructor takes them, which may have uids in common. */
  static union(lists: readonly Uint32Array[]): UidRuns {
    if (lists.length === 1) return new UidRuns(lists[0]!)
    const ranges = lists.flatMap((pairs) => [...new UidRuns(pairs).ranges()]).sort((a, b) => a.first - b.first)
    const joined: { first: number; last: number }[] = []
    for (const { first, last } of ranges) {
      const before = joined.at(-1)
      if (before && first <= before.last + 1) before.last = Math.max(before.last, last)
      else joined.push({ first, last })
    }
    return UidRuns.of(joined)
  }

  /** Ascending uids. */
  static ofUids(uids: Iterable<number>): UidRuns {
    const ranges: { first: number; last: number }[] = []
    let range: { first: number; last: number } | undefined
    for (const uid of uids)
      if (range && uid === range.last + 1) range.last = uid
      else {
        range = { first: uid, last: uid }
        ranges.push(range)
      }
    return UidRuns.of(ranges)
  }

  get last(): number {
    return this.#pairs.at(-1) ?? 0
  }

  /** Octets that it takes. */
  get octets(): number {
    return this.#pairs.byteLength + this.#before.byteLength
  }

  *ranges(): Generator<SequenceRange> {
    for (let at = 0; at < this.#pairs.length; at += 2) yield { first: this.#pairs[at]!, last: this.#pairs[at + 1]! }
  }

  *[Symbol.iterator](): Generator<number> {
    for (let at = 0; at < this.#pairs.length; at += 2)
      for (let uid = this.#pairs[at]!; uid <= this.#pairs[at + 1]!; uid++) yield uid
  }

  toArray(): number[] {
    const uids = new Array<number>(this.length)
    let index = 0
    for (let at = 0; at < this.#pairs.length; at += 2)
      for (let uid = this.#pairs[at]!; uid <= this.#pairs[at + 1]!; uid++) uids[index++] = uid
    return uids
  }

  /** The uid at a place from 0 to length - 1. */
  at(index: number): number {
    let low = 0
    let high = this.#before.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#before[middle]! <= index) low = middle
      else high = middle - 1
    }
    return this.#pairs[2 * low]! + index - this.#before[low]!
  }

  /** The first run that does not end below `uid`. */
  #runFrom(uid: number): number {
    let low = 0
    let high = this.#before.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#pairs[2 * middle + 1]! < uid) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The place of the first uid that is not below `uid`; `length` when there is none. */
  placeFrom(uid: number): number {
    const run = this.#runFrom(uid)
    if (run === this.#before.length) return this.length
    return this.#before[run]! + Math.max(0, uid - this.#pairs[2 * run]!)
  }

  /** The place of a uid, or -1. */
  indexOf(uid: number): number {
    const run = this.#runFrom(uid)
    const first = this.#pairs[2 * run]
    return first === undefined || uid < first ? -1 : this.#before[run]! + uid - first
  }

  has(uid: number): boolean {
    return this.indexOf(uid) >= 0
  }

  /** With uids that are all higher. */
  plus(more: UidRuns): UidRuns {
    if (more.length === 0) return this
    if (this.length === 0) return more
    const touching = more.#pairs[0] === this.last + 1
    const kept = touching ? this.#pairs.length - 1 : this.#pairs.length
    const pairs = new Uint32Array(kept + more.#pairs.length - (touching ? 1 : 0))
    pairs.set(this.#pairs.subarray(0, kept))
    pairs.set(touching ? more.#pairs.subarray(1) : more.#pairs, kept)
    return new UidRuns(pairs)
  }

  minus(gone: UidRuns): UidRuns {
    if (gone.length === 0 || this.length === 0) return this
    const left: SequenceRange[] = []
    for (let { first, last } of this.ranges()) {
      for (let run = gone.#runFrom(first); run < gone.#before.length && first <= last; run++) {
        const goneFirst = gone.#pairs[2 * run]!
        if (goneFirst > last) break
        if (goneFirst > first) left.push({ first, last: goneFirst - 1 })
        first = gone.#pairs[2 * run + 1]! + 1
      }
      if (first <= last) left.push({ first, last })
    }
    return UidRuns.of(left)
  }

  /** Those in ascending, disjoint ranges of uids. */
  within(ranges: readonly SequenceRange[]): UidRuns {
    const found: SequenceRange[] = []
    for (const { first, last } of ranges)
      for (let run = this.#runFrom(first); run < this.#before.length; run++) {
        const runFirst = this.#pairs[2 * run]!
        if (runFirst > last) break
        found.push({ first: Math.max(first, runFirst), last: Math.min(last, this.#pairs[2 * run + 1]!) })
      }
    return UidRuns.of(found)
  }

  /** Those at places from `start` up to `end`, which is not among them. */
  slice(start: number, end: number): UidRuns {
    return start >= end ? UidRuns.EMPTY : this.within([{ first: this.at(start), last: this.at(end - 1) }])
  }
}
