import type { SpecialUse } from '#custody/store/mail-store.ts'
import type { Command } from '#formats/imap/command.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { no } from '../imap-error.ts'
import { mailboxId, newName } from '../mailbox-name.ts'

const USES: readonly SpecialUse[] = ['Sent', 'Drafts', 'Trash', 'Junk', 'Archive']

/** RFC 3501 §6.3.3; with USE, RFC 6154 §3. The answer names the new mailbox's id (RFC 8474 §4.1). */
export async function create(talk: Conversation, command: Command & { kind: 'create' }): Promise<Completion> {
  const name = newName(command.mailbox)
  const specialUse = await specialUseOf(talk, command.use)
  const made = await (specialUse ? talk.mail.createMailbox(name, specialUse) : talk.mail.createMailbox(name))
  talk.notifier?.ownMailboxes(made.name)
  return done('Created', `MAILBOXID (${mailboxId(made)})`)
}

/** RFC 6154 §3: a use that cannot be had refuses the whole; \All, \Flagged and \Important are not mailboxes of their own here. */
async function specialUseOf(talk: Conversation, attributes: readonly string[]): Promise<SpecialUse | null> {
  const [attribute, ...more] = attributes
  if (attribute === undefined) return null
  const use = USES.find((one) => `\\${one}`.toLowerCase() === attribute.toLowerCase())
  if (!use || more.length > 0) throw no('USEATTR', 'This use is not supported')
  if ((await talk.mail.mailboxes()).some((mailbox) => mailbox.specialUse === use))
    throw no('USEATTR', 'Another mailbox has this use already')
  return use
}
