import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import type { SelectedMailbox } from '../selected.ts'
import { UidRuns } from '../uid-runs.ts'

/** RFC 3501 §6.4.2: removes what has \Deleted without a word, unless the mailbox is read-only. */
export async function close(talk: Conversation): Promise<Completion> {
  const { mailbox } = talk
  const code = mailbox.readOnly ? null : await removeSilently(talk, mailbox)
  talk.deselect()
  return done('Closed', code)
}

/**
 * RFC 7162 §3.2.8: the MODSEQ at which the client knows everything, when nothing else happened than that its messages with \Deleted
 * went. Otherwise it must ask what happened when it comes back.
 */
async function removeSilently(talk: Conversation, mailbox: SelectedMailbox): Promise<string | null> {
  const told = mailbox.settled && !mailbox.changed
  const { modseq } = mailbox
  const removed = await mailbox.mail.expunge(mailbox.id)
  talk.tally.expunged += removed.length
  if (removed.length === 0 || !told || !mailbox.manner.vanished) return null
  const since = await mailbox.mail.changesSince(mailbox.id, modseq)
  const others = new UidRuns(since.vanished).minus(UidRuns.ofUids(removed))
  const alone = since.changed.length === 0 && others.length === 0
  return alone ? `HIGHESTMODSEQ ${since.highestModseq}` : null
}

/** RFC 3691: the same without removing anything. */
export async function unselect(talk: Conversation): Promise<Completion> {
  talk.deselect()
  return done('Unselected')
}
