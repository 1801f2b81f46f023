import type { ListCommand } from '#formats/imap/command.ts'
import { formatMailbox } from '#formats/imap/writer.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { bad } from '../imap-error.ts'
import { listPattern } from '../list/pattern.ts'
import { type Entry, mailboxTree } from '../list/tree.ts'
import { DELIMITER } from '../mailbox-name.ts'
import { statusOf } from './status.ts'

/** LIST (RFC 3501 §6.3.8) and its extended form (RFC 5258, 5819, 6154). */
export async function list(talk: Conversation, command: ListCommand): Promise<Completion> {
  if (!command.extended && command.patterns[0] === '') {
    // An empty pattern asks for the hierarchy delimiter.
    talk.untagged(`LIST (\\Noselect) "${DELIMITER}" ""`)
    return done('Listed')
  }
  const wanted = new Set(command.select)
  // RFC 5258 §3.1: it widens another option and means nothing alone.
  if (wanted.has('recursiveMatch') && !wanted.has('subscribed') && !wanted.has('specialUse'))
    throw bad('RECURSIVEMATCH needs another selection option')
  const patterns = command.patterns.map((pattern) => listPattern(command.reference, pattern))
  const tree = mailboxTree(await talk.mail.mailboxes(), await talk.mail.subscriptions())
  for (const entry of tree) {
    if (!patterns.some((matches) => matches(entry.name))) continue
    const childInfo = wanted.has('recursiveMatch') && isSelectedBelow(entry, wanted)
    if (!isSelected(entry, wanted) && !childInfo) continue
    const attributes = attributesOf(entry, command)
    const extended = childInfo && wanted.has('subscribed') ? ' ("CHILDINFO" ("SUBSCRIBED"))' : ''
    talk.untagged(`LIST (${attributes.join(' ')}) "${DELIMITER}" ${formatMailbox(entry.name)}${extended}`)
    if (command.status && entry.mailbox) talk.untagged(await statusOf(talk, entry.mailbox, command.status))
  }
  return done('Listed')
}

function isSelected(entry: Entry, wanted: ReadonlySet<string>): boolean {
  if (wanted.has('subscribed') && !entry.subscribed) return false
  if (wanted.has('specialUse') && !entry.mailbox?.specialUse) return false
  return wanted.has('subscribed') || entry.mailbox !== null || entry.children
}

function isSelectedBelow(entry: Entry, wanted: ReadonlySet<string>): boolean {
  if (wanted.has('subscribed') && !entry.subscribedBelow) return false
  return !wanted.has('specialUse') || entry.specialUseBelow
}

function attributesOf(entry: Entry, command: ListCommand): string[] {
  const attributes: string[] = []
  // RFC 5258 §3 for clients that know the word; the others are told that it cannot be selected.
  if (!entry.mailbox) attributes.push(command.extended ? '\\NonExistent' : '\\Noselect')
  // RFC 3348 §3: whether somebody asked or not.
  attributes.push(entry.children ? '\\HasChildren' : '\\HasNoChildren')
  const asked = command.return?.includes('subscribed') || command.select.includes('subscribed')
  if (asked && entry.subscribed) attributes.push('\\Subscribed')
  if (entry.mailbox?.specialUse) attributes.push(`\\${entry.mailbox.specialUse}`)
  return attributes
}
