import { NoSuchMailbox } from '#custody/store/mail-store.ts'
import type { ListCommand } from '#formats/imap/command.ts'
import { formatList } from '#formats/imap/mailbox-response.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { bad } from '../imap-error.ts'
import { attributesOf } from '../list/attributes.ts'
import { listPattern } from '../list/pattern.ts'
import { type Entry, mailboxTree, namesAbove } from '../list/tree.ts'
import { DELIMITER } from '../mailbox-name.ts'
import { statusOf, understandModseq } from './status.ts'

/** LIST (RFC 3501 §6.3.8) and its extended form (RFC 5258, 5819, 6154). */
export async function list(talk: Conversation, command: ListCommand): Promise<Completion> {
  if (!command.extended && command.patterns[0] === '') {
    // An empty pattern asks for the hierarchy delimiter.
    talk.untagged(formatList({ attributes: ['\\Noselect'], delimiter: DELIMITER, name: '""' }))
    return done('Listed')
  }
  const wanted = new Set(command.select)
  const criteria = (['subscribed', 'specialUse'] as const).filter((option) => wanted.has(option))
  // RFC 5258 §3.1: it widens another option and means nothing alone, nor with REMOTE.
  if (wanted.has('recursiveMatch') && criteria.length === 0) throw bad('RECURSIVEMATCH needs another selection option')
  const patterns = command.patterns.map((pattern) => listPattern(command.reference, pattern))
  const tree = mailboxTree(await talk.mail.mailboxes(), await talk.mail.subscriptions())
  const selected = new Set(tree.filter((entry) => isSelected(entry, wanted)))
  // RFC 5258 §3.5: what is below counts whether or not its own name matches.
  const above = wanted.has('recursiveMatch') ? namesAbove(selected) : null
  if (command.status) understandModseq(talk, command.status)
  const manner = mannerOf(talk, command)
  for (const entry of tree) {
    const isAbove = above?.has(entry.name) ?? false
    if (!(selected.has(entry) || isAbove) || !patterns.some((matches) => matches(entry.name))) continue
    const attributes = attributesOf(entry, manner)
    const childInfo = isAbove ? criteria.map((option) => CRITERIA[option]) : []
    talk.untagged(formatList({ attributes, delimiter: DELIMITER, name: talk.name(entry.name), childInfo }))
    if (command.status && entry.mailbox) await tellStatus(talk, entry.mailbox, command.status)
  }
  return done('Listed')
}

const CRITERIA = { subscribed: 'SUBSCRIBED', specialUse: 'SPECIAL-USE' } as const

/** RFC 5819 §2: no STATUS for one that cannot be had, which here is one that somebody deletes meanwhile. */
async function tellStatus(talk: Conversation, ...about: StatusArguments): Promise<void> {
  try {
    talk.untagged(await statusOf(talk, ...about))
  } catch (error) {
    if (!(error instanceof NoSuchMailbox)) throw error
  }
}

type StatusArguments = Parameters<typeof statusOf> extends [Conversation, ...infer Rest] ? Rest : never

function isSelected(entry: Entry, wanted: ReadonlySet<string>): boolean {
  if (wanted.has('subscribed') && !entry.subscribed) return false
  if (wanted.has('specialUse') && !entry.mailbox?.specialUse) return false
  return wanted.has('subscribed') || entry.mailbox !== null || entry.children
}

function mannerOf({ enabled }: Conversation, { extended, select, return: wanted }: ListCommand) {
  return {
    withSubscribed: select.includes('subscribed') || (wanted?.includes('subscribed') ?? false),
    // RFC 5258 §3 for clients that know the word; the others are told that it cannot be selected.
    absent: extended || enabled.has('IMAP4rev2') ? ('\\NonExistent' as const) : ('\\Noselect' as const),
  }
}
