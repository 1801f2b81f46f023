/** Search keys (RFC 3501 §6.4.4 and the extensions named in search-key.ts), without recursion. */
import { parseImapDay } from '#formats/message/date.ts'
import { type Cursor, ImapSyntaxError } from './cursor.ts'
import { SEARCH_DEPTH, type SearchKey } from './search-key.ts'

/** A key that is not complete: it waits for its members. */
interface Waiting {
  readonly kind: 'top' | 'list' | 'not' | 'or'
  readonly members: SearchKey[]
  /** OR right inside OR only makes it wait for one more. */
  needed: number
}

/** All keys up to the end of the command, which are one. Throws ImapSyntaxError. */
export function parseSearchKeys(cursor: Cursor): SearchKey {
  const stack: Waiting[] = [{ kind: 'top', members: [], needed: 0 }]
  for (;;) {
    if (stack.length > SEARCH_DEPTH) throw new ImapSyntaxError('the search is nested too deeply')
    if (openKey(cursor, stack)) continue
    const done = complete(cursor, stack, parseSimpleKey(cursor))
    if (done) return done
  }
}

/** Steps into a key that has members, if one begins here. */
function openKey(cursor: Cursor, stack: Waiting[]): boolean {
  const top = stack.at(-1)!
  if (cursor.skip('(')) {
    cursor.skipSpaces()
    stack.push({ kind: 'list', members: [], needed: 0 })
  } else if (cursor.skipWord('NOT')) {
    cursor.space()
    stack.push({ kind: 'not', members: [], needed: 1 })
  } else if (cursor.skipWord('OR')) {
    cursor.space()
    if (top.kind === 'or') top.needed++
    else stack.push({ kind: 'or', members: [], needed: 2 })
  } else return false
  return true
}

/** Hands a complete key to what waits for it, as far out as that completes. Answers the tree when nothing waits any more. */
function complete(cursor: Cursor, stack: Waiting[], key: SearchKey): SearchKey | null {
  let member = key
  for (;;) {
    const top = stack.at(-1)!
    top.members.push(member)
    if (!closes(cursor, top)) return null
    stack.pop()
    member = combine(top)
    if (top.kind === 'top') return member
  }
}

/** Whether the key has all its members; if not, steps to the next one. */
function closes(cursor: Cursor, { kind, members, needed }: Waiting): boolean {
  if (kind === 'not' || kind === 'or') {
    if (members.length === needed) return true
    cursor.space()
    return false
  }
  const spaced = cursor.skipSpaces()
  if (kind === 'list' ? cursor.skip(')') : cursor.isEnd()) return true
  return spaced ? false : cursor.fail(kind === 'list' ? '")"' : 'a space')
}

function combine({ kind, members }: Waiting): SearchKey {
  if (kind === 'not') return { kind: 'not', key: members[0]! }
  if (members.length === 1) return members[0]!
  const join = kind === 'or' ? 'or' : 'and'
  return { kind: join, keys: members.flatMap((key) => (key.kind === join ? key.keys : [key])) }
}

const FLAGS = ['Answered', 'Deleted', 'Draft', 'Flagged', 'Recent', 'Seen']

/** Keys without arguments. */
const WORDS = new Map<string, SearchKey>([
  ['ALL', { kind: 'all' }],
  ...FLAGS.map((flag): [string, SearchKey] => [flag.toUpperCase(), { kind: 'flag', flag: `\\${flag}`, set: true }]),
  ...FLAGS.filter((flag) => flag !== 'Recent').map((flag): [string, SearchKey] => [
    `UN${flag.toUpperCase()}`,
    { kind: 'flag', flag: `\\${flag}`, set: false },
  ]),
  ['SAVEDATESUPPORTED', { kind: 'saveDateSupported' }],
  ['OLD', { kind: 'flag', flag: '\\Recent', set: false }],
  [
    'NEW',
    {
      kind: 'and',
      keys: [
        { kind: 'flag', flag: '\\Recent', set: true },
        { kind: 'flag', flag: '\\Seen', set: false },
      ],
    },
  ],
])

const HEADERS = new Set(['BCC', 'CC', 'FROM', 'SUBJECT', 'TO'])

function parseSimpleKey(cursor: Cursor): SearchKey {
  if (cursor.isDigit() || cursor.isNext('*') || cursor.isNext('$'))
    return { kind: 'sequence', set: cursor.sequenceSet() }
  const word = cursor.atom('a search key').toUpperCase()
  const known = WORDS.get(word)
  if (known) return known
  cursor.space()
  if (HEADERS.has(word)) return { kind: 'header', field: word.toLowerCase(), text: text(cursor) }
  const dated = parseDateKey(word, cursor)
  if (dated) return dated
  switch (word) {
    case 'BODY':
      return { kind: 'body', text: text(cursor) }
    case 'TEXT':
      return { kind: 'text', text: text(cursor) }
    case 'KEYWORD':
    case 'UNKEYWORD':
      return { kind: 'flag', flag: cursor.flag(), set: word === 'KEYWORD' }
    case 'LARGER':
    case 'SMALLER':
      return { kind: 'size', compare: word === 'LARGER' ? 'larger' : 'smaller', octets: cursor.number64() }
    case 'OLDER':
    case 'YOUNGER':
      return { kind: 'age', compare: word === 'OLDER' ? 'older' : 'younger', seconds: cursor.positive() }
    case 'UID':
      return { kind: 'uid', set: cursor.sequenceSet() }
    case 'HEADER': {
      const field = cursor.astring('a field name').toString('latin1').toLowerCase()
      cursor.space()
      return { kind: 'header', field, text: text(cursor) }
    }
    case 'EMAILID':
    case 'THREADID': {
      const of = word === 'EMAILID' ? 'email' : 'thread'
      return { kind: 'objectId', of, id: cursor.astring('an object id').toString('latin1') }
    }
    case 'MODSEQ':
      return parseModseq(cursor)
    default:
      throw new ImapSyntaxError('unknown search key')
  }
}

const text = (cursor: Cursor) => cursor.astring().toString('utf8')

const DATES = new Map<string, (compare: 'before' | 'on' | 'since', day: number) => SearchKey>([
  ['', (compare, day) => ({ kind: 'date', of: 'internal', compare, day })],
  ['SENT', (compare, day) => ({ kind: 'date', of: 'sent', compare, day })],
  ['SAVED', (compare, day) => ({ kind: 'savedDate', compare, day })],
])

function parseDateKey(word: string, cursor: Cursor): SearchKey | null {
  const compare = (['before', 'on', 'since'] as const).find((end) => word.endsWith(end.toUpperCase()))
  const key = compare && DATES.get(word.slice(0, -compare.length))
  if (!key) return null
  const day = parseImapDay(cursor.astring('a date').toString('latin1').trimStart())
  return day === null ? cursor.fail('a date') : key(compare, day)
}

/** RFC 7162 §3.1.5: entry name and type may come before; messages have one MODSEQ for all, so they are read over. */
function parseModseq(cursor: Cursor): SearchKey {
  if (cursor.isString()) {
    cursor.string()
    cursor.space()
    const type = cursor.atom().toLowerCase()
    if (type !== 'priv' && type !== 'shared' && type !== 'all') cursor.fail('priv, shared or all')
    cursor.space()
  }
  return { kind: 'modseq', atLeast: cursor.number64() }
}
