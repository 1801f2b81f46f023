import type { Command } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'

type Subscribe = Command & { kind: 'delete' | 'subscribe' | 'unsubscribe' }

/** SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7). */
export async function subscribe(talk: Conversation, { kind, mailbox }: Subscribe): Promise<Completion> {
  // Only what exists can be subscribed to, or anybody's list could be filled with anything.
  if (kind === 'subscribe') await talk.existing(mailbox)
  await talk.mail.subscribe(mailbox, kind === 'subscribe')
  talk.notifier?.ownMailboxes(mailbox)
  return done(kind === 'subscribe' ? 'Subscribed' : 'Unsubscribed')
}
