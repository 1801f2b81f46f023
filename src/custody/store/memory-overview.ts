import { SEEN } from './flags.ts'
import type { MailboxOverview } from './mail-store.ts'
import { type MemoryMailbox, statusOf } from './memory-account.ts'
import { packRuns, runsOf, sortedUids } from './uid-sets.ts'

export function overviewOf(box: MemoryMailbox, known?: number): MailboxOverview {
  const uids = [...box.messages.keys()]
  return {
    status: statusOf(box),
    keywords: [...box.keywords.values()],
    firstUnseen: uids.find((uid) => (box.messages.get(uid)!.flags.system & SEEN) === 0) ?? null,
    present: known === undefined ? packRuns(runsOf(uids, 1)) : null,
    vanished: known === undefined ? null : vanishedSince(box.vanished, known),
  }
}

/** Pairs of first and last of each run, ascending. */
export function vanishedSince(vanished: MemoryMailbox['vanished'], known: number): Uint32Array<ArrayBuffer> {
  const uids = vanished.filter(({ modseq }) => modseq > known).map(({ uid }) => uid)
  return packRuns(runsOf(sortedUids(uids), 1))
}
