/** Arguments of IMAP commands, with everything that they may be, for properties in tests. */
import fc from 'fast-check'
import type { FetchItem, Section } from '#formats/imap/fetch-item.ts'
import type { SearchKey } from '#formats/imap/search-key.ts'
import { SAVED, STAR } from '#formats/imap/sequence-set.ts'

export const PLAIN = { noNullPrototype: true } as const

export const number = fc.oneof(fc.integer({ min: 1, max: 0xffff_ffff }), fc.integer({ min: 1, max: 9 }))
const end = fc.oneof(number, fc.constant(STAR))
const setOf = (one: fc.Arbitrary<number>) =>
  fc.array(
    fc.tuple(one, one).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) })),
    { minLength: 1, maxLength: 4 },
  )
export const plainSet = setOf(number)
export const set = fc.oneof({ weight: 5, arbitrary: setOf(end) }, fc.constant(SAVED))
export const range = fc
  .tuple(number, number, fc.constantFrom(1, -1))
  .map(([first, last, sign]) => ({ first: sign * first, last: sign * last }))
export const octets = fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes))
export const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 8 }))
export const mailbox = fc
  .oneof(fc.constantFrom('INBOX', 'INBOX/x', 'R&D', 'Entwürfe', '日本語/a b', '"', '*%'), fc.string({ maxLength: 10 }))
  .map((name) => name.normalize('NFC').replace(/^inbox(?=\/|$)/i, 'INBOX'))
const keyword = fc.stringMatching(/^[A-Za-z$][A-Za-z0-9$_-]{0,8}$/)
const flag = fc.oneof(keyword, fc.constantFrom('\\Seen', '\\Deleted', '\\Flagged', '\\Draft', '\\Answered'))
export const flags = fc.array(flag, { maxLength: 4 })
export const modseq = fc.maxSafeNat()

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
  fc.record(
    {
      kind: fc.constant('savedDate'),
      compare: fc.constantFrom('before', 'on', 'since'),
      day: fc.integer({ min: 0, max: 60_000 }),
    } as const,
    PLAIN,
  ),
  fc.constant<SearchKey>({ kind: 'saveDateSupported' }),
  fc.record(
    {
      kind: fc.constant('objectId'),
      of: fc.constantFrom('email', 'thread'),
      id: fc.stringMatching(/^[\w-]{1,9}$/),
    } as const,
    PLAIN,
  ),
  fc.record({ kind: fc.constant('modseq'), atLeast: modseq } as const, PLAIN),
)

/** `or` in `or` and `and` in `and` are one: the form that the type promises. */
function joined(kind: 'and' | 'or', keys: readonly SearchKey[]): SearchKey {
  return { kind, keys: keys.flatMap((key) => (key.kind === kind ? key.keys : [key])) }
}

export const { searchKey } = fc.letrec<{ searchKey: SearchKey }>((tie) => {
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
const partial = fc.option(fc.record({ start: fc.nat(), length: number }, PLAIN))
export const fetchItem: fc.Arbitrary<FetchItem> = fc.oneof(
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
        'rfc822Header',
        'rfc822Text',
        'emailId',
        'threadId',
        'saveDate',
      ),
    } as const,
    PLAIN,
  ),
  fc.record({ kind: fc.constant('preview'), lazy: fc.boolean() } as const, PLAIN),
  fc.record({ kind: fc.constant('binarySize'), part } as const, PLAIN),
  fc.record({ kind: fc.constant('binary'), part, partial, peek: fc.boolean() } as const, PLAIN),
  fc.record(
    {
      kind: fc.constant('section'),
      section,
      partial,
      peek: fc.boolean(),
    } as const,
    PLAIN,
  ),
)
