/** GETMETADATA and SETMETADATA (RFC 5464 §5). */
import type { Command, GetMetadataCommand } from './command.ts'
import type { Cursor } from './cursor.ts'

const ENTRIES = 1_000

type Options = Pick<GetMetadataCommand, 'maxSize' | 'depth'>

const NO_OPTIONS: Options = { maxSize: null, depth: '0' }
const DEPTHS = new Map<string, Options['depth']>([
  ['0', '0'],
  ['1', '1'],
  ['INFINITY', 'infinity'],
])

export function parseGetMetadata(cursor: Cursor): GetMetadataCommand {
  cursor.space()
  const before = parseOptions(cursor)
  const mailbox = cursor.mailbox()
  cursor.space()
  // Some clients write them here, as the examples of RFC 5464 §4.2.1 do.
  const options = before ?? parseOptions(cursor) ?? NO_OPTIONS
  const entries = cursor.isNext('(') ? cursor.list(() => entryName(cursor)) : [entryName(cursor)]
  if (entries.length === 0 || entries.length > ENTRIES) cursor.fail('entry names')
  return { kind: 'getMetadata', mailbox, ...options, entries }
}

/** With the blank after them; null where no options stand. */
function parseOptions(cursor: Cursor): Options | null {
  // Names of entries begin with a slash.
  const begin = cursor.optionally(() => (cursor.skip('(') && !cursor.isNext('/') && !cursor.isString() ? true : null))
  if (!begin) return null
  let options = NO_OPTIONS
  do {
    const word = cursor.atom('MAXSIZE or DEPTH').toUpperCase()
    cursor.space()
    if (word === 'MAXSIZE') options = { ...options, maxSize: cursor.number() }
    else if (word === 'DEPTH') {
      const depth = DEPTHS.get(cursor.atom('a depth').toUpperCase()) ?? cursor.fail('0, 1 or infinity')
      options = { ...options, depth }
    } else cursor.fail('MAXSIZE or DEPTH')
  } while (cursor.skipSpaces() && !cursor.isNext(')'))
  cursor.expect(')')
  cursor.space()
  return options
}

export function parseSetMetadata(cursor: Cursor): Command {
  cursor.space()
  const mailbox = cursor.mailbox()
  cursor.space()
  const entries = cursor.list((): [string, Buffer | null] => {
    const name = entryName(cursor)
    cursor.space()
    return [name, cursor.nstring()]
  })
  if (entries.length === 0 || entries.length > ENTRIES) cursor.fail('entries and values')
  return { kind: 'setMetadata', mailbox, entries }
}

function entryName(cursor: Cursor): string {
  return cursor.astring('an entry name').toString('utf8')
}
