/** One complete command, tag included, to its value. */
import { secretBuffer } from '#lib/bytes.ts'
import type { BareCommand, Command, StoreCommand } from './command.ts'
import { type Cursor, ImapSyntaxError } from './cursor.ts'
import { parseAppend } from './parse-append.ts'
import { parseFetch } from './parse-fetch.ts'
import { parseList, parseSelect, parseStatusAttributes } from './parse-list.ts'
import { parseGetMetadata, parseSetMetadata } from './parse-metadata.ts'
import { parseNotify } from './parse-notify.ts'
import { parseSearch, parseSort, parseThread } from './parse-search.ts'
import { decodeSaslBase64 } from './sasl-base64.ts'

/** RFC 2971 §3.3: at most 30 pairs. */
const ID_PAIRS = 30

type Rest = (cursor: Cursor) => Command

const bare =
  (kind: BareCommand['kind']): Rest =>
  () => ({ kind })

const COMMANDS = new Map<string, Rest>([
  ['CAPABILITY', bare('capability')],
  ['NOOP', bare('noop')],
  ['LOGOUT', bare('logout')],
  ['STARTTLS', bare('starttls')],
  ['NAMESPACE', bare('namespace')],
  ['IDLE', bare('idle')],
  ['CHECK', bare('check')],
  ['CLOSE', bare('close')],
  ['UNSELECT', bare('unselect')],
  ['EXPUNGE', bare('expunge')],
  ['AUTHENTICATE', parseAuthenticate],
  ['LOGIN', parseLogin],
  ['ENABLE', parseEnable],
  ['SELECT', (cursor) => parseSelect(cursor, 'select')],
  ['EXAMINE', (cursor) => parseSelect(cursor, 'examine')],
  ['CREATE', parseCreate],
  ['DELETE', (cursor) => ({ kind: 'delete', mailbox: mailbox(cursor) })],
  ['SUBSCRIBE', (cursor) => ({ kind: 'subscribe', mailbox: mailbox(cursor) })],
  ['UNSUBSCRIBE', (cursor) => ({ kind: 'unsubscribe', mailbox: mailbox(cursor) })],
  ['RENAME', parseRename],
  ['LIST', parseList],
  ['LSUB', parseLsub],
  ['STATUS', parseStatus],
  ['APPEND', parseAppend],
  ['SEARCH', (cursor) => parseSearch(cursor, false)],
  ['SORT', (cursor) => parseSort(cursor, false)],
  ['THREAD', (cursor) => parseThread(cursor, false)],
  ['FETCH', (cursor) => parseFetch(cursor, false)],
  ['STORE', (cursor) => parseStore(cursor, false)],
  ['COPY', (cursor) => parseTransfer(cursor, 'copy', false)],
  ['MOVE', (cursor) => parseTransfer(cursor, 'move', false)],
  ['UID', parseUid],
  ['ID', parseId],
  ['NOTIFY', parseNotify],
  ['GETMETADATA', parseGetMetadata],
  ['SETMETADATA', parseSetMetadata],
  ['GETQUOTA', (cursor) => ({ kind: 'getQuota', root: quotaRoot(cursor) })],
  ['GETQUOTAROOT', (cursor) => ({ kind: 'getQuotaRoot', mailbox: mailbox(cursor) })],
  ['SETQUOTA', parseSetQuota],
  ['COMPRESS', parseCompress],
])

const UID_COMMANDS = new Map<string, Rest>([
  ['SEARCH', (cursor) => parseSearch(cursor, true)],
  ['SORT', (cursor) => parseSort(cursor, true)],
  ['THREAD', (cursor) => parseThread(cursor, true)],
  ['FETCH', (cursor) => parseFetch(cursor, true)],
  ['STORE', (cursor) => parseStore(cursor, true)],
  ['COPY', (cursor) => parseTransfer(cursor, 'copy', true)],
  ['MOVE', (cursor) => parseTransfer(cursor, 'move', true)],
  ['EXPUNGE', (cursor) => ({ kind: 'uidExpunge', uids: sequenceSet(cursor) })],
])

/** The command after its tag. Throws ImapSyntaxError. */
export function parseCommand(cursor: Cursor): Command {
  cursor.space()
  const rest = COMMANDS.get(cursor.atom('a command').toUpperCase())
  if (!rest) throw new ImapSyntaxError('unknown command')
  const command = rest(cursor)
  cursor.end()
  return command
}

function parseUid(cursor: Cursor): Command {
  cursor.space()
  const rest = UID_COMMANDS.get(cursor.atom('a command').toUpperCase())
  if (!rest) throw new ImapSyntaxError('unknown UID command')
  return rest(cursor)
}

function mailbox(cursor: Cursor): string {
  cursor.space()
  return cursor.mailbox()
}

function sequenceSet(cursor: Cursor) {
  cursor.space()
  return cursor.sequenceSet()
}

function parseAuthenticate(cursor: Cursor): Command {
  cursor.space()
  const mechanism = cursor.atom('a mechanism').toUpperCase()
  if (!cursor.skipSpaces() || cursor.isEnd()) return { kind: 'authenticate', mechanism, initialResponse: null }
  const token = cursor.token()
  // RFC 4959 §3: "=" is an empty response.
  const empty = token.length === 1 && token[0] === 61
  const initialResponse = empty ? Buffer.alloc(0) : decodeSaslBase64(token)
  return initialResponse ? { kind: 'authenticate', mechanism, initialResponse } : cursor.fail('base64')
}

function parseLogin(cursor: Cursor): Command {
  cursor.space()
  const user = take(cursor.astring('a user name'))
  cursor.space()
  return { kind: 'login', user, password: take(cursor.astring('a password')) }
}

/** The octets in memory of their own; where they were they are wiped. */
function take(octets: Buffer): Buffer {
  const own = secretBuffer(octets.length)
  own.set(octets)
  octets.fill(0)
  return own
}

function parseEnable(cursor: Cursor): Command {
  const capabilities: string[] = []
  while (cursor.skipSpaces() && !cursor.isEnd()) capabilities.push(cursor.atom().toUpperCase())
  return capabilities.length > 0 ? { kind: 'enable', capabilities } : cursor.fail('a capability')
}

function parseCreate(cursor: Cursor): Command {
  cursor.space()
  const { name, written } = cursor.mailboxAsWritten()
  let use: string[] = []
  if (cursor.skipSpaces() && !cursor.isEnd()) {
    cursor.list(() => {
      if (!cursor.skipWord('USE')) cursor.fail('USE')
      cursor.space()
      use = cursor.list(() => cursor.flag())
    })
  }
  return { kind: 'create', mailbox: name, use, ...(written === null ? {} : { written }) }
}

function parseRename(cursor: Cursor): Command {
  const from = mailbox(cursor)
  cursor.space()
  const { name: to, written } = cursor.mailboxAsWritten()
  return { kind: 'rename', from, to, ...(written === null ? {} : { written }) }
}

function parseLsub(cursor: Cursor): Command {
  const reference = mailbox(cursor)
  cursor.space()
  return { kind: 'lsub', reference, pattern: cursor.pattern() }
}

function parseStatus(cursor: Cursor): Command {
  const name = mailbox(cursor)
  cursor.space()
  return { kind: 'status', mailbox: name, attributes: parseStatusAttributes(cursor) }
}

const STORE_MODES = new Map<string, StoreCommand['mode']>([
  ['FLAGS', 'replace'],
  ['+FLAGS', 'add'],
  ['-FLAGS', 'remove'],
])

function parseStore(cursor: Cursor, uid: boolean): Command {
  const set = sequenceSet(cursor)
  cursor.space()
  let unchangedSince: number | null = null
  if (cursor.isNext('(')) {
    cursor.list(() => {
      if (!cursor.skipWord('UNCHANGEDSINCE')) cursor.fail('UNCHANGEDSINCE')
      cursor.space()
      unchangedSince = cursor.number64()
    })
    cursor.space()
  }
  const word = cursor.atom('FLAGS').toUpperCase()
  const silent = word.endsWith('.SILENT')
  const mode =
    STORE_MODES.get(silent ? word.slice(0, -'.SILENT'.length) : word) ?? cursor.fail('FLAGS, +FLAGS or -FLAGS')
  cursor.space()
  return { kind: 'store', uid, set, mode, silent, flags: parseStoreFlags(cursor), unchangedSince }
}

/** In parentheses, or bare with blanks between (RFC 3501 §9 store-att-flags). */
function parseStoreFlags(cursor: Cursor): string[] {
  if (cursor.isNext('(')) return cursor.list(() => cursor.flag())
  const flags = [cursor.flag()]
  while (cursor.skipSpaces() && !cursor.isEnd()) flags.push(cursor.flag())
  return flags
}

function parseTransfer(cursor: Cursor, kind: 'copy' | 'move', uid: boolean): Command {
  return { kind, uid, set: sequenceSet(cursor), mailbox: mailbox(cursor) }
}

function parseId(cursor: Cursor): Command {
  cursor.space()
  if (cursor.skipWord('NIL')) return { kind: 'id', parameters: null }
  const parameters = cursor.list((): [string, string | null] => {
    const field = cursor.string().toString('utf8')
    cursor.space()
    return [field, cursor.nstring()?.toString('utf8') ?? null]
  })
  return parameters.length <= ID_PAIRS ? { kind: 'id', parameters } : cursor.fail('at most 30 pairs')
}

function quotaRoot(cursor: Cursor): string {
  cursor.space()
  return cursor.astring('a quota root').toString('utf8')
}

/** RFC 9208 §4.1.3. The limits are read over: nobody may set them here. */
function parseSetQuota(cursor: Cursor): Command {
  const root = quotaRoot(cursor)
  cursor.space()
  cursor.list(() => {
    cursor.atom('a resource')
    cursor.space()
    cursor.number64()
  })
  return { kind: 'setQuota', root }
}

function parseCompress(cursor: Cursor): Command {
  cursor.space()
  return { kind: 'compress', mechanism: cursor.atom('a mechanism').toUpperCase() }
}
