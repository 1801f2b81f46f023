/** From the sets that clients name to the messages that they mean. */
import type { Uid } from '#custody/store/mail-store.ts'
import { placesOfSequence, placesOfUids, type SequenceSet } from '#formats/imap/sequence-set.ts'
import { bad } from './imap-error.ts'
import type { SelectedMailbox } from './selected.ts'

/**
 * The uids of a set, ascending, as the client knows the mailbox. A message sequence number that does not exist is an error
 * (RFC 3501 §9); a UID that does not exist is left out in silence (§6.4.8).
 */
export function uidsOf({ view }: SelectedMailbox, set: SequenceSet, byUid: boolean): Uid[] {
  // A typed array has all of a list that is used there.
  const places = byUid
    ? placesOfUids(set, view.uids as unknown as readonly number[])
    : placesOfSequence(set, view.length)
  if (places === null) throw bad('There is no message with that number')
  const uids: Uid[] = []
  for (const { start, end } of places) for (let place = start; place < end; place++) uids.push(view.uidAt(place))
  return uids
}
