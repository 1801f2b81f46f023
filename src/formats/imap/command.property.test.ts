import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Command, QresyncParameters, ReaderEvent, SelectCommand } from './command.ts'
import { writeCommand } from './command-writer.ts'
import type { FetchItem, Section } from './fetch-item.ts'
import { CommandReader } from './parser.ts'
import type { SearchKey } from './search-key.ts'
import { STAR } from './sequence-set.ts'

const LIMITS = { authenticated: true, appendOctets: 1_000_000 }
const PLAIN = { noNullPrototype: true } as const

function readAll(octets: Buffer, cuts: readonly number[] = []): ReaderEvent[] {
  const reader = new CommandReader(LIMITS)
  const events: ReaderEvent[] = []
  const places = [...cuts.map((cut) => cut % (octets.length + 1)), octets.length].sort((a, b) => a - b)
  let start = 0
  for (const place of places) {
    reader.push(Buffer.from(octets.subarray(start, place)))
    start = place
    for (let event = reader.next(); event; event = reader.next()) {
      events.push(event)
      if (event.kind === 'fatal') return events
    }
  }
  return events
}

const number = fc.oneof(fc.integer({ min: 1, max: 0xffff_ffff }), fc.integer({ min: 1, max: 9 }))
const end = fc.oneof(number, fc.constant(STAR))
const set = fc.array(
  fc.tuple(end, end).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) })),
  { minLength: 1, maxLength: 4 },
)
const octets = fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes))
const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 8 }))
const mailbox = fc
  .oneof(fc.constantFrom('INBOX', 'INBOX/x', 'R&D', 'Entwürfe', '日本語/a b', '"', '*%'), fc.string({ maxLength: 10 }))
  .map((name) => name.normalize('NFC').replace(/^inbox(?=\/|$)/i, 'INBOX'))
const keyword = fc.stringMatching(/^[A-Za-z$][A-Za-z0-9$_-]{0,8}$/)
const flag = fc.oneof(keyword, fc.constantFrom('\\Seen', '\\Deleted', '\\Flagged', '\\Draft', '\\Answered'))
const flags = fc.array(flag, { maxLength: 4 })
const modseq = fc.maxSafeNat()

const simpleKey: fc.Arbitrary<SearchKey> = fc.oneof(
  fc.constant<SearchKey>({ kind: 'all' }),
  fc.record({ kind: fc.constant('flag'), flag, set: fc.boolean() } as const, PLAIN),
  fc.record({ kind: fc.constant('header'), field: fc.constantFrom('from', 'x-y', 'to'), text } as const, PLAIN),
  fc.record({ kind: fc.constantFrom('body', 'text'), text } as const, PLAIN),
  fc.record(
    { kind: fc.constant('size'), compare: fc.constantFrom('larger', 'smaller'), octets: number } as const,
    PLAIN,
  ),
  fc.record(
    {
      kind: fc.constant('date'),
      of: fc.constantFrom('internal', 'sent'),
      compare: fc.constantFrom('before', 'on', 'since'),
      day: fc.integer({ min: -20_000, max: 60_000 }),
    } as const,
    PLAIN,
  ),
  fc.record(
    { kind: fc.constant('age'), compare: fc.constantFrom('older', 'younger'), seconds: number } as const,
    PLAIN,
  ),
  fc.record({ kind: fc.constantFrom('sequence', 'uid'), set } as const, PLAIN),
  fc.record({ kind: fc.constant('modseq'), atLeast: modseq } as const, PLAIN),
)

/** `or` in `or` and `and` in `and` are one: the form that the type promises. */
function joined(kind: 'and' | 'or', keys: readonly SearchKey[]): SearchKey {
  return { kind, keys: keys.flatMap((key) => (key.kind === kind ? key.keys : [key])) }
}

const { searchKey } = fc.letrec<{ searchKey: SearchKey }>((tie) => {
  const members = fc.array(tie('searchKey'), { minLength: 2, maxLength: 3 })
  return {
    searchKey: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      simpleKey,
      tie('searchKey').map((key): SearchKey => ({ kind: 'not', key })),
      fc.tuple(fc.constantFrom('and' as const, 'or' as const), members).map(([kind, keys]) => joined(kind, keys)),
    ),
  }
})

const part = fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 3 })
const fields = fc.record(
  {
    kind: fc.constant('fields'),
    names: fc.array(fc.stringMatching(/^[A-Za-z" -]{1,8}$/), { minLength: 1, maxLength: 3 }),
    not: fc.boolean(),
  } as const,
  PLAIN,
)
const section: fc.Arbitrary<Section> = fc.oneof(
  fc.record(
    {
      part,
      text: fc.oneof(
        fc.constant(null),
        fields,
        fc.constant({ kind: 'header' } as const),
        fc.constant({ kind: 'text' } as const),
      ),
    },
    PLAIN,
  ),
  fc.record(
    { part: fc.array(fc.constant(1), { minLength: 1, maxLength: 2 }), text: fc.constant({ kind: 'mime' } as const) },
    PLAIN,
  ),
)
const fetchItem: fc.Arbitrary<FetchItem> = fc.oneof(
  fc.record(
    {
      kind: fc.constantFrom(
        'envelope',
        'flags',
        'internalDate',
        'size',
        'uid',
        'modseq',
        'body',
        'bodyStructure',
        'rfc822',
      ),
    } as const,
    PLAIN,
  ),
  fc.record(
    {
      kind: fc.constant('section'),
      section,
      partial: fc.option(fc.record({ start: fc.nat(), length: number }, PLAIN)),
      peek: fc.boolean(),
    } as const,
    PLAIN,
  ),
)

const attributes = fc.uniqueArray(
  fc.constantFrom('messages' as const, 'recent' as const, 'uidNext' as const, 'size' as const),
  { minLength: 1 },
)
const uid = fc.boolean()

const list: fc.Arbitrary<Command> = fc
  .record(
    {
      kind: fc.constant('list'),
      reference: mailbox,
      patterns: fc.array(mailbox, { minLength: 1, maxLength: 3 }),
      select: fc.uniqueArray(fc.constantFrom('subscribed' as const, 'remote' as const, 'specialUse' as const)),
      return: fc.option(fc.uniqueArray(fc.constantFrom('subscribed' as const, 'children' as const))),
      status: fc.option(attributes),
      extended: fc.boolean(),
    } as const,
    PLAIN,
  )
  .map((one) => {
    const returned = one.status && !one.return ? [] : one.return
    const extended = one.extended || one.select.length > 0 || one.patterns.length > 1 || returned !== null
    return { ...one, return: returned, extended }
  })

const fetch: fc.Arbitrary<Command> = fc
  .record(
    {
      kind: fc.constant('fetch'),
      uid,
      set,
      items: fc.array(fetchItem, { minLength: 1, maxLength: 4 }),
      changedSince: fc.option(modseq),
      vanished: fc.boolean(),
    } as const,
    PLAIN,
  )
  .map((one) => ({ ...one, vanished: one.vanished && one.uid && one.changedSince !== null }))

const qresync: fc.Arbitrary<QresyncParameters> = fc.record(
  {
    uidValidity: number,
    modseq,
    knownUids: fc.option(set),
    match: fc.option(fc.record({ sequence: set, uids: set }, PLAIN)),
  },
  PLAIN,
)
const select: fc.Arbitrary<SelectCommand> = fc.record(
  {
    kind: fc.constantFrom('select', 'examine'),
    mailbox,
    condstore: fc.boolean(),
    qresync: fc.option(qresync),
  } as const,
  PLAIN,
)

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record(
    { kind: fc.constantFrom('capability', 'noop', 'logout', 'idle', 'close', 'expunge', 'unselect') } as const,
    PLAIN,
  ),
  fc.record(
    {
      kind: fc.constant('authenticate'),
      mechanism: fc.constantFrom('PLAIN', 'X'),
      initialResponse: fc.option(octets),
    } as const,
    PLAIN,
  ),
  fc.record({ kind: fc.constant('login'), user: octets, password: octets } as const, PLAIN),
  fc.constant<Command>({ kind: 'enable', capabilities: ['CONDSTORE', 'X-Y'].map((name) => name.toUpperCase()) }),
  select,
  fc.record({ kind: fc.constant('create'), mailbox, use: fc.subarray(['\\Sent', '\\Junk']) } as const, PLAIN),
  fc.record({ kind: fc.constantFrom('delete', 'subscribe', 'unsubscribe'), mailbox } as const, PLAIN),
  fc.record({ kind: fc.constant('rename'), from: mailbox, to: mailbox } as const, PLAIN),
  list,
  fc.record({ kind: fc.constant('lsub'), reference: mailbox, pattern: mailbox } as const, PLAIN),
  fc.record({ kind: fc.constant('status'), mailbox, attributes } as const, PLAIN),
  fc.record(
    {
      kind: fc.constant('append'),
      mailbox,
      messages: fc.array(
        fc.record({ flags, internalDate: fc.option(fc.nat().map((second) => second * 1000)), content: octets }, PLAIN),
        { minLength: 1, maxLength: 2 },
      ),
    } as const,
    PLAIN,
  ),
  fc.record({ kind: fc.constant('uidExpunge'), uids: set } as const, PLAIN),
  fc.record(
    {
      kind: fc.constant('search'),
      uid,
      charset: fc.constantFrom(null, 'UTF-8'),
      return: fc.option(fc.uniqueArray(fc.constantFrom('min' as const, 'max' as const, 'count' as const))),
      key: searchKey,
    } as const,
    PLAIN,
  ),
  fetch,
  fc.record(
    {
      kind: fc.constant('store'),
      uid,
      set,
      mode: fc.constantFrom('replace', 'add', 'remove'),
      silent: fc.boolean(),
      flags,
      unchangedSince: fc.option(modseq),
    } as const,
    PLAIN,
  ),
  fc.record({ kind: fc.constantFrom('copy', 'move'), uid, set, mailbox } as const, PLAIN),
  fc.record(
    {
      kind: fc.constant('id'),
      parameters: fc.option(fc.array(fc.tuple(text, fc.option(text)), { maxLength: 3 })),
    } as const,
    PLAIN,
  ),
)

test('every command is read as it was written, wherever the stream is cut', () => {
  fc.assert(
    fc.property(command, fc.boolean(), fc.array(fc.nat(), { maxLength: 4 }), (written, nonSynchronising, cuts) => {
      const { chunks } = writeCommand('a1', written, nonSynchronising)
      const events = readAll(Buffer.concat([...chunks, Buffer.from('b NOOP\r\n')]), cuts)
      const continues = nonSynchronising ? [] : chunks.slice(1).map(() => ({ kind: 'continue' }))
      assert.deepEqual(events, [
        ...continues,
        { kind: 'command', tag: 'a1', command: written },
        { kind: 'command', tag: 'b', command: { kind: 'noop' } },
      ])
    }),
    { numRuns: 1000 },
  )
})

const noise = fc.array(
  fc.oneof(
    fc
      .constantFrom(
        ...[
          'a ',
          'UID ',
          'FETCH ',
          'SEARCH ',
          'APPEND ',
          'LOGIN ',
          'LIST ',
          'STORE ',
          '1:*',
          ' ',
          '(',
          ')',
          '"',
          '\\',
          '[',
          ']',
        ],
        ...[
          'BODY',
          'NOT ',
          'OR ',
          '{1}\r\n',
          '{3+}\r\n',
          '~{2}\r\n',
          '{99999}\r\n',
          '\r\n',
          '\n',
          '\0',
          '<0.1>',
          'RETURN ',
        ],
      )
      .map((piece) => Buffer.from(piece)),
    octets,
  ),
  { maxLength: 25 },
)

test('any octets give the same events wherever they are cut, and never an error', () => {
  fc.assert(
    fc.property(noise, fc.array(fc.nat(), { maxLength: 6 }), (pieces, cuts) => {
      const stream = Buffer.concat(pieces)
      assert.deepEqual(readAll(stream, cuts), readAll(stream))
    }),
    { numRuns: 1000 },
  )
})
