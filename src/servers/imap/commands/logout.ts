import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'

/** RFC 3501 §6.1.3; the connection closes once the answer is out. */
export async function logout(talk: Conversation): Promise<Completion> {
  talk.untagged('BYE Until next time')
  return done('Logged out')
}
