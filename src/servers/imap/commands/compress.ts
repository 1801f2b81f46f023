import type { Command } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { bad, no } from '../imap-error.ts'

/** RFC 4978 §3: both sides compress from right after the OK. */
export async function compress(talk: Conversation, command: Command & { kind: 'compress' }): Promise<Completion> {
  if (command.mechanism !== 'DEFLATE') throw bad('This mechanism is not known')
  if (talk.wire.compressed) throw no('COMPRESSIONACTIVE', 'Everything is compressed already')
  talk.compressing = true
  return done('Compress now')
}
