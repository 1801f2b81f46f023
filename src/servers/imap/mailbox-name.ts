/** Names of mailboxes: Unicode NFC, INBOX in capitals, as the parser has read them. What else a name must be the store knows. */
import type { Mailbox, MailboxName } from '#custody/store/mail-store.ts'
import { no } from './imap-error.ts'

export const DELIMITER = '/'

/** A name for a new mailbox. A delimiter at the end only says that inferiors will follow (RFC 3501 §6.3.3). */
export function newName(name: string): MailboxName {
  // Such a name could not be listed by itself.
  if (/[*%\ufffd]/.test(name)) throw no('CANNOT', 'A mailbox name must not contain wildcards')
  return name.endsWith(DELIMITER) ? name.slice(0, -1) : name
}

/** The names above this one, outermost first. */
export function superiorsOf(name: MailboxName): MailboxName[] {
  const levels = name.split(DELIMITER)
  return levels.slice(1).map((_, index) => levels.slice(0, index + 1).join(DELIMITER))
}

/** RFC 8474 §4: it stays when the mailbox is renamed, and is never that of another. */
export const mailboxId = ({ id, uidValidity }: Mailbox): string => `F${id}-${uidValidity}`
