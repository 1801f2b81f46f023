import type { Command } from '#formats/pop3/command.ts'
import { multiLine, topEnd } from '#formats/pop3/multi-line.ts'
import type { Conversation } from '../conversation.ts'

/** RFC 1939 §5. */
export async function retr(talk: Conversation, { message }: Extract<Command, { kind: 'retr' }>): Promise<null> {
  const { maildrop } = talk
  const content = await maildrop.content(message)
  talk.ok(`${content.length} octets`)
  await talk.send(multiLine(content))
  maildrop.wasRead(message)
  talk.tally.retrieved++
  return null
}

/** RFC 1939 §7. Headers alone, which clients look through, are known without opening the content. */
export async function top(talk: Conversation, { message, lines }: Extract<Command, { kind: 'top' }>): Promise<null> {
  const { maildrop } = talk
  const header = lines === 0 ? await maildrop.header(message) : null
  const content = header ?? (await maildrop.content(message))
  talk.ok('The top of the message follows')
  await talk.send(multiLine(content, topEnd(content, lines)))
  return null
}
