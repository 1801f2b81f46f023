/** LIST with its extensions (RFC 3501 §6.3.8, RFC 5258, RFC 5819, RFC 6154), STATUS, SELECT and EXAMINE parameters (RFC 7162). */
import type { ListCommand, QresyncParameters, SelectCommand, StatusAttribute } from './command.ts'
import type { Cursor } from './cursor.ts'

const ATTRIBUTES = new Map<string, StatusAttribute>([
  ['MESSAGES', 'messages'],
  ['RECENT', 'recent'],
  ['UIDNEXT', 'uidNext'],
  ['UIDVALIDITY', 'uidValidity'],
  ['UNSEEN', 'unseen'],
  ['HIGHESTMODSEQ', 'highestModseq'],
  ['SIZE', 'size'],
  ['DELETED', 'deleted'],
  ['DELETED-STORAGE', 'deletedStorage'],
  ['MAILBOXID', 'mailboxId'],
  ['APPENDLIMIT', 'appendLimit'],
])

const SELECTIONS = new Map<string, ListCommand['select'][number]>([
  ['SUBSCRIBED', 'subscribed'],
  ['REMOTE', 'remote'],
  ['RECURSIVEMATCH', 'recursiveMatch'],
  ['SPECIAL-USE', 'specialUse'],
])

const RETURNS = new Map<string, NonNullable<ListCommand['return']>[number]>([
  ['SUBSCRIBED', 'subscribed'],
  ['CHILDREN', 'children'],
  ['SPECIAL-USE', 'specialUse'],
])

export function parseStatusAttributes(cursor: Cursor): StatusAttribute[] {
  const attributes = cursor.list(() => ATTRIBUTES.get(cursor.atom().toUpperCase()) ?? cursor.fail('a status attribute'))
  return attributes.length > 0 ? attributes : cursor.fail('a status attribute')
}

export function parseList(cursor: Cursor): ListCommand {
  cursor.space()
  const selecting = cursor.isNext('(')
  const select = selecting
    ? cursor.list(() => SELECTIONS.get(cursor.atom().toUpperCase()) ?? cursor.fail('a selection option'))
    : []
  if (selecting) cursor.space()
  const reference = cursor.mailbox()
  cursor.space()
  const several = cursor.isNext('(')
  const patterns = several ? cursor.list(() => cursor.pattern()) : [cursor.pattern()]
  if (patterns.length === 0) cursor.fail('a mailbox pattern')
  const options = cursor.skipSpaces() && !cursor.isEnd() ? parseReturn(cursor) : null
  return {
    kind: 'list',
    reference,
    patterns,
    select,
    return: options?.wanted ?? null,
    status: options?.status ?? null,
    extended: selecting || several || options !== null,
  }
}

function parseReturn(cursor: Cursor) {
  if (!cursor.skipWord('RETURN')) cursor.fail('RETURN')
  cursor.space()
  const wanted: NonNullable<ListCommand['return']>[number][] = []
  let status: StatusAttribute[] | null = null
  cursor.list(() => {
    const word = cursor.atom().toUpperCase()
    if (word === 'STATUS') {
      cursor.space()
      status = parseStatusAttributes(cursor)
    } else wanted.push(RETURNS.get(word) ?? cursor.fail('a return option'))
  })
  return { wanted, status: status as StatusAttribute[] | null }
}

export function parseSelect(cursor: Cursor, kind: SelectCommand['kind']): SelectCommand {
  cursor.space()
  const { name, written } = cursor.mailboxAsWritten()
  let condstore = false
  let qresync: QresyncParameters | null = null
  if (cursor.skipSpaces() && !cursor.isEnd()) {
    cursor.list(() => {
      if (cursor.skipWord('CONDSTORE')) condstore = true
      else if (cursor.skipWord('QRESYNC')) qresync = parseQresync(cursor)
      else cursor.fail('CONDSTORE or QRESYNC')
    })
  }
  return { kind, mailbox: name, condstore, qresync, ...(written === null ? {} : { written }) }
}

// RFC 7162 §7 select-param
function parseQresync(cursor: Cursor): QresyncParameters {
  cursor.space()
  cursor.expect('(')
  const uidValidity = cursor.positive()
  cursor.space()
  const modseq = cursor.number64()
  const known = cursor.skipSpaces() && !cursor.isNext('(') && !cursor.isNext(')') ? cursor.plainSequenceSet() : null
  cursor.skipSpaces()
  const match = cursor.isNext('(') ? parseMatch(cursor) : null
  cursor.expect(')')
  return { uidValidity, modseq, knownUids: known, match }
}

function parseMatch(cursor: Cursor): NonNullable<QresyncParameters['match']> {
  cursor.expect('(')
  const sequence = cursor.plainSequenceSet()
  cursor.space()
  const uids = cursor.plainSequenceSet()
  cursor.expect(')')
  return { sequence, uids }
}
