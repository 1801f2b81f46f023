import type { Command } from '#formats/pop3/command.ts'
import type { Conversation } from '../conversation.ts'

type Listing = Extract<Command, { kind: 'list' | 'uidl' }>

/** RFC 1939 §5: exact octets, as LIST tells them. */
export async function stat(talk: Conversation): Promise<string> {
  const { messages, octets } = await talk.maildrop.count()
  return `${messages} ${octets}`
}

/** RFC 1939 §5. */
export async function list(talk: Conversation, { message }: Listing): Promise<string | null> {
  const { maildrop } = talk
  if (message !== null) return `${message} ${await maildrop.size(message)}`
  talk.ok('Messages and their octets follow')
  await talk.send(maildrop.sizes())
  talk.wire.send('.\r\n')
  return null
}

/** RFC 1939 §7. */
export async function uidl(talk: Conversation, { message }: Listing): Promise<string | null> {
  const { maildrop } = talk
  if (message !== null) return `${message} ${maildrop.uniqueId(message)}`
  talk.ok('Messages and their unique ids follow')
  await talk.send(maildrop.uniqueIds())
  talk.wire.send('.\r\n')
  return null
}
