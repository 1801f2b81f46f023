import type { Command } from '#formats/imap/command.ts'
import { formatMailbox } from '#formats/imap/writer.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { listPattern } from '../list/pattern.ts'
import { mailboxTree } from '../list/tree.ts'
import { DELIMITER } from '../mailbox-name.ts'

/** RFC 3501 §6.3.9. Subscribed names whose mailbox is gone are told too. */
export async function lsub(talk: Conversation, command: Command & { kind: 'lsub' }): Promise<Completion> {
  if (command.pattern === '') {
    talk.untagged(`LSUB (\\Noselect) "${DELIMITER}" ""`)
    return done('Listed')
  }
  const matches = listPattern(command.reference, command.pattern)
  // `%` hides inferiors: their superior is then told instead, as one that cannot be selected.
  const withSuperiors = command.pattern.endsWith('%')
  for (const entry of mailboxTree(await talk.mail.mailboxes(), await talk.mail.subscriptions())) {
    if (!matches(entry.name) || !(entry.subscribed || (withSuperiors && entry.subscribedBelow))) continue
    const attributes = entry.subscribed && entry.mailbox ? '' : '\\Noselect'
    talk.untagged(`LSUB (${attributes}) "${DELIMITER}" ${formatMailbox(entry.name)}`)
  }
  return done('Listed')
}
