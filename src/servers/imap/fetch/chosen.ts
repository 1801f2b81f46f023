/** Which messages a FETCH is about, once its modifiers are applied (RFC 7162 §3.1.4.1, §3.2.6, RFC 9394 §3.2). */
import type { MessageRow, Uid } from '#custody/store/mail-store.ts'
import type { FetchCommand, PartialRange } from '#formats/imap/command.ts'
import { formatSequenceSet, resolveSequence } from '#formats/imap/sequence-set.ts'
import { runsOf } from '../message-set.ts'
import type { SelectedMailbox } from '../selected.ts'
import type { UidRuns } from '../uid-runs.ts'

export interface Chosen {
  /** Ascending. */
  readonly uids: readonly Uid[]
  /** Of the same messages, where they are known already. */
  readonly rows: readonly MessageRow[] | null
  /** The VANISHED (EARLIER) response to be sent first, or nothing. */
  readonly vanished: string
}

export async function chosenMessages(mailbox: SelectedMailbox, command: FetchCommand): Promise<Chosen> {
  const { set, uid, changedSince, partial } = command
  const named = runsOf(mailbox, set, uid)
  if (changedSince === null) {
    const { start, end } = placesOfPartial(partial, named.length)
    return { uids: named.slice(start, end).toArray(), rows: null, vanished: '' }
  }
  const { changed, vanished } = await mailbox.changedSince(changedSince)
  const wanted = changed.filter((row) => named.has(row.uid))
  const { start, end } = placesOfPartial(partial, wanted.length)
  const rows = wanted.slice(start, end)
  return { uids: rows.map((row) => row.uid), rows, vanished: vanishedResponse(mailbox, command, vanished) }
}

/** RFC 7162 §3.2.6: only of the uids that were asked for. */
function vanishedResponse({ view }: SelectedMailbox, command: FetchCommand, vanished: UidRuns): string {
  if (!command.vanished) return ''
  // `*` reaches also those above all that are left.
  const ranges = resolveSequence(command.set, Math.max(view.lastUid, vanished.last, 1))
  const told = vanished.within(ranges)
  return told.length > 0 ? `* VANISHED (EARLIER) ${formatSequenceSet([...told.ranges()])}\r\n` : ''
}

/** RFC 9394 §3.1: places from 1, or from -1 backwards, as half-open places from 0; those that are not there are left out. */
export function placesOfPartial(partial: PartialRange | null, length: number): { start: number; end: number } {
  if (partial === null) return { start: 0, end: length }
  const [one, other] = [partial.first, partial.last].map((place) => (place > 0 ? place : length + 1 + place))
  return { start: Math.max(Math.min(one!, other!) - 1, 0), end: Math.min(Math.max(one!, other!, 0), length) }
}
