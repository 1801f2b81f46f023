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
