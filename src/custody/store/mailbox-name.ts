/** Mailbox names as the store keeps them: `/` between levels, Unicode NFC, INBOX in capitals. */
import { type MailboxName, MailboxRefused, type SpecialUse } from './mail-store.ts'

export const INBOX = 'INBOX'
const NAME_OCTETS = 1000
const NAME_LEVELS = 32
export const MAILBOXES_PER_ACCOUNT = 10_000

/** What every account begins with; all of them are subscribed. */
export const FIRST_MAILBOXES: readonly (readonly [name: MailboxName, specialUse: SpecialUse | null])[] = [
  [INBOX, null],
  ['Archive', 'Archive'],
  ['Drafts', 'Drafts'],
  ['Junk', 'Junk'],
  ['Sent', 'Sent'],
  ['Trash', 'Trash'],
]

function hasControls(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i)
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true
  }
  return false
}

/** Throws MailboxRefused for what cannot be a name. INBOX has no case (RFC 3501 §5.1). */
export function canonicalName(name: MailboxName): MailboxName {
  const levels = name.normalize('NFC').split('/')
  if (levels[0]!.toUpperCase() === INBOX) levels[0] = INBOX
  if (levels.some((level) => level === '')) throw new MailboxRefused('a level of the mailbox name is empty')
  if (levels.length > NAME_LEVELS) throw new MailboxRefused(`more than ${NAME_LEVELS} levels of mailboxes`)
  const canonical = levels.join('/')
  if (Buffer.byteLength(canonical) > NAME_OCTETS) throw new MailboxRefused('the mailbox name is too long')
  if (hasControls(canonical)) throw new MailboxRefused('control characters in a mailbox name')
  if (!canonical.isWellFormed()) throw new MailboxRefused('the mailbox name is not Unicode')
  return canonical
}

/** For delivery, which refuses no name: what cannot be a mailbox is one that is missing, and that is INBOX. */
export function canonicalNameOrInbox(name: MailboxName): MailboxName {
  try {
    return canonicalName(name)
  } catch {
    return INBOX
  }
}

/** `a` and `a/b` for `a/b/c`. */
export function superiorNames(name: MailboxName): readonly MailboxName[] {
  const levels = name.split('/')
  return levels.slice(1).map((_, index) => levels.slice(0, index + 1).join('/'))
}

export function isInferior(name: MailboxName, of: MailboxName): boolean {
  return name.startsWith(`${of}/`)
}

/** Code point order, the same in every store. */
export function byName(a: { readonly name: MailboxName }, b: { readonly name: MailboxName }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}
