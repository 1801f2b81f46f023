import type { Uid } from './mail-store.ts'

export interface UidRun {
  readonly first: Uid
  readonly last: Uid
}

/** Ascending, each once. */
export function sortedUids(uids: readonly Uid[]): readonly Uid[] {
  for (let i = 1; i < uids.length; i++) if (uids[i]! <= uids[i - 1]!) return [...new Set(uids)].sort((a, b) => a - b)
  return uids
}

/** Pairs of first and last, ascending. The runs may come in any order; they have nothing in common. */
export function packRuns(runs: readonly UidRun[]): Uint32Array<ArrayBuffer> {
  const sorted = runs.toSorted((a, b) => a.first - b.first)
  const packed = new Uint32Array(sorted.length * 2)
  for (const [index, { first, last }] of sorted.entries()) {
    packed[2 * index] = first
    packed[2 * index + 1] = last
  }
  return packed
}

/** The uids below `uidNext` that are in none of the runs, as pairs of first and last, ascending. */
export function complementOf(runs: readonly UidRun[], uidNext: Uid): Uint32Array<ArrayBuffer> {
  const left: UidRun[] = []
  let next = 1
  const gone = packRuns(runs)
  for (let i = 0; i < gone.length; i += 2) {
    if (gone[i]! > next) left.push({ first: next, last: gone[i]! - 1 })
    next = Math.max(next, gone[i + 1]! + 1)
  }
  if (uidNext > next) left.push({ first: next, last: uidNext - 1 })
  return packRuns(left)
}

/** How many uids pairs of first and last hold. */
export function countOf(pairs: Uint32Array): number {
  let count = 0
  for (let i = 0; i < pairs.length; i += 2) count += pairs[i + 1]! - pairs[i]! + 1
  return count
}

/** Runs of uids (ascending) that follow each other with less than `gap` missing in between; 1 for none missing. */
export function runsOf(uids: readonly Uid[], gap: number): readonly UidRun[] {
  const runs: { first: Uid; last: Uid }[] = []
  let run: { first: Uid; last: Uid } | undefined
  for (const uid of uids) {
    if (run && uid - run.last <= gap) run.last = uid
    else {
      run = { first: uid, last: uid }
      runs.push(run)
    }
  }
  return runs
}
