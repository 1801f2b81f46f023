import type { Command } from '#formats/imap/command.ts'
import { wipe } from '#lib/bytes.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { no } from '../imap-error.ts'
import { enter } from '../login.ts'

/** RFC 3501 §6.2.3. */
export async function login(talk: Conversation, command: Command & { kind: 'login' }): Promise<Completion> {
  try {
    if (!talk.secure) throw no('PRIVACYREQUIRED', 'Start TLS first')
    return done('Welcome', await enter(talk, command.user.toString('utf8'), command.password))
  } finally {
    wipe(command.user)
    wipe(command.password)
  }
}
