import { capabilities } from '../capabilities.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'

/** RFC 3501 §6.1.1. */
export async function capability(talk: Conversation): Promise<Completion> {
  talk.untagged(`CAPABILITY ${capabilities({ secure: talk.secure, loggedIn: talk.user !== null })}`)
  return done('These work')
}
