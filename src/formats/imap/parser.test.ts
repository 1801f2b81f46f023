import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command, ReaderEvent } from './command.ts'
import { CommandReader } from './parser.ts'

const OPEN = { authenticated: true, appendOctets: 1_000_000 }
const CLOSED = { authenticated: false, appendOctets: 1_000_000 }

function events(text: string | Buffer, limits = OPEN): ReaderEvent[] {
  const reader = new CommandReader(limits)
  reader.push(Buffer.from(text as string, 'latin1'))
  const found: ReaderEvent[] = []
  for (let event = reader.next(); event; event = reader.next()) {
    found.push(event)
    if (event.kind === 'fatal') break
  }
  return found
}

function command(line: string): Command {
  const found = events(`a ${line}\r\n`)
  const last = found.at(-1)
  return last?.kind === 'command' ? last.command : assert.fail(`${line}: ${JSON.stringify(found)}`)
}

test('a line that comes octet by octet is not kept as so many pieces', () => {
  const reader = new CommandReader(CLOSED)
  const pieces = [...`a LOGIN ${'x'.repeat(1000)} secret`].map((octet) => Buffer.from(octet))
  for (const piece of pieces) {
    reader.push(piece)
    assert.equal(reader.next(), null)
  }
  // What was joined is overwritten.
  assert.ok(pieces.filter(([octet]) => octet !== 0).length < 65)
  reader.push(Buffer.from('\r\n'))
  const event = reader.next()
  assert.ok(event?.kind === 'command' && event.command.kind === 'login')
  assert.deepEqual([event.command.user.length, event.command.password.toString()], [1000, 'secret'])
})

test('reads the example commands of RFC 3501', () => {
  assert.deepEqual(command('login SMITH SESAME'), {
    kind: 'login',
    user: Buffer.from('SMITH'),
    password: Buffer.from('SESAME'),
  })
  assert.deepEqual(command('LIST "" ""'), {
    kind: 'list',
    reference: '',
    patterns: [''],
    select: [],
    return: null,
    status: null,
    extended: false,
  })
  assert.deepEqual(command('STATUS blurdybloop (UIDNEXT MESSAGES)'), {
    kind: 'status',
    mailbox: 'blurdybloop',
    attributes: ['uidNext', 'messages'],
  })
  assert.deepEqual(command('STORE 2:4 +FLAGS (\\Deleted)'), {
    kind: 'store',
    uid: false,
    set: [{ first: 2, last: 4 }],
    mode: 'add',
    silent: false,
    flags: ['\\Deleted'],
    unchangedSince: null,
  })
  assert.deepEqual(command('FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])'), {
    kind: 'fetch',
    uid: false,
    set: [{ first: 2, last: 4 }],
    items: [
      { kind: 'flags' },
      {
        kind: 'section',
        section: { part: [], text: { kind: 'fields', names: ['DATE', 'FROM'], not: false } },
        partial: null,
        peek: false,
      },
    ],
    changedSince: null,
    vanished: false,
    partial: null,
  })
  assert.deepEqual(command('SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"'), {
    kind: 'search',
    uid: false,
    charset: null,
    return: null,
    partial: null,
    key: {
      kind: 'and',
      keys: [
        { kind: 'flag', flag: '\\Flagged', set: true },
        { kind: 'date', of: 'internal', compare: 'since', day: 8797 },
        { kind: 'not', key: { kind: 'header', field: 'from', text: 'Smith' } },
      ],
    },
  })
  assert.deepEqual(command('UID COPY 4827313:4828442 MEETING'), {
    kind: 'copy',
    uid: true,
    set: [{ first: 4827313, last: 4828442 }],
    mailbox: 'MEETING',
  })
})

test('reads sections, partials, macros and modifiers', () => {
  const items = (line: string) => {
    const read = command(line)
    return read.kind === 'fetch' ? read.items : assert.fail()
  }
  const section = (part: number[], text: unknown, partial: unknown = null, peek = true) => [
    { kind: 'section', section: { part, text }, partial, peek },
  ]
  assert.deepEqual(items('FETCH 1 BODY.PEEK[]<0.2048>'), section([], null, { start: 0, length: 2048 }))
  assert.deepEqual(items('FETCH 1 BODY[4.1.MIME]'), section([4, 1], { kind: 'mime' }, null, false))
  assert.deepEqual(items('FETCH 1 BODY.PEEK[4.2.2.1]'), section([4, 2, 2, 1], null))
  assert.deepEqual(items('FETCH 1 (body.peek[3.header])'), section([3], { kind: 'header' }))
  assert.deepEqual(items('FETCH 1 FAST'), [{ kind: 'flags' }, { kind: 'internalDate' }, { kind: 'size' }])
  const changed = command('UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 12345 VANISHED)')
  assert.ok(changed.kind === 'fetch' && changed.changedSince === 12345 && changed.vanished)
  assert.equal(changed.set[0]!.last, Number.POSITIVE_INFINITY)
})

test('reads what clients send in extended LIST, SELECT, CREATE, SEARCH and ID', () => {
  const list = command('LIST (SUBSCRIBED) "" ("INBOX" "Sent/*") RETURN (CHILDREN STATUS (MESSAGES UNSEEN) SPECIAL-USE)')
  assert.ok(list.kind === 'list' && list.extended)
  assert.deepEqual(
    [list.patterns, list.return],
    [
      ['INBOX', 'Sent/*'],
      ['children', 'specialUse'],
    ],
  )
  assert.deepEqual(list.status, ['messages', 'unseen'])
  const select = command('SELECT INBOX (QRESYNC (67890007 90060115194045000 41:211,214:541 (1 5)))')
  assert.ok(select.kind === 'select' && select.qresync?.knownUids?.length === 2 && select.qresync.match)
  const create = command('CREATE MySent (USE (\\Sent))')
  assert.ok(create.kind === 'create' && create.use[0] === '\\Sent')
  const search = command(
    'UID SEARCH RETURN (MIN COUNT) CHARSET utf-8 OR OR SEEN DRAFT (OR ANSWERED DELETED) UNKEYWORD x',
  )
  assert.ok(search.kind === 'search' && search.charset === 'UTF-8' && search.key.kind === 'and')
  assert.ok(search.key.keys[0]!.kind === 'or' && search.key.keys[0].keys.length === 4, 'OR of OR is one OR')
  assert.deepEqual(command('ID ("name" "x" "os" NIL)'), {
    kind: 'id',
    parameters: [
      ['name', 'x'],
      ['os', null],
    ],
  })
  assert.deepEqual(command('AUTHENTICATE plain AGEAYg=='), {
    kind: 'authenticate',
    mechanism: 'PLAIN',
    initialResponse: Buffer.from('\0a\0b'),
  })
  assert.deepEqual(command('AUTHENTICATE EXTERNAL ='), {
    kind: 'authenticate',
    mechanism: 'EXTERNAL',
    initialResponse: Buffer.alloc(0),
  })
})

test('mailbox names: modified UTF-7, raw UTF-8, stray ampersands, INBOX', () => {
  const named = (text: string | Buffer) => {
    const read = events(Buffer.concat([Buffer.from('a DELETE '), Buffer.from(text as string), Buffer.from('\r\n')]))[0]!
    return read.kind === 'command' && read.command.kind === 'delete' ? read.command.mailbox : null
  }
  assert.equal(named('~peter/mail/&U,BTFw-/&ZeVnLIqe-'), '~peter/mail/台北/日本語')
  assert.equal(named('"R&-D"'), 'R&D')
  assert.equal(named('"R&D"'), 'R&D')
  assert.equal(named('"Entwürfe"'), 'Entwürfe')
  assert.equal(named('inbox'), 'INBOX')
  assert.equal(named('"a\x01b"'), null)
})

test('literals: a go-ahead, and exact octets', () => {
  const append = events('a APPEND saved (\\Seen) " 3-Nov-2026 12:00:00 +0000" {8}\r\na\0\r\n{3}\r\r\nb NOOP\r\n')
  assert.deepEqual(append, [
    { kind: 'continue' },
    {
      kind: 'command',
      tag: 'a',
      command: {
        kind: 'append',
        mailbox: 'saved',
        messages: [
          {
            flags: ['\\Seen'],
            internalDate: Date.UTC(2026, 10, 3, 12),
            content: Buffer.from('a\0\r\n{3}\r'),
            utf8: false,
          },
        ],
      },
    },
    { kind: 'command', tag: 'b', command: { kind: 'noop' } },
  ])
  const small = events('a SEARCH SUBJECT {3+}\r\na b\r\nb APPEND x ~{2}\r\n\0\0\r\n')
  assert.deepEqual(
    small.map((event) => event.kind),
    ['command', 'continue', 'command'],
  )
})

const kinds = (text: string, limits = OPEN) =>
  events(text, limits).map((event) => (event.kind === 'rejected' ? `${event.tag} ${event.status}` : event.kind))

test('before login only LOGIN may have literals, and small ones', () => {
  assert.deepEqual(kinds('a LOGIN {3}\r\nada {6}\r\nsecret\r\n', CLOSED), ['continue', 'continue', 'command'])
  assert.deepEqual(kinds('a LOGIN {1025}\r\nb NOOP\r\n', CLOSED), ['a BAD', 'command'])
  // RFC 7888 §5: LITERAL- is announced before login too.
  assert.deepEqual(kinds('a LOGIN {3+}\r\nada {6+}\r\nsecret\r\n', CLOSED), ['command'])
  assert.deepEqual(kinds(`a LOGIN {1025+}\r\n${'x'.repeat(1025)} x\r\nb NOOP\r\n`, CLOSED), ['a BAD', 'command'])
  assert.deepEqual(kinds('a SELECT {3}\r\nb NOOP\r\n', CLOSED), ['a BAD', 'command'])
  assert.deepEqual(kinds('a APPEND x {9999999}\r\nb NOOP\r\n', CLOSED), ['a BAD', 'command'])
})

test('literals that are too large are refused before they are sent, or swallowed, or the end', () => {
  const tooBig = events('a APPEND x {1000001}\r\nb NOOP\r\n')[0]
  assert.ok(tooBig?.kind === 'rejected' && tooBig.status === 'NO' && tooBig.code === 'TOOBIG')
  assert.deepEqual(kinds(`a APPEND x {600000}\r\n${'x'.repeat(600_000)} {600000}\r\nb NOOP\r\n`), [
    'continue',
    'a NO',
    'command',
  ])
  assert.deepEqual(kinds(`a APPEND x {5000+}\r\n${'x'.repeat(5000)} {3+}\r\nabc\r\nb NOOP\r\n`), ['a BAD', 'command'])
  assert.deepEqual(kinds('a APPEND x {70000+}\r\n'), ['fatal'])
  assert.deepEqual(kinds('a SEARCH SUBJECT {65536}\r\nb NOOP\r\n'), ['a BAD', 'command'])
})

test('empty lists of what to tell are refused', () => {
  assert.deepEqual(kinds('a FETCH 1 ()\r\nb STATUS INBOX ()\r\n'), ['a BAD', 'b BAD'])
})

test('wrong commands are refused with their tag and the next one is read', () => {
  const wrong = [
    'FETCH',
    'FETCH 0 FLAGS',
    'FETCH 1 (FLAGS',
    'FETCH 1 BODY[MIME]',
    'NOSUCH',
    'NOOP x',
    'SELECT "x',
    'UID NOOP',
  ]
  for (const line of [
    ...wrong,
    'SEARCH',
    'SEARCH (ALL',
    'SEARCH OR ALL',
    'SEARCH SINCE x',
    'STORE 1 FLAGS',
    'APPEND x y',
  ]) {
    assert.deepEqual(kinds(`a ${line}\r\nb NOOP\r\n`), ['a BAD', 'command'], line)
  }
  assert.deepEqual(kinds('\r\n* NOOP\r\n+ NOOP\r\nb NOOP\n'), ['null BAD', 'null BAD', 'null BAD', 'command'])
  assert.deepEqual(kinds(`a ${'x'.repeat(70_000)}`), ['fatal'])
  assert.deepEqual(kinds(`a ${'x'.repeat(70_000)}\r\nb NOOP\r\n`), ['fatal'])
})

test('nested searches are cut at a depth, however they are written', () => {
  const deep = (open: string, close: string, count: number) =>
    `a SEARCH ${open.repeat(count)}ALL${close.repeat(count)}\r\n`
  assert.deepEqual(kinds(deep('NOT ', '', 99)), ['command'])
  assert.deepEqual(kinds(deep('NOT ', '', 100)), ['a BAD'])
  assert.deepEqual(kinds(deep('(NOT ', ')', 9_000)), ['a BAD'])
  assert.deepEqual(kinds(deep('(', ')', 30_000)), ['a BAD'])
  assert.deepEqual(kinds(deep('OR SEEN ', '', 8_000)), ['command'], 'a long chain of OR is not deep')
  assert.deepEqual(kinds(deep('OR SEEN (SEEN ', ')', 4_000)), ['a BAD'])
})

test('a line is handed out as it is when it is waited for', () => {
  const reader = new CommandReader(OPEN)
  reader.push(Buffer.from('a IDLE\r\nDONE\r\nb NOOP\r\n'))
  assert.equal(reader.next()?.kind, 'command')
  reader.expectLine()
  assert.deepEqual(reader.next(), { kind: 'line', line: Buffer.from('DONE') })
  assert.equal(reader.next()?.kind, 'command')
})

test('what came before TLS is thrown away', () => {
  const reader = new CommandReader(CLOSED)
  const chunk = Buffer.from('a STARTTLS\r\nb NOOP\r\nc LOG')
  reader.push(chunk)
  assert.equal(reader.next()?.kind, 'command')
  assert.ok(reader.hasBuffered)
  reader.discard()
  assert.ok(!reader.hasBuffered)
  assert.equal(reader.next(), null)
  assert.ok(chunk.every((octet) => octet === 0))
})

test('no credential stays behind in what was read', () => {
  for (const text of [
    'a LOGIN ada "se\\"cret"\r\n',
    'a LOGIN {3}\r\nada {6}\r\nsecret\r\n',
    'a AUTHENTICATE PLAIN AGEAYg==\r\n',
  ]) {
    const reader = new CommandReader(CLOSED)
    const chunk = Buffer.from(text)
    reader.push(chunk)
    let event = reader.next()
    while (event?.kind === 'continue') event = reader.next()
    assert.equal(event?.kind, 'command')
    assert.ok(chunk.every((octet) => octet === 0))
  }
})
