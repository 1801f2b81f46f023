import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'

/** RFC 3501 §6.1.1. */
export async function capability(talk: Conversation): Promise<Completion> {
  talk.untagged(`CAPABILITY ${talk.capabilities}`)
  return done('These work')
}
