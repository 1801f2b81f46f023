/**
 * SEARCH keys as tests in three values: yes, no, and undefined for "not with what is at hand". What a flag or a date decides
 * is decided before any summary is unsealed, and what a summary decides before any content is.
 */

import type { SearchKey } from '#formats/imap/search-key.ts'
import { resolveSequence } from '#formats/imap/sequence-set.ts'
import { dayOf, parseDate } from '#formats/message/date.ts'
import type { MessageSummary } from '#formats/message/summary.ts'
import { bad } from '../imap-error.ts'
import type { MailboxView } from '../mailbox-view.ts'
import { fold } from './fold.ts'
import { bodyHas, headerFieldHas, messageHas } from './message-text.ts'

/** What is at hand of one message. */
export interface Evidence {
  /** From 0. */
  readonly place: number
  readonly summary: MessageSummary | null
  readonly content: Buffer | null
}

export type Criterion = (evidence: Evidence) => boolean | undefined

const DAY = 86_400_000

/** How much a key may need: the view, the summary, the content. */
export type Cost = 0 | 1 | 2

export function costOf(key: SearchKey): Cost {
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
      return Math.max(...key.keys.map(costOf)) as Cost
    default:
      return 0
  }
}

/** Whether some part of the key costs exactly this much. */
export function hasCost(key: SearchKey, cost: Cost): boolean {
  if (key.kind === 'and' || key.kind === 'or') return key.keys.some((one) => hasCost(one, cost))
  return key.kind === 'not' ? hasCost(key.key, cost) : costOf(key) === cost
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
    case 'header':
      return headerCriterion(key.field, fold(key.text))
    case 'body':
    case 'text':
      return contentCriterion(key.kind, fold(key.text))
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
      return ({ summary }) => {
        if (!summary) return undefined
        return key.compare === 'larger' ? summary.size > key.octets : summary.size < key.octets
      }
    case 'date':
      return dateCriterion(view, key)
    case 'age': {
      // RFC 5032 §3
      const limit = now - key.seconds * 1000
      return ({ place }) => (key.compare === 'younger' ? view.dateAt(place) >= limit : view.dateAt(place) <= limit)
    }
    case 'modseq':
      throw bad('MODSEQ is not supported')
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
  return ({ summary }) => {
    if (!summary) return undefined
    const sent = parseDate(summary.root.envelope?.date ?? '')
    return sent !== null && fits(dayOf(sent))
  }
}

function headerCriterion(field: string, wanted: string): Criterion {
  return ({ summary, content }) => (summary ? headerFieldHas(summary, content, field, wanted) : undefined)
}

function contentCriterion(kind: 'body' | 'text', wanted: string): Criterion {
  const has = kind === 'body' ? bodyHas : messageHas
  return ({ summary, content }) => (summary && content ? has(summary, content, wanted) : undefined)
}
