import type { Command } from '#formats/pop3/command.ts'
import type { Conversation } from '../conversation.ts'

/** RFC 1939 §5: marks it for this session; QUIT removes it. */
export async function dele(talk: Conversation, { message }: Extract<Command, { kind: 'dele' }>): Promise<string> {
  talk.maildrop.markDeleted(message)
  return 'It goes with QUIT'
}

/** RFC 1939 §5. */
export async function rset(talk: Conversation): Promise<string> {
  talk.maildrop.reset()
  return 'Nothing is marked as deleted'
}
