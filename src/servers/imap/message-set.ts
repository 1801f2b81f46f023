/** From the sets that clients name to the messages that they mean. */
import type { Uid } from '#custody/store/mail-store.ts'
import { placesOfSequence, resolveSequence, SAVED, type SequenceSet } from '#formats/imap/sequence-set.ts'
import { bad, ImapError } from './imap-error.ts'
import type { SelectedMailbox } from './selected.ts'
import { UidRuns } from './uid-runs.ts'

/** Refuses a message sequence number to a client that has no more of them (RFC 9586 §3.1). */
export const uidRequired = (): ImapError => new ImapError('BAD', 'UIDREQUIRED', 'Messages are named by UID alone')

/**
 * The messages of a set, as the client knows the mailbox. A message sequence number that does not exist is an error
 * (RFC 3501 §9); a UID that does not exist is left out in silence (§6.4.8).
 */
export function runsOf({ view, saved }: SelectedMailbox, set: SequenceSet, byUid: boolean): UidRuns {
  // RFC 5182 §2.1: `$` means messages, whether numbers or UIDs are asked for.
  if (set === SAVED) return view.uids.within([...UidRuns.ofUids(saved).ranges()])
  if (byUid) return view.length === 0 ? UidRuns.EMPTY : view.uids.within(resolveSequence(set, view.lastUid))
  const places = placesOfSequence(set, view.length)
  if (places === null) throw bad('There is no message with that number')
  return view.uids.within(places.map(({ start, end }) => ({ first: view.uidAt(start), last: view.uidAt(end - 1) })))
}

/** The same as a list, ascending. */
export function uidsOf(mailbox: SelectedMailbox, set: SequenceSet, byUid: boolean): Uid[] {
  return runsOf(mailbox, set, byUid).toArray()
}
