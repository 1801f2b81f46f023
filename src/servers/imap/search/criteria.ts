/**
 * SEARCH keys as tests in three values: yes, no, and undefined for "not with what is at hand". What a flag or a date decides
 * is decided before any summary is unsealed, and what a summary decides before any content is.
 */

import type { SearchKey } from '#formats/imap/search-key.ts'
import { resolveSequence } from '#formats/imap/sequence-set.ts'
import { dayOf, parseDate } from '#formats/message/date.ts'
import { fold } from '#formats/message/fold.ts'
import type { MessageText } from '#formats/message/message-text.ts'
import { bad, no } from '../imap-error.ts'
import type { MailboxView } from '../mailbox-view.ts'

/** What is at hand of one message. */
interface Evidence {
  /** From 0. */
  readonly place: number
  /** Null as long as only the view is asked. */
  readonly message: MessageText | null
}

export type Criterion = (evidence: Evidence) => boolean | undefined

const DAY = 86_400_000
const MOST_KEYS = 5000
const MOST_TEXTS = 200

/** How much a key may need: the view, the summary, the content. */
type Cost = 0 | 1 | 2

function costOf(key: SearchKey): Cost {
  switch (key.kind) {
    case 'body':
    case 'text':
      return 2
    case 'header':
    case 'size':
      return 1
    case 'date':
      return key.of === 'sent' ? 1 : 0
    case 'not':
      return costOf(key.key)
    case 'and':
    case 'or':
      return key.keys.reduce<Cost>((most, one) => Math.max(most, costOf(one)) as Cost, 0)
    default:
      return 0
  }
}

/** How many simple keys there are of each cost. Throws NO for a search beyond reason. */
export function countKeys(key: SearchKey): readonly [number, number, number] {
  const counts: [number, number, number] = [0, 0, 0]
  const open: SearchKey[] = [key]
  for (let one = open.pop(); one; one = open.pop()) {
    if (one.kind === 'not') open.push(one.key)
    else if (one.kind === 'and' || one.kind === 'or') for (const inner of one.keys) open.push(inner)
    else counts[costOf(one)]++
  }
  if (counts[0] > MOST_KEYS || counts[1] + counts[2] > MOST_TEXTS) throw no('LIMIT', 'This search has too many keys')
  return counts
}

export interface SearchGround {
  readonly view: MailboxView
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Throws BAD for what is not supported. */
export function criterion(key: SearchKey, ground: SearchGround): Criterion {
  switch (key.kind) {
    case 'and':
    case 'or':
      return combined(key.kind === 'or', key.keys, ground)
    case 'not': {
      const inner = criterion(key.key, ground)
      return (evidence) => {
        const truth = inner(evidence)
        return truth === undefined ? undefined : !truth
      }
    }
    case 'header': {
      const wanted = fold(key.text)
      return ({ message }) => message?.fieldHas(key.field, wanted)
    }
    case 'body': {
      const wanted = fold(key.text)
      return ({ message }) => message?.bodyHas(wanted)
    }
    case 'text': {
      const wanted = fold(key.text)
      return ({ message }) => message?.has(wanted)
    }
    default:
      return simpleCriterion(key, ground)
  }
}

/** AND ends at the first no, OR at the first yes; cheap keys are asked first. */
function combined(ends: boolean, keys: readonly SearchKey[], ground: SearchGround): Criterion {
  const sorted = [...keys].sort((a, b) => costOf(a) - costOf(b)).map((key) => criterion(key, ground))
  return (evidence) => {
    let result: boolean | undefined = !ends
    for (const one of sorted) {
      const truth = one(evidence)
      if (truth === ends) return ends
      if (truth === undefined) result = undefined
    }
    return result
  }
}

type SimpleKey = Exclude<SearchKey, { kind: 'and' | 'or' | 'not' | 'header' | 'body' | 'text' }>

function simpleCriterion(key: SimpleKey, { view, now }: SearchGround): Criterion {
  switch (key.kind) {
    case 'all':
      return () => true
    case 'flag':
      return flagCriterion(view, key.flag.toLowerCase(), key.set)
    case 'sequence': {
      const ranges = resolveSequence(key.set, view.length)
      return ({ place }) => ranges.some(({ first, last }) => place + 1 >= first && place + 1 <= last)
    }
    case 'uid': {
      const ranges = resolveSequence(key.set, view.lastUid)
      return ({ place }) => ranges.some(({ first, last }) => view.uidAt(place) >= first && view.uidAt(place) <= last)
    }
    case 'size':
      return ({ message }) => {
        if (!message) return undefined
        const { size } = message.summary
        return key.compare === 'larger' ? size > key.octets : size < key.octets
      }
    case 'date':
      return dateCriterion(view, key)
    case 'age': {
      // RFC 5032 §3
      const limit = now - key.seconds * 1000
      return ({ place }) => (key.compare === 'younger' ? view.dateAt(place) >= limit : view.dateAt(place) <= limit)
    }
    case 'modseq':
    case 'savedDate':
    case 'saveDateSupported':
    case 'objectId':
      throw bad('This search key is not supported')
  }
}

function flagCriterion(view: MailboxView, flag: string, set: boolean): Criterion {
  if (flag === '\\recent') return ({ place }) => view.isRecent(view.uidAt(place)) === set
  return ({ place }) => view.flagsAt(place).folded.has(flag) === set
}

function dateCriterion(view: MailboxView, { of, compare, day }: SearchKey & { kind: 'date' }): Criterion {
  const fits = (found: number) => (compare === 'before' ? found < day : compare === 'on' ? found === day : found >= day)
  // INTERNALDATE is shown in UTC, so its days are those of UTC.
  if (of === 'internal') return ({ place }) => fits(Math.floor(view.dateAt(place) / DAY))
  return ({ message }) => {
    if (!message) return undefined
    const sent = parseDate(message.summary.root.envelope?.date ?? '')
    return sent !== null && fits(dayOf(sent))
  }
}
