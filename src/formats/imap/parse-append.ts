/** APPEND (RFC 3501 §6.3.11) of several messages (RFC 3502), put together (RFC 4469), in UTF-8 (RFC 6855 §4). */
import { parseInternalDate } from '#formats/message/date.ts'
import type { AppendedMessage, CatenatedPiece, Command } from './command.ts'
import { type Cursor, ImapSyntaxError } from './cursor.ts'

const MESSAGES = 100
const PIECES = 1_000

export function parseAppend(cursor: Cursor): Command {
  cursor.space()
  const mailbox = cursor.mailbox()
  const messages: AppendedMessage[] = []
  cursor.space()
  do {
    messages.push(parseAppended(cursor))
    if (messages.length > MESSAGES) throw new ImapSyntaxError('too many messages in one APPEND')
    // A blank and another message may follow (RFC 3502 §6.3.11).
  } while (cursor.skipSpaces() && !cursor.isEnd())
  return { kind: 'append', mailbox, messages }
}

function parseAppended(cursor: Cursor): AppendedMessage {
  let flags: string[] = []
  let internalDate: number | null = null
  if (cursor.isNext('(')) {
    flags = cursor.list(() => cursor.flag())
    cursor.space()
  }
  if (cursor.isNext('"')) {
    internalDate = parseInternalDate(cursor.string().toString('latin1')) ?? cursor.fail('a date and time')
    cursor.space()
  }
  if (cursor.skipWord('UTF8')) return { flags, internalDate, content: parseUtf8Literal(cursor), utf8: true }
  if (cursor.skipWord('CATENATE')) return { flags, internalDate, ...parseCatenate(cursor) }
  return { flags, internalDate, content: cursor.literal(), utf8: false }
}

// RFC 6855 §4
function parseUtf8Literal(cursor: Cursor): Buffer {
  cursor.space()
  cursor.expect('(')
  const octets = cursor.literal()
  cursor.expect(')')
  return octets
}

// RFC 4469 §5 cat-part
function parseCatenate(cursor: Cursor): { content: readonly CatenatedPiece[]; utf8: boolean } {
  let utf8 = false
  cursor.space()
  const content = cursor.list((): CatenatedPiece => {
    if (cursor.skipWord('UTF8')) {
      utf8 = true
      return { kind: 'text', octets: parseUtf8Literal(cursor) }
    }
    const word = cursor.atom('TEXT or URL').toUpperCase()
    cursor.space()
    if (word === 'TEXT') return { kind: 'text', octets: cursor.literal() }
    return word === 'URL' ? { kind: 'url', url: cursor.astring('a URL').toString('utf8') } : cursor.fail('TEXT or URL')
  })
  if (content.length === 0 || content.length > PIECES) cursor.fail('TEXT or URL')
  return { content, utf8 }
}
