import type { Uid } from '#custody/store/mail-store.ts'
import type { Command } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { uidsOf } from '../message-set.ts'

async function remove(talk: Conversation, uids?: readonly Uid[]): Promise<Completion> {
  const mailbox = talk.writable
  const removed = await mailbox.mail.expunge(mailbox.id, uids)
  talk.tally.expunged += removed.length
  talk.wire.send(mailbox.expunged(removed))
  return done('Expunged')
}

/** RFC 3501 §6.4.3. */
export const expunge = (talk: Conversation): Promise<Completion> => remove(talk)

/** RFC 4315 §2.1. */
export const uidExpunge = (talk: Conversation, { uids }: Command & { kind: 'uidExpunge' }): Promise<Completion> =>
  remove(talk, uidsOf(talk.writable, uids, true))
