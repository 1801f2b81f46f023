/** SEARCH by brute force over messages in clear, and queries for it: what a server's answers are compared with. */
import fc from 'fast-check'
import type { SearchKey } from '#formats/imap/search-key.ts'
import { inSequence, SAVED, STAR } from '#formats/imap/sequence-set.ts'
import { fold } from '#formats/message/fold.ts'
import { type CorpusMessage, PHRASES } from './search-corpus.ts'

export interface ModelMessage extends CorpusMessage {
  readonly uid: number
  readonly modseq: number
  /** The day on which it came into the mailbox. */
  readonly savedDay: number
}

export interface SearchModel {
  readonly messages: readonly ModelMessage[]
  readonly saved: readonly number[]
  readonly now: number
}

/** Places (from 0) of what matches. */
export function bruteForce(model: SearchModel, key: SearchKey): number[] {
  return model.messages.flatMap((_, place) => (matches(model, place, key) ? [place] : []))
}

const DAY = 86_400_000
const has = (text: string, wanted: string) => fold(text).includes(fold(wanted))

function matches(model: SearchModel, place: number, key: SearchKey): boolean {
  const message = model.messages[place]!
  const bodyHas = (wanted: string) => wanted === '' || message.bodies.some((one) => has(one, wanted))
  switch (key.kind) {
    case 'and':
      return key.keys.every((one) => matches(model, place, one))
    case 'or':
      return key.keys.some((one) => matches(model, place, one))
    case 'not':
      return !matches(model, place, key.key)
    case 'all':
    case 'saveDateSupported':
      return true
    case 'flag':
      return message.flags.some((flag) => flag.toLowerCase() === key.flag.toLowerCase()) === key.set
    case 'header':
      return message.fields.some(([name, text]) => name === key.field && has(text, key.text))
    case 'body':
      return bodyHas(key.text)
    case 'text':
      return message.fields.some(([name, text]) => has(`${name}: ${text}`, key.text)) || bodyHas(key.text)
    case 'size':
      return key.compare === 'larger' ? message.octets.length > key.octets : message.octets.length < key.octets
    case 'date': {
      if (key.of === 'internal') return compareDays(key.compare, Math.floor(message.internalDate / DAY), key.day)
      if (!message.sent) return false
      const [time, offset] = message.sent
      // Time and zone are disregarded: the day is the one that was written.
      return compareDays(key.compare, Math.floor((time + offset * 60_000) / DAY), key.day)
    }
    case 'savedDate':
      return compareDays(key.compare, message.savedDay, key.day)
    case 'age': {
      const limit = model.now - key.seconds * 1000
      return key.compare === 'younger' ? message.internalDate >= limit : message.internalDate <= limit
    }
    case 'sequence':
      if (key.set === SAVED) return model.saved.includes(message.uid)
      return inSequence(key.set, place + 1, model.messages.length)
    case 'uid':
      if (key.set === SAVED) return model.saved.includes(message.uid)
      return inSequence(key.set, message.uid, model.messages.at(-1)!.uid)
    case 'modseq':
      return message.modseq >= key.atLeast
    case 'objectId':
      return false
  }
}

function compareDays(compare: 'before' | 'on' | 'since', found: number, day: number): boolean {
  return compare === 'on' ? found === day : compare === 'before' ? found < day : found >= day
}

/** Words that are somewhere in the messages, in any case, or nowhere. */
const wanted = fc
  .tuple(fc.constantFrom(...PHRASES, 'nowhere', 'corpus.test', 'filename="', 'utf-8'), fc.nat(), fc.nat(), fc.nat(2))
  .map(([phrase, start, length, cased]) => {
    const chars = [...phrase]
    const from = start % chars.length
    const slice = chars.slice(from, from + 1 + (length % (chars.length - from))).join('')
    return cased === 0 ? slice : cased === 1 ? slice.toUpperCase() : slice.toLowerCase()
  })
const compare = fc.constantFrom('before' as const, 'on' as const, 'since' as const)
const day = fc.integer({ min: Date.UTC(2026, 8, 28) / DAY, max: Date.UTC(2026, 10, 24) / DAY })
const flag = fc.constantFrom('\\Seen', '\\Answered', '\\Flagged', '\\Deleted', '\\Draft', '$junk', 'WORK', 'None')
const field = fc.constantFrom('subject', 'from', 'to', 'cc', 'x-odd', 'message-id', 'content-type')

const leaf = (greatest: number): fc.Arbitrary<SearchKey> => {
  const number = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: greatest }) }, fc.constant(STAR))
  const range = fc.tuple(number, number).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }))
  const set = fc.oneof({ weight: 5, arbitrary: fc.array(range, { minLength: 1, maxLength: 3 }) }, fc.constant(SAVED))
  return fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('body' as const, 'text' as const), text: wanted }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('header' as const), field, text: wanted }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('flag' as const), flag, set: fc.boolean() }) },
    fc.record({
      kind: fc.constant('size' as const),
      compare: fc.constantFrom('larger' as const, 'smaller' as const),
      octets: fc.integer({ min: 300, max: 3000 }),
    }),
    fc.record({
      kind: fc.constant('date' as const),
      of: fc.constantFrom('internal' as const, 'sent' as const),
      compare,
      day,
    }),
    fc.record({ kind: fc.constantFrom('sequence' as const, 'uid' as const), set }),
    fc.record({ kind: fc.constant('savedDate' as const), compare, day }),
    fc.constantFrom<SearchKey>({ kind: 'all' }, { kind: 'saveDateSupported' }),
  )
}

/** What says the same of the messages whenever it is asked; `greatest`: UID. */
export function searchKeys(greatest: number): fc.Arbitrary<SearchKey> {
  const joined = (kind: 'and' | 'or', keys: readonly SearchKey[]): SearchKey => ({
    kind,
    keys: keys.flatMap((key) => (key.kind === kind ? key.keys : [key])),
  })
  const { key } = fc.letrec<{ key: SearchKey }>((tie) => ({
    key: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      leaf(greatest),
      tie('key').map((one): SearchKey => ({ kind: 'not', key: one })),
      fc
        .tuple(fc.constantFrom('and' as const, 'or' as const), fc.array(tie('key'), { minLength: 2, maxLength: 3 }))
        .map(([kind, keys]) => joined(kind, keys)),
    ),
  }))
  return key
}
