import { NoSuchMailbox } from '#custody/store/mail-store.ts'
import type { Command } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { bad, no } from '../imap-error.ts'

/** RFC 3501 §6.3.11. The content is kept exactly as it came, whatever is in it. */
export async function append(talk: Conversation, command: Command & { kind: 'append' }): Promise<Completion> {
  const [message, ...more] = command.messages
  if (!message || more.length > 0) throw bad('One message at a time')
  if (message.content.length === 0) throw no('CANNOT', 'An empty message cannot be kept')
  const mailbox = await talk.existing(command.mailbox, 'TRYCREATE')
  const { content } = message
  const appended = await talk.mail
    .append(mailbox.id, {
      content,
      summary: talk.session.summarize(content),
      internalDate: message.internalDate ?? talk.context.clock.now(),
      flags: message.flags.filter((flag) => flag.toLowerCase() !== '\\recent'),
    })
    .catch((error) => {
      throw error instanceof NoSuchMailbox ? no('TRYCREATE', 'There is no such mailbox') : error
    })
  talk.tally.appended++
  // RFC 3501 §6.3.11: the client is told of its message at once when it looks at that mailbox.
  if (talk.selected?.id === mailbox.id) await talk.tellNews({ expunge: true, uid: false }, true)
  return done('Appended', `APPENDUID ${appended.uidValidity} ${appended.uid}`)
}
