import type { Command } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { newName } from '../mailbox-name.ts'
import { tellOtherName } from './create.ts'

type Rename = Command & { kind: 'rename' }

/** RFC 3501 §6.3.5. */
export async function rename(talk: Conversation, { from, to, written }: Rename): Promise<Completion> {
  const name = newName(to)
  await talk.mail.renameMailbox(from, name)
  talk.notifier?.ownMailboxes(from, name)
  tellOtherName(talk, name, written)
  return done('Renamed')
}
