import type { Command } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'

type Delete = Command & { kind: 'delete' | 'subscribe' | 'unsubscribe' }

/** RFC 3501 §6.3.4. A selected mailbox is closed first, so that this client is not told of every message. */
export async function deleteMailbox(talk: Conversation, { mailbox: name }: Delete): Promise<Completion> {
  const mailbox = await talk.existing(name)
  if (talk.selected?.id === mailbox.id) talk.deselect()
  await talk.mail.deleteMailbox(mailbox.name)
  return done('Deleted')
}
