/** NOTIFY (RFC 5465 §8). */
import type { NotifyCommand, NotifyGroup, NotifyMailboxes } from './command.ts'
import type { Cursor } from './cursor.ts'
import type { FetchItem } from './fetch-item.ts'
import { parseFetchItem } from './parse-fetch.ts'

const GROUPS = 100
const EVENTS = 30

const SIMPLE = new Map<string, NotifyMailboxes>([
  ['SELECTED', { kind: 'selected' }],
  ['SELECTED-DELAYED', { kind: 'selectedDelayed' }],
  ['INBOXES', { kind: 'inboxes' }],
  ['PERSONAL', { kind: 'personal' }],
  ['SUBSCRIBED', { kind: 'subscribed' }],
])

export function parseNotify(cursor: Cursor): NotifyCommand {
  cursor.space()
  if (cursor.skipWord('NONE')) return { kind: 'notify', status: false, groups: null }
  if (!cursor.skipWord('SET')) cursor.fail('SET or NONE')
  cursor.space()
  const status = cursor.skipWord('STATUS')
  if (status) cursor.space()
  const groups: NotifyGroup[] = []
  do {
    groups.push(parseGroup(cursor))
    if (groups.length > GROUPS) cursor.fail('fewer groups')
  } while (cursor.skipSpaces() && !cursor.isEnd())
  return { kind: 'notify', status, groups }
}

function parseGroup(cursor: Cursor): NotifyGroup {
  cursor.expect('(')
  const mailboxes = parseMailboxes(cursor)
  cursor.space()
  const events = parseEvents(cursor)
  cursor.expect(')')
  return { mailboxes, ...events }
}

function parseMailboxes(cursor: Cursor): NotifyMailboxes {
  const word = cursor.atom('mailboxes').toUpperCase()
  const simple = SIMPLE.get(word)
  if (simple) return simple
  if (word !== 'SUBTREE' && word !== 'MAILBOXES') cursor.fail('mailboxes')
  cursor.space()
  const names = cursor.isNext('(') ? cursor.list(() => cursor.mailbox()) : [cursor.mailbox()]
  if (names.length === 0) cursor.fail('a mailbox name')
  return { kind: word === 'SUBTREE' ? 'subtree' : 'mailboxes', names }
}

function parseEvents(cursor: Cursor): Pick<NotifyGroup, 'events' | 'messageNew'> {
  const events: string[] = []
  let messageNew: readonly FetchItem[] = []
  if (cursor.skipWord('NONE')) return { events, messageNew }
  const parseEvent = () => {
    const event = cursor.atom('an event').toUpperCase()
    events.push(event)
    if (events.length > EVENTS) cursor.fail('fewer events')
    if (event !== 'MESSAGENEW') return
    messageNew =
      cursor.optionally(() => {
        cursor.skipSpaces()
        return cursor.isNext('(') ? cursor.list(() => parseFetchItem(cursor)) : null
      }) ?? []
  }
  if (cursor.isNext('(')) cursor.list(parseEvent)
  else {
    // The examples of RFC 5465 §3.1 have no parentheses around the events.
    do {
      parseEvent()
    } while (cursor.skipSpaces() && !cursor.isNext(')'))
  }
  if (events.length === 0) cursor.fail('an event')
  return { events, messageNew }
}
