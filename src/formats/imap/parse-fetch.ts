/** FETCH (RFC 3501 §6.4.5, RFC 3516, RFC 7162, RFC 8474, RFC 8514, RFC 8970, RFC 9394). */
import type { FetchCommand, PartialRange } from './command.ts'
import { type Cursor, ImapSyntaxError } from './cursor.ts'
import type { FetchItem, Partial, Section, SectionText } from './fetch-item.ts'
import { parsePartialRange } from './parse-partial-range.ts'

const SIMPLE = new Map<string, FetchItem>([
  ['ENVELOPE', { kind: 'envelope' }],
  ['FLAGS', { kind: 'flags' }],
  ['INTERNALDATE', { kind: 'internalDate' }],
  ['RFC822.SIZE', { kind: 'size' }],
  ['UID', { kind: 'uid' }],
  ['MODSEQ', { kind: 'modseq' }],
  ['BODYSTRUCTURE', { kind: 'bodyStructure' }],
  ['EMAILID', { kind: 'emailId' }],
  ['THREADID', { kind: 'threadId' }],
  ['SAVEDATE', { kind: 'saveDate' }],
  ['RFC822', { kind: 'rfc822' }],
  ['RFC822.HEADER', { kind: 'rfc822Header' }],
  ['RFC822.TEXT', { kind: 'rfc822Text' }],
])

const FAST: readonly FetchItem[] = [{ kind: 'flags' }, { kind: 'internalDate' }, { kind: 'size' }]
const MACROS = new Map<string, readonly FetchItem[]>([
  ['FAST', FAST],
  ['ALL', [...FAST, { kind: 'envelope' }]],
  ['FULL', [...FAST, { kind: 'envelope' }, { kind: 'body' }]],
])

/** A MIME tree is never deeper (message/mime-index.ts), so longer part numbers name nothing. */
const PART_DEPTH = 102

export function parseFetch(cursor: Cursor, uid: boolean): FetchCommand {
  cursor.space()
  const set = cursor.sequenceSet()
  cursor.space()
  const items = cursor.isNext('(') ? cursor.list(() => parseFetchItem(cursor)) : parseMacroOrItem(cursor)
  if (items.length === 0) throw new ImapSyntaxError('expected a fetch item')
  const modifiers = cursor.skipSpaces() && !cursor.isEnd() ? parseModifiers(cursor) : NONE
  if (modifiers.vanished && (!uid || modifiers.changedSince === null))
    throw new ImapSyntaxError('VANISHED needs UID FETCH and CHANGEDSINCE')
  if (modifiers.partial && !uid) throw new ImapSyntaxError('PARTIAL needs UID FETCH')
  return { kind: 'fetch', uid, set, items, ...modifiers }
}

type Modifiers = Pick<FetchCommand, 'changedSince' | 'vanished' | 'partial'>

const NONE: Modifiers = { changedSince: null, vanished: false, partial: null }

function parseModifiers(cursor: Cursor): Modifiers {
  let changedSince: number | null = null
  let vanished = false
  let partial: PartialRange | null = null
  cursor.list(() => {
    if (cursor.skipWord('VANISHED')) vanished = true
    else if (cursor.skipWord('CHANGEDSINCE')) {
      cursor.space()
      changedSince = cursor.number64()
    } else if (cursor.skipWord('PARTIAL')) partial = parsePartialRange(cursor)
    else cursor.fail('CHANGEDSINCE, VANISHED or PARTIAL')
  })
  return { changedSince, vanished, partial }
}

function parseMacroOrItem(cursor: Cursor): readonly FetchItem[] {
  const word = cursor.word()
  return MACROS.get(word.toUpperCase()) ?? [parseItem(cursor, word)]
}

/** One item, as NOTIFY has them too (RFC 5465 §8). */
export function parseFetchItem(cursor: Cursor): FetchItem {
  return parseItem(cursor, cursor.word())
}

function parseItem(cursor: Cursor, word: string): FetchItem {
  const name = word.toUpperCase()
  const simple = SIMPLE.get(name)
  if (simple) return simple
  if (name === 'PREVIEW') return { kind: 'preview', lazy: cursor.optionally(() => parseLazy(cursor)) ?? false }
  if (name === 'BINARY' || name === 'BINARY.PEEK') {
    const part = parseBinarySection(cursor)
    return { kind: 'binary', part, partial: parsePartial(cursor), peek: name === 'BINARY.PEEK' }
  }
  if (name === 'BINARY.SIZE') return { kind: 'binarySize', part: parseBinarySection(cursor) }
  if (name !== 'BODY' && name !== 'BODY.PEEK') throw new ImapSyntaxError('unknown fetch item')
  if (!cursor.skip('[')) return name === 'BODY' ? { kind: 'body' } : cursor.fail('"["')
  const section = parseSection(cursor)
  cursor.expect(']')
  return { kind: 'section', section, partial: parsePartial(cursor), peek: name === 'BODY.PEEK' }
}

/** RFC 8970 §3.2: modifiers of PREVIEW. What else stands in parentheses belongs to FETCH. */
function parseLazy(cursor: Cursor): true | null {
  if (!cursor.skipSpaces() || !cursor.skip('(')) return null
  cursor.skipSpaces()
  if (!cursor.skipWord('LAZY')) return null
  cursor.skipSpaces()
  return cursor.skip(')') ? true : null
}

/** RFC 3516 §7 section-binary. */
function parseBinarySection(cursor: Cursor): number[] {
  cursor.expect('[')
  const part: number[] = []
  while (!cursor.skip(']')) {
    if (part.length > 0) cursor.expect('.')
    part.push(cursor.positive())
    if (part.length > PART_DEPTH) throw new ImapSyntaxError('the part number is too long')
  }
  return part
}

function parseSection(cursor: Cursor): Section {
  const part: number[] = []
  while (cursor.isDigit()) {
    part.push(cursor.positive())
    if (part.length > PART_DEPTH) throw new ImapSyntaxError('the part number is too long')
    if (!cursor.skip('.')) return { part, text: null }
  }
  const word = cursor.word().toUpperCase()
  if (word === '' && part.length === 0) return { part, text: null }
  return { part, text: parseSectionText(cursor, word, part.length > 0) }
}

function parseSectionText(cursor: Cursor, word: string, inPart: boolean): SectionText {
  switch (word) {
    case 'HEADER':
      return { kind: 'header' }
    case 'TEXT':
      return { kind: 'text' }
    case 'MIME':
      return inPart ? { kind: 'mime' } : cursor.fail('a part number before MIME')
    case 'HEADER.FIELDS':
    case 'HEADER.FIELDS.NOT': {
      cursor.space()
      const names = cursor.list(() => cursor.astring('a field name').toString('latin1'))
      return names.length > 0 ? { kind: 'fields', names, not: word.endsWith('.NOT') } : cursor.fail('a field name')
    }
    default:
      return cursor.fail('a section')
  }
}

function parsePartial(cursor: Cursor): Partial | null {
  if (!cursor.skip('<')) return null
  const start = cursor.number64()
  cursor.expect('.')
  const length = cursor.number64() || cursor.fail('a number above zero')
  cursor.expect('>')
  return { start, length }
}
