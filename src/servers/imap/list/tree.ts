/** The hierarchy of names as LIST and LSUB see it: mailboxes, subscriptions, and the names above them (RFC 3501 §5.1.1, RFC 5258). */
import type { Mailbox, MailboxName } from '#custody/store/mail-store.ts'
import { superiorsOf } from '../mailbox-name.ts'

export interface Entry {
  readonly name: MailboxName
  /** Null where no mailbox has this name. */
  readonly mailbox: Mailbox | null
  readonly subscribed: boolean
  /** There are mailboxes below. */
  readonly children: boolean
}

type Growing = { -readonly [K in keyof Entry]: Entry[K] }

/** Every name with a meaning, in order. */
export function mailboxTree(mailboxes: readonly Mailbox[], subscriptions: readonly MailboxName[]): Entry[] {
  const entries = new Map<MailboxName, Growing>()
  const entry = (name: MailboxName): Growing => {
    let found = entries.get(name)
    if (!found) {
      found = { name, mailbox: null, subscribed: false, children: false }
      entries.set(name, found)
    }
    return found
  }
  for (const mailbox of mailboxes) {
    entry(mailbox.name).mailbox = mailbox
    for (const superior of superiorsOf(mailbox.name)) entry(superior).children = true
  }
  for (const name of subscriptions) {
    entry(name).subscribed = true
    superiorsOf(name).forEach(entry)
  }
  return [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The names above some of the entries. */
export function namesAbove(entries: Iterable<Entry>): ReadonlySet<MailboxName> {
  const names = new Set<MailboxName>()
  for (const { name } of entries) for (const superior of superiorsOf(name)) names.add(superior)
  return names
}
