/** SEARCH, SORT and THREAD (RFC 3501 §6.4.4, RFC 5256 §5), with RETURN (RFC 4731, RFC 5182, RFC 5267, RFC 9394). */
import type { PartialRange, SearchCommand, SortCommand, SortCriterion, SortField, ThreadCommand } from './command.ts'
import type { Cursor } from './cursor.ts'
import { parsePartialRange } from './parse-partial-range.ts'
import { parseSearchKeys } from './parse-search-key.ts'
import type { SearchReturn } from './search-key.ts'

const RETURNS = new Map<string, SearchReturn>([
  ['MIN', 'min'],
  ['MAX', 'max'],
  ['ALL', 'all'],
  ['COUNT', 'count'],
  ['SAVE', 'save'],
])

const FIELDS = new Map<string, SortField>([
  ['ARRIVAL', 'arrival'],
  ['CC', 'cc'],
  ['DATE', 'date'],
  ['FROM', 'from'],
  ['SIZE', 'size'],
  ['SUBJECT', 'subject'],
  ['TO', 'to'],
  ['DISPLAYFROM', 'displayFrom'],
  ['DISPLAYTO', 'displayTo'],
])

const CRITERIA = 50

export function parseSearch(cursor: Cursor, uid: boolean): SearchCommand {
  cursor.space()
  const wanted = parseReturn(cursor)
  const charset = cursor.skipWord('CHARSET') ? parseCharset(cursor) : null
  return { kind: 'search', uid, charset, ...wanted, key: parseSearchKeys(cursor) }
}

export function parseSort(cursor: Cursor, uid: boolean): SortCommand {
  cursor.space()
  const wanted = parseReturn(cursor)
  const criteria = cursor.list(() => parseCriterion(cursor))
  if (criteria.length === 0 || criteria.length > CRITERIA) cursor.fail('sort criteria')
  return { kind: 'sort', uid, ...wanted, criteria, charset: parseCharset(cursor), key: parseSearchKeys(cursor) }
}

export function parseThread(cursor: Cursor, uid: boolean): ThreadCommand {
  cursor.space()
  const algorithm = cursor.atom('an algorithm').toUpperCase()
  return { kind: 'thread', uid, algorithm, charset: parseCharset(cursor), key: parseSearchKeys(cursor) }
}

/** With the blanks around it. */
function parseCharset(cursor: Cursor): string {
  cursor.space()
  const charset = cursor.astring('a charset').toString('latin1').toUpperCase()
  cursor.space()
  return charset
}

// RFC 4731 §3.1, RFC 5182 §3.2, RFC 9394 §3.1
function parseReturn(cursor: Cursor): Pick<SearchCommand, 'return' | 'partial'> {
  if (!cursor.skipWord('RETURN')) return { return: null, partial: null }
  cursor.space()
  const wanted: SearchReturn[] = []
  let partial: PartialRange | null = null
  cursor.list(() => {
    const word = cursor.atom('a return option').toUpperCase()
    if (word === 'PARTIAL' && partial === null) partial = parsePartialRange(cursor)
    else wanted.push(RETURNS.get(word) ?? cursor.fail('MIN, MAX, ALL, COUNT, SAVE or one PARTIAL'))
  })
  // RFC 9394 §3.1: it cannot be together with ALL.
  if (partial && wanted.includes('all')) cursor.fail('either ALL or PARTIAL')
  cursor.space()
  return { return: wanted, partial }
}

// RFC 5256 §5 sort-criterion, RFC 5957 §4
function parseCriterion(cursor: Cursor): SortCriterion {
  const reverse = cursor.skipWord('REVERSE')
  if (reverse) cursor.space()
  const field = FIELDS.get(cursor.atom('a sort key').toUpperCase())
  return field ? { field, reverse } : cursor.fail('a sort key')
}
