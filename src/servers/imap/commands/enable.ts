import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'

/** RFC 5161: what is not known is passed over in silence; nothing that we have needs to be enabled. */
export async function enable(talk: Conversation): Promise<Completion> {
  talk.untagged('ENABLED')
  return done('Nothing to enable')
}
