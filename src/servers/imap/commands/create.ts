import type { SpecialUse } from '#custody/store/mail-store.ts'
import type { Command } from '#formats/imap/command.ts'
import { formatList } from '#formats/imap/mailbox-response.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { no } from '../imap-error.ts'
import { DELIMITER, mailboxId, newName } from '../mailbox-name.ts'

const USES: readonly SpecialUse[] = ['Sent', 'Drafts', 'Trash', 'Junk', 'Archive']

/** RFC 3501 §6.3.3; with USE, RFC 6154 §3. The answer names the new mailbox's id (RFC 8474 §4.1). */
export async function create(talk: Conversation, command: Command & { kind: 'create' }): Promise<Completion> {
  const name = newName(command.mailbox)
  const specialUse = await specialUseOf(talk, command.use)
  const made = await (specialUse ? talk.mail.createMailbox(name, specialUse) : talk.mail.createMailbox(name))
  talk.notifier?.ownMailboxes(made.name)
  tellOtherName(talk, made.name, command.written)
  return done('Created', `MAILBOXID (${mailboxId(made)})`)
}

/** RFC 9051 §6.3.4, §6.3.6: a client that knows rev2 hears that the mailbox has not quite the name that it gave. */
export function tellOtherName(talk: Conversation, name: string, written: string | undefined): void {
  if (written === undefined || !talk.enabled.has('IMAP4rev2')) return
  const oldName = talk.name(newName(written))
  talk.untagged(formatList({ attributes: [], delimiter: DELIMITER, name: talk.name(name), oldName }))
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
