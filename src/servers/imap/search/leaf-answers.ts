/** How single SEARCH keys are answered (RFC 3501 §6.4.4 and the extensions named in formats/imap/search-key.ts), given what they look at. */
import type { MessageFacts, MessageRow, Uid } from '#custody/store/mail-store.ts'
import { resolveSequence, SAVED, type SequenceSet } from '#formats/imap/sequence-set.ts'
import { dayOf, parseSentDate } from '#formats/message/date.ts'
import type { MessageSummary } from '#formats/message/summary.ts'
import { threadIdOf } from '../fetch/thread-id.ts'
import type { SearchGround } from './search-ground.ts'
import type { LeafKey } from './search-plan.ts'
import { NO, OPEN, YES } from './truths.ts'

const DAY = 86_400_000

const truth = (is: boolean) => (is ? YES : NO)

type Answer<T> = (looked: T) => number

/** A place and its uid. Only for leaves from 'numbers'. */
export function numberAnswer(key: LeafKey, { mailbox, saved }: SearchGround): (place: number, uid: Uid) => number {
  const { view } = mailbox
  switch (key.kind) {
    case 'sequence': {
      if (key.set === SAVED) return (_, uid) => truth(hasNumber(saved, uid))
      const has = membership(key.set, view.length)
      return (place) => truth(has(place + 1))
    }
    case 'uid': {
      if (key.set === SAVED) return (_, uid) => truth(hasNumber(saved, uid))
      const has = membership(key.set, view.lastUid)
      return (_, uid) => truth(has(uid))
    }
    case 'flag':
      return (_, uid) => truth(view.isRecent(uid) === key.set)
    default:
      // ALL, and SAVEDATESUPPORTED: every mailbox keeps the day on which a message came into it (RFC 8514 §4.2).
      return () => YES
  }
}

function membership(set: SequenceSet, greatest: number): (number: number) => boolean {
  const ranges = resolveSequence(set, greatest)
  return (number) => {
    let low = 0
    let high = ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (ranges[middle]!.last < number) low = middle + 1
      else high = middle
    }
    return low < ranges.length && ranges[low]!.first <= number
  }
}

/** The place of the first of ascending numbers that is not below this one. */
function placeFrom(numbers: ArrayLike<number>, wanted: number): number {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (numbers[middle]! < wanted) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether ascending numbers have this one. */
function hasNumber(numbers: ArrayLike<number>, wanted: number): boolean {
  return numbers[placeFrom(numbers, wanted)] === wanted
}

/** The same for many questions, which ascend too: the answers are found side by side. */
export function ascendingMembership(numbers: ArrayLike<number>): (wanted: number) => boolean {
  let at = -1
  return (wanted) => {
    if (at < 0) at = placeFrom(numbers, wanted)
    while (at < numbers.length && numbers[at]! < wanted) at++
    return numbers[at] === wanted
  }
}

/** Only for leaves from 'rows'. */
export function rowAnswer(key: LeafKey, now: number): Answer<MessageRow> {
  switch (key.kind) {
    case 'flag': {
      const flag = key.flag.toLowerCase()
      // RFC 3501 §2.3.2: flags compare without case.
      return ({ flags }) => truth(flags.some((one) => one.toLowerCase() === flag) === key.set)
    }
    case 'date': {
      // INTERNALDATE is shown in UTC, so its days are those of UTC.
      const fits = dayFits(key.compare, key.day)
      return ({ internalDate }) => truth(fits(Math.floor(internalDate / DAY)))
    }
    case 'age': {
      // RFC 5032 §3
      const limit = now - key.seconds * 1000
      const younger = key.compare === 'younger'
      return ({ internalDate }) => truth(younger ? internalDate >= limit : internalDate <= limit)
    }
    case 'modseq':
      // RFC 7162 §3.1.5
      return ({ modseq }) => truth(modseq >= key.atLeast)
    case 'size':
      // The exact size is at most this one; whether it is so much less, the summary knows.
      return ({ paddedSize }) => {
        if (key.compare === 'larger') return paddedSize > key.octets ? OPEN : NO
        return paddedSize < key.octets ? YES : OPEN
      }
    default:
      return () => OPEN
  }
}

/** Only for leaves from 'facts'. */
export function factAnswer(key: LeafKey): Answer<MessageFacts> {
  if (key.kind === 'savedDate') {
    const fits = dayFits(key.compare, key.day)
    return ({ savedDate }) => truth(fits(Math.floor(savedDate / DAY)))
  }
  return ({ emailId }) => truth(key.kind === 'objectId' && emailId === key.id)
}

/** Exact sizes, the Date field, the thread. Only for leaves from 'summaries', and for sizes. */
export function summaryAnswer(key: LeafKey): Answer<MessageSummary> {
  switch (key.kind) {
    case 'size':
      return ({ size }) => truth(key.compare === 'larger' ? size > key.octets : size < key.octets)
    case 'date': {
      const fits = dayFits(key.compare, key.day)
      return ({ envelope }) => {
        const sent = parseSentDate(envelope.date ?? '')
        return truth(sent !== null && fits(dayOf(sent)))
      }
    }
    case 'objectId':
      return (summary) => truth(threadIdOf(summary) === key.id)
    default:
      return () => NO
  }
}

function dayFits(compare: 'before' | 'on' | 'since', day: number): (found: number) => boolean {
  if (compare === 'on') return (found) => found === day
  return compare === 'before' ? (found) => found < day : (found) => found >= day
}
