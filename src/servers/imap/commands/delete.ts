import type { Command } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'

type Delete = Command & { kind: 'delete' | 'subscribe' | 'unsubscribe' }

/** RFC 3501 §6.3.4. A selected mailbox is closed first, so that this client is not told of every message. */
export async function deleteMailbox(talk: Conversation, { mailbox: name }: Delete): Promise<Completion> {
  const mailbox = await talk.existing(name)
  await talk.mail.deleteMailbox(mailbox.name)
  talk.notifier?.ownMailboxes(mailbox.name)
  if (talk.selected?.id === mailbox.id) {
    talk.deselect()
    // RFC 7162 §3.2.11, RFC 9051 §7.1: what is told from here on is not about it.
    if (talk.enabled.has('QRESYNC') || talk.enabled.has('IMAP4rev2')) talk.untagged('OK [CLOSED] It is no more')
  }
  return done('Deleted')
}
