import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command, ReaderEvent } from './command.ts'
import { CommandReader, type ReaderLimits } from './parser.ts'
import { SAVED } from './sequence-set.ts'

const OPEN: ReaderLimits = { authenticated: true, appendOctets: 1_000_000 }

function last(text: string, limits: ReaderLimits): ReaderEvent | undefined {
  const reader = new CommandReader(limits)
  reader.push(Buffer.from(text))
  let found: ReaderEvent | undefined
  for (let event = reader.next(); event; event = reader.next()) found = event
  return found
}

function command(line: string, limits = OPEN): Command {
  const event = last(`a ${line}\r\n`, limits)
  return event?.kind === 'command' ? event.command : assert.fail(`${line}: ${JSON.stringify(event)}`)
}

function isBad(line: string, limits = OPEN): void {
  const event = last(`a ${line}\r\n`, limits)
  assert.ok(event?.kind === 'rejected' && event.status === 'BAD' && event.tag === 'a', line)
}

test('$ stands alone wherever a set may stand (RFC 5182)', () => {
  for (const line of ['FETCH $ FLAGS', 'UID STORE $ +FLAGS (\\Seen)', 'COPY $ x', 'UID MOVE $ x']) {
    const read = command(line)
    assert.ok('set' in read && read.set === SAVED, line)
  }
  const expunge = command('UID EXPUNGE $')
  assert.ok(expunge.kind === 'uidExpunge' && expunge.uids === SAVED)
  const search = command('UID SEARCH RETURN (SAVE) OR $ UID $')
  assert.ok(search.kind === 'search' && search.key.kind === 'or')
  assert.deepEqual(search.return, ['save'])
  assert.deepEqual(
    search.key.keys.map((key) => [key.kind, 'set' in key && key.set === SAVED]),
    [
      ['sequence', true],
      ['uid', true],
    ],
  )
  for (const line of [
    'FETCH $,1 FLAGS',
    'FETCH 1:$ FLAGS',
    'SELECT x (QRESYNC (1 1 $))',
    'SELECT x (QRESYNC (1 1 1:*))',
  ])
    isBad(line)
})

test('keys of saved dates and object ids (RFC 8514, RFC 8474)', () => {
  const key = (line: string) => {
    const read = command(`SEARCH ${line}`)
    return read.kind === 'search' ? read.key : null
  }
  assert.deepEqual(key('savedsince 1-Feb-1994'), { kind: 'savedDate', compare: 'since', day: 8797 })
  assert.deepEqual(key('SAVEDON "1-Feb-1994"'), { kind: 'savedDate', compare: 'on', day: 8797 })
  assert.deepEqual(key('SaveDateSupported'), { kind: 'saveDateSupported' })
  assert.deepEqual(key('EMAILID M6d99ac3275bb4e'), { kind: 'objectId', of: 'email', id: 'M6d99ac3275bb4e' })
  assert.deepEqual(key('THREADID T64b478a75b7ea9'), { kind: 'objectId', of: 'thread', id: 'T64b478a75b7ea9' })
  isBad('SEARCH SAVEDTHEN 1-Feb-1994')
})

test('SORT and THREAD (RFC 5256, RFC 5957, RFC 5267)', () => {
  assert.deepEqual(command('UID SORT RETURN (COUNT PARTIAL 1:10) (REVERSE DATE displayfrom) utf-8 UNDELETED'), {
    kind: 'sort',
    uid: true,
    return: ['count'],
    partial: { first: 1, last: 10 },
    criteria: [
      { field: 'date', reverse: true },
      { field: 'displayFrom', reverse: false },
    ],
    charset: 'UTF-8',
    key: { kind: 'flag', flag: '\\Deleted', set: false },
  })
  assert.deepEqual(command('THREAD references "US-ASCII" ALL'), {
    kind: 'thread',
    uid: false,
    algorithm: 'REFERENCES',
    charset: 'US-ASCII',
    key: { kind: 'all' },
  })
  for (const line of ['SORT () UTF-8 ALL', 'SORT (REVERSE) UTF-8 ALL', 'SORT (DATE) UTF-8', 'THREAD REFERENCES ALL'])
    isBad(line)
})

test('PARTIAL counts from either end, and not from both (RFC 9394)', () => {
  const fetch = command('UID FETCH 1:* FLAGS (PARTIAL -1:-30 CHANGEDSINCE 7 VANISHED)')
  assert.ok(fetch.kind === 'fetch' && fetch.changedSince === 7 && fetch.vanished)
  assert.deepEqual(fetch.partial, { first: -1, last: -30 })
  for (const range of ['-1:30', '1:-30', '0:3', '1:*', '1']) isBad(`SEARCH RETURN (PARTIAL ${range}) ALL`)
  isBad('SEARCH RETURN (ALL PARTIAL 1:2) ALL')
  isBad('SEARCH RETURN (PARTIAL 1:2 PARTIAL 1:2) ALL')
  isBad('FETCH 1:* FLAGS (PARTIAL 1:2)')
})

test('sizes have 63 bits (RFC 9051), and more than can be counted is no more than that', () => {
  const larger = (octets: string) => {
    const read = command(`SEARCH LARGER ${octets}`)
    return read.kind === 'search' && read.key.kind === 'size' ? read.key.octets : null
  }
  assert.equal(larger('5000000000'), 5_000_000_000)
  assert.equal(larger('9223372036854775807'), Number.MAX_SAFE_INTEGER)
  assert.ok(command('FETCH 1 BODY.PEEK[]<5000000000.9000000000>').kind === 'fetch')
  isBad('SEARCH LARGER 99999999999999999999')
  isBad('SEARCH LARGER -1')
})

test('PREVIEW, BINARY and the ids (RFC 8970, RFC 3516, RFC 8474, RFC 8514)', () => {
  const items = (line: string) => {
    const read = command(`FETCH 1 ${line}`)
    return read.kind === 'fetch' ? read.items : null
  }
  assert.deepEqual(items('(PREVIEW (LAZY) UID)'), [{ kind: 'preview', lazy: true }, { kind: 'uid' }])
  assert.deepEqual(items('PREVIEW (lazy)'), [{ kind: 'preview', lazy: true }])
  assert.deepEqual(items('PREVIEW (CHANGEDSINCE 1)'), [{ kind: 'preview', lazy: false }])
  assert.deepEqual(items('(EMAILID THREADID SAVEDATE)'), [
    { kind: 'emailId' },
    { kind: 'threadId' },
    { kind: 'saveDate' },
  ])
  assert.deepEqual(items('(binary.peek[1.2]<0.9> BINARY.SIZE[] BINARY[3])'), [
    { kind: 'binary', part: [1, 2], partial: { start: 0, length: 9 }, peek: true },
    { kind: 'binarySize', part: [] },
    { kind: 'binary', part: [3], partial: null, peek: false },
  ])
  for (const line of [
    'BINARY',
    'BINARY[1.TEXT]',
    'BINARY[1.]',
    'BINARY.SIZE[1]<0.1>',
    '(PREVIEW (EAGER))',
    'BODY[]<0.0>',
  ])
    isBad(`FETCH 1 ${line}`)
})

test('APPEND of several messages, in pieces, in UTF-8, with NUL', () => {
  const read = command(
    'APPEND x (\\Seen) ~{3+}\r\na\0b CATENATE (URL "/x;UIDVALIDITY=1/;UID=2" TEXT {2+}\r\nhi) UTF8 (~{2+}\r\n\xc3)',
  )
  assert.ok(read.kind === 'append')
  assert.deepEqual(
    read.messages.map(({ utf8, flags }) => [utf8, flags]),
    [
      [false, ['\\Seen']],
      [false, []],
      [true, []],
    ],
  )
  assert.deepEqual(read.messages[0]!.content, Buffer.from('a\0b'))
  assert.deepEqual(read.messages[1]!.content, [
    { kind: 'url', url: '/x;UIDVALIDITY=1/;UID=2' },
    { kind: 'text', octets: Buffer.from('hi') },
  ])
  for (const line of ['APPEND x CATENATE ()', 'APPEND x UTF8 {1+}\r\na', 'APPEND x CATENATE (TEXT a)', 'APPEND x "a"'])
    isBad(line)
})

test('metadata, quota, compression', () => {
  const expected = {
    kind: 'getMetadata',
    mailbox: 'INBOX',
    maxSize: 1024,
    depth: 'infinity',
    entries: ['/shared/comment', '/private/comment'],
  }
  assert.deepEqual(
    command('GETMETADATA (MAXSIZE 1024 DEPTH infinity) INBOX (/shared/comment /private/comment)'),
    expected,
  )
  assert.deepEqual(
    command('GETMETADATA inbox (maxsize 1024 depth Infinity) ("/shared/comment" /private/comment)'),
    expected,
  )
  assert.deepEqual(command('GETMETADATA "" /shared/admin'), {
    kind: 'getMetadata',
    mailbox: '',
    maxSize: null,
    depth: '0',
    entries: ['/shared/admin'],
  })
  assert.deepEqual(command('SETMETADATA INBOX (/private/comment "x" /private/y NIL /private/z ~{2+}\r\n\0\0)'), {
    kind: 'setMetadata',
    mailbox: 'INBOX',
    entries: [
      ['/private/comment', Buffer.from('x')],
      ['/private/y', null],
      ['/private/z', Buffer.from('\0\0')],
    ],
  })
  assert.deepEqual(command('GETQUOTA ""'), { kind: 'getQuota', root: '' })
  assert.deepEqual(command('SETQUOTA "#x" (STORAGE 512 MESSAGE 9)'), { kind: 'setQuota', root: '#x' })
  assert.deepEqual(command('GETQUOTAROOT inbox'), { kind: 'getQuotaRoot', mailbox: 'INBOX' })
  assert.deepEqual(command('COMPRESS deflate'), { kind: 'compress', mechanism: 'DEFLATE' })
  for (const line of ['GETMETADATA x ()', 'GETMETADATA (DEPTH 2) x /y', 'SETMETADATA x ()', 'SETMETADATA x (/y z)'])
    isBad(line)
})

test('NOTIFY with events that have no parentheses, as in the examples of RFC 5465', () => {
  const plain =
    'notify set status (selected MessageNew (uid) MessageExpunge FlagChange) (subtree Lists MessageNew MessageExpunge)'
  const formal =
    'notify set status (selected (MessageNew (uid) MessageExpunge FlagChange)) (subtree Lists (MessageNew MessageExpunge))'
  assert.deepEqual(command(plain), command(formal))
  isBad('NOTIFY SET (selected )')
})

test('NOTIFY (RFC 5465)', () => {
  assert.deepEqual(command('NOTIFY NONE'), { kind: 'notify', status: false, groups: null })
  assert.deepEqual(
    command(
      'notify set status (selected (MessageNew (uid body.peek[header.fields (from)]) MessageExpunge)) ' +
        '(subtree Lists (MessageNew)) (mailboxes (a b) none)',
    ),
    {
      kind: 'notify',
      status: true,
      groups: [
        {
          mailboxes: { kind: 'selected' },
          events: ['MESSAGENEW', 'MESSAGEEXPUNGE'],
          messageNew: [
            { kind: 'uid' },
            {
              kind: 'section',
              section: { part: [], text: { kind: 'fields', names: ['from'], not: false } },
              partial: null,
              peek: true,
            },
          ],
        },
        { mailboxes: { kind: 'subtree', names: ['Lists'] }, events: ['MESSAGENEW'], messageNew: [] },
        { mailboxes: { kind: 'mailboxes', names: ['a', 'b'] }, events: [], messageNew: [] },
      ],
    },
  )
  for (const line of ['NOTIFY', 'NOTIFY SET', 'NOTIFY SET (elsewhere NONE)', 'NOTIFY SET (inboxes ())']) isBad(line)
})

test('once enabled, names are UTF-8 and ampersands mean nothing (RFC 6855, RFC 9051)', () => {
  const name = (line: string, utf8: boolean) => {
    const read = command(`DELETE ${line}`, { ...OPEN, utf8 })
    return read.kind === 'delete' ? read.mailbox : null
  }
  assert.equal(name('"Entw&APw-rfe"', false), 'Entwürfe')
  assert.equal(name('"Entw&APw-rfe"', true), 'Entw&APw-rfe')
  assert.equal(name('"日本語"', true), '日本語')
  assert.equal(name('NIL', true), 'NIL')
  const reader = new CommandReader({ ...OPEN, utf8: true })
  reader.push(Buffer.from('a DELETE "\xe9"\r\n', 'latin1'))
  assert.equal(reader.next()?.kind, 'rejected', 'not UTF-8')
})

test('what clients write in their own way is read', () => {
  const search = command('uid search return () charset "utf-8" 1:* not deleted subject {2+}\r\nhi')
  assert.ok(search.kind === 'search' && search.uid && search.charset === 'UTF-8' && search.return?.length === 0)
  assert.ok(command('LOGIN {1+}\r\na ""').kind === 'login')
  assert.ok(command('LIST {0+}\r\n ""').kind === 'list')
  const store = command('STORE 1 flags.silent \\seen $x')
  assert.ok(store.kind === 'store' && store.silent && store.flags.length === 2)
  const append = command('APPEND {1+}\r\nx " 1-Jan-2026 00:00:00 +0000" {1+}\r\na')
  assert.ok(append.kind === 'append' && append.messages[0]!.internalDate === Date.UTC(2026, 0, 1))
  assert.ok(command('SEARCH SUBJECT NIL ON " 1-Jan-2026"').kind === 'search')
})
