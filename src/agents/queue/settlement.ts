/** What one outcome means for one recipient: gone or waiting, until when, and what its sender is to be told (RFC 3461 §5.2). */
import type { EnvelopeRecipient, Notify } from '#formats/message/envelope.ts'
import type { Reply } from '#formats/smtp/reply.ts'
import type { Outcome } from './queue.ts'
import { delayAfter, type Schedule } from './schedule.ts'

/** RFC 3464 §2.3.3 */
export type ReportAction = 'failed' | 'delayed' | 'delivered' | 'relayed'

export interface WaitingRecipient extends EnvelopeRecipient {
  /** Its place in the envelope, which names it within its message. */
  readonly position: number
  readonly tries: number
  /** Milliseconds since the epoch. */
  readonly nextTry: number
  /** The sender was told that it takes long. */
  readonly warned: boolean
  readonly givenUp: boolean
}

export interface Settlement {
  readonly recipient: WaitingRecipient
  readonly outcome: Outcome['kind']
  /** null: nothing is left to do for it. */
  readonly nextTry: number | null
  readonly report: ReportAction | null
  readonly reply: Reply | null
  readonly remote: string | null
  /** It was still deferred when its time was over. */
  readonly expired: boolean
}

interface Circumstances {
  readonly arrived: number
  readonly now: number
  readonly schedule: Schedule
  /** From 0 to 1, for the spread of delays. */
  readonly random: number
}

/** Reports are what the recipient's NOTIFY asks for; whether anybody can be told (a reverse-path) is the caller's to see. */
export function settle(recipient: WaitingRecipient, outcome: Outcome, circumstances: Circumstances): Settlement {
  const { remote } = outcome
  const gone = { recipient, outcome: outcome.kind, nextTry: null, remote, expired: false }
  if (outcome.kind === 'delivered') {
    const report = outcome.dsnRelayed || !wants(recipient.notify, 'success') ? null : remote ? 'relayed' : 'delivered'
    return { ...gone, report, reply: outcome.by }
  }
  const failure = wants(recipient.notify, 'failure') ? 'failed' : null
  if (outcome.kind === 'failed') return { ...gone, report: failure, reply: outcome.why }

  const { arrived, now, schedule, random } = circumstances
  const end = arrived + schedule.giveUpAfter
  if (now >= end) return { ...gone, report: failure, reply: outcome.why, expired: true }
  const late = now >= arrived + schedule.warnAfter && !recipient.warned
  return {
    recipient,
    outcome: outcome.kind,
    // The last try falls on the very end, so that nobody waits longer for bad news.
    nextTry: Math.min(now + delayAfter(schedule, recipient.tries + 1, random), end),
    report: late && wants(recipient.notify, 'delay') ? 'delayed' : null,
    reply: outcome.why,
    remote,
    expired: false,
  }
}

// RFC 3461 §4.1: without NOTIFY a failure is told, and a delay may be.
function wants(notify: Notify, what: 'success' | 'failure' | 'delay'): boolean {
  return notify === null ? what !== 'success' : notify.includes(what)
}
