import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { DELIMITER } from '../mailbox-name.ts'

/** RFC 2342: one personal namespace, nothing of others, nothing shared. */
export async function namespace(talk: Conversation): Promise<Completion> {
  talk.untagged(`NAMESPACE (("" "${DELIMITER}")) NIL NIL`)
  return done('This is all there is')
}
