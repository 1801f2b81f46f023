import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'

/** RFC 3501 §6.4.2: removes what has \Deleted without a word, unless the mailbox is read-only. */
export async function close(talk: Conversation): Promise<Completion> {
  const { mailbox } = talk
  if (!mailbox.readOnly) talk.tally.expunged += (await mailbox.mail.expunge(mailbox.id)).length
  talk.deselect()
  return done('Closed')
}

/** RFC 3691: the same without removing anything. */
export async function unselect(talk: Conversation): Promise<Completion> {
  talk.deselect()
  return done('Unselected')
}
