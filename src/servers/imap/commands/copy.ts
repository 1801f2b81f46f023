import { type Copied, NoSuchMailbox } from '#custody/store/mail-store.ts'
import type { Command } from '#formats/imap/command.ts'
import { compactSequence, formatSequenceSet } from '#formats/imap/sequence-set.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { no } from '../imap-error.ts'
import { uidsOf } from '../message-set.ts'
import { highestModseq } from './expunge.ts'

type Copy = Command & { kind: 'copy' | 'move' }

/** COPY, MOVE and their UID forms (RFC 3501 §6.4.7, RFC 6851): all of the messages or none. */
export async function copy(talk: Conversation, command: Copy): Promise<Completion> {
  const mailbox = command.kind === 'move' ? talk.writable : talk.mailbox
  const uids = uidsOf(mailbox, command.set, command.uid)
  const target = await talk.existing(command.mailbox, 'TRYCREATE')
  if (!command.uid) {
    // RFC 2180 §4.4.1: a message that somebody else has removed cannot be copied, and then none is.
    await mailbox.look()
    if (uids.some((uid) => mailbox.isGone(uid))) throw no('EXPUNGEISSUED', 'Some of these messages are gone')
  }
  const copied = await talk.mail[command.kind](mailbox.id, uids, target.id).catch((error) => {
    throw error instanceof NoSuchMailbox ? no('TRYCREATE', 'There is no such mailbox') : error
  })
  if (copied.uids.length === 0) return done('No messages to take')
  const code = copyUid(copied)
  if (command.kind === 'copy') return done('Copied', code)
  // RFC 6851 §4.3: before the EXPUNGE responses, because the UIDs are gone after them.
  talk.untagged(`OK [${code}] Moved`)
  talk.wire.send(mailbox.expunged(copied.uids.map(([from]) => from)))
  return done('Moved', await highestModseq(talk))
}

/** RFC 4315 §3: the two sets name the messages in the same order. */
function copyUid({ uidValidity, uids }: Copied): string {
  const set = (numbers: readonly number[]) => formatSequenceSet(compactSequence(numbers))
  return `COPYUID ${uidValidity} ${set(uids.map(([from]) => from))} ${set(uids.map(([, to]) => to))}`
}
