import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { bad } from '../imap-error.ts'

/** RFC 3501 §6.2.1: the handshake begins right after the OK, with nothing kept of what the client sent before. */
export async function starttls(talk: Conversation): Promise<Completion> {
  if (talk.secure) throw bad('TLS is on already')
  talk.upgrading = true
  return done('Begin TLS now')
}
