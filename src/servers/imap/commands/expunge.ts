import type { Uid } from '#custody/store/mail-store.ts'
import type { Command } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { uidsOf } from '../message-set.ts'

/** Everything may be told after a command that removes messages by itself. */
const ALL = { expunge: true, uid: true } as const

async function remove(talk: Conversation, uids?: readonly Uid[]): Promise<Completion> {
  const mailbox = talk.writable
  const removed = await mailbox.mail.expunge(mailbox.id, uids)
  talk.tally.expunged += removed.length
  talk.wire.send(mailbox.expunged(removed))
  return done('Expunged', removed.length > 0 ? await highestModseq(talk) : null)
}

/**
 * The response code that tells a client up to where it knows everything, after all is told (RFC 7162 §3.2.7, §3.2.9, RFC 6851 §4.4);
 * null for one that does not care.
 */
export async function highestModseq(talk: Conversation): Promise<string | null> {
  if (!talk.mailbox.manner.modseq) return null
  await talk.tellNews({ ...ALL, uid: talk.mailbox.manner.uid }, true)
  return talk.selected?.settled ? `HIGHESTMODSEQ ${talk.selected.modseq}` : null
}

/** RFC 3501 §6.4.3. */
export const expunge = (talk: Conversation): Promise<Completion> => remove(talk)

/** RFC 4315 §2.1. */
export const uidExpunge = (talk: Conversation, { uids }: Command & { kind: 'uidExpunge' }): Promise<Completion> =>
  remove(talk, uidsOf(talk.writable, uids, true))
