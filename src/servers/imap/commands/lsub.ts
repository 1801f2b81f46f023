import type { Command } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { listPattern } from '../list/pattern.ts'
import { mailboxTree, namesAbove } from '../list/tree.ts'
import { DELIMITER } from '../mailbox-name.ts'

/** RFC 3501 §6.3.9. Subscribed names whose mailbox is gone are told too. */
export async function lsub(talk: Conversation, command: Command & { kind: 'lsub' }): Promise<Completion> {
  if (command.pattern === '') {
    talk.untagged(`LSUB (\\Noselect) "${DELIMITER}" ""`)
    return done('Listed')
  }
  const matches = listPattern(command.reference, command.pattern)
  const tree = mailboxTree(await talk.mail.mailboxes(), await talk.mail.subscriptions())
  // `%` hides inferiors: their superior is then told instead, as one that cannot be selected.
  const above = command.pattern.endsWith('%') ? namesAbove(tree.filter(({ subscribed }) => subscribed)) : null
  for (const { name, subscribed, mailbox } of tree) {
    if (!matches(name) || !(subscribed || above?.has(name))) continue
    talk.untagged(`LSUB (${subscribed && mailbox ? '' : '\\Noselect'}) "${DELIMITER}" ${talk.name(name)}`)
  }
  return done('Listed')
}
