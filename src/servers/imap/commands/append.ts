import { type Appended, type Mailbox, type NewMessage, NoSuchMailbox } from '#custody/store/mail-store.ts'
import type { AppendedMessage, Command } from '#formats/imap/command.ts'
import { compactSequence, formatSequenceSet } from '#formats/imap/sequence-set.ts'
import type { Catenation } from '../append/catenate.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { bad, no } from '../imap-error.ts'

/**
 * RFC 3501 §6.3.11, of one message or several, which are then kept all or not at all (RFC 3502 §6.3.11). The content is kept exactly as
 * it came, whatever is in it: also octets above 127 in a header from a client that has not enabled UTF8=ACCEPT (RFC 6855 §4
 * would refuse them), and NUL, which only a literal8 may hold (RFC 9051 §4.3), because such mail exists and is moved between servers.
 */
export async function append(talk: Conversation, command: Command & { kind: 'append' }): Promise<Completion> {
  const mailbox = await talk.existing(command.mailbox, 'TRYCREATE')
  const joined = command.messages.some(({ content }) => !Buffer.isBuffer(content))
  using catenation = joined ? new (await import('../append/catenate.ts')).Catenation(talk) : null
  const messages = await messagesOf(talk, command.messages, catenation)
  const appended = await keep(talk, mailbox, messages).catch((error) => {
    throw error instanceof NoSuchMailbox ? no('TRYCREATE', 'There is no such mailbox') : error
  })
  talk.tally.appended += appended.length
  // RFC 3501 §6.3.11: the client is told of its message at once when it looks at that mailbox.
  if (talk.selected?.id === mailbox.id) await talk.tellNews({ expunge: true, uid: false }, true)
  const uids = formatSequenceSet(compactSequence(appended.map(({ uid }) => uid)))
  return done('Appended', `APPENDUID ${appended[0]!.uidValidity} ${uids}`)
}

async function keep(
  { mail }: Conversation,
  { id }: Mailbox,
  messages: readonly NewMessage[],
): Promise<readonly Appended[]> {
  return messages.length === 1 ? [await mail.append(id, messages[0]!)] : mail.appendAll(id, messages)
}

async function messagesOf(
  talk: Conversation,
  given: readonly AppendedMessage[],
  catenation: Catenation | null,
): Promise<readonly NewMessage[]> {
  const { session, context } = talk
  const messages: NewMessage[] = []
  for (const { content: pieces, utf8, flags, internalDate } of given) {
    // RFC 6855 §4
    if (utf8 && !talk.utf8) throw bad('Enable UTF8=ACCEPT first')
    const content = Buffer.isBuffer(pieces) ? pieces : await catenation!.join(pieces)
    if (content.length === 0) throw no('CANNOT', 'An empty message cannot be kept')
    messages.push({
      content,
      summary: session.summarize(content),
      internalDate: internalDate ?? context.clock.now(),
      flags: flags.filter((flag) => flag.toLowerCase() !== '\\recent'),
    })
  }
  return messages
}
