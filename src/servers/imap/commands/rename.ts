import type { Command } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { newName } from '../mailbox-name.ts'

/** RFC 3501 §6.3.5. */
export async function rename(talk: Conversation, { from, to }: Command & { kind: 'rename' }): Promise<Completion> {
  await talk.mail.renameMailbox(from, newName(to))
  talk.notifier?.ownMailboxes(from, newName(to))
  return done('Renamed')
}
