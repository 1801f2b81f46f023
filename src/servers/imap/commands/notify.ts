import type { NotifyCommand } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { Notifier } from '../notify/notifier.ts'
import { Wishes } from '../notify/wishes.ts'

/** RFC 5465 §3.1: takes the place of what was asked for before. After NOTIFY NONE nothing is told but what commands ask for. */
export async function notify(talk: Conversation, command: NotifyCommand): Promise<Completion> {
  const wishes = new Wishes(command.groups)
  talk.notifier?.[Symbol.dispose]()
  talk.notifier = null
  // What has happened so far is told whatever was asked for, as NOOP does.
  await talk.tellNews({ expunge: true, uid: false }, true)
  const notifier = await Notifier.start(talk, wishes)
  talk.notifier = notifier
  if (command.status) await notifier.tellStatus()
  return done(command.groups ? 'You will be told' : 'Nothing will be told')
}
