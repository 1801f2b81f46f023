import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'

/** NOOP and CHECK (RFC 3501 §6.1.2, §6.4.1): the store is asked for news, whether or not it has announced any. */
export async function noop(talk: Conversation): Promise<Completion> {
  await talk.tellNews({ expunge: true, uid: false }, true)
  return done('Nothing left to tell')
}
