/** Tells senders what became of their mail (RFC 3461 §5.2, RFC 3464): which notifications follow from a try. */
import { type Address, domainOf } from '#formats/message/address.ts'
import { composeDsn, type DsnRecipient } from '#formats/message/dsn.ts'
import type { Reply } from '#formats/smtp/reply.ts'
import type { QueuedMail, QueueId } from './queue.ts'
import type { ReportAction, Settlement } from './settlement.ts'

export interface Reportable {
  readonly mail: QueuedMail
  readonly settled: readonly Settlement[]
}

interface Reporter {
  readonly hostname: string
  /** The sender is one of ours: it is their own postmaster who writes. */
  readonly toOurOwn: boolean
  readonly now: number
  /** Milliseconds after arrival. */
  readonly giveUpAfter: number
  readonly newQueueId: () => QueueId
}

const ACTIONS: readonly ReportAction[] = ['failed', 'delayed', 'delivered', 'relayed']

/** One notification per action, each about all recipients that it concerns. None for mail with a null reverse-path (RFC 5321 §6.1). */
export function composeReports({ mail, settled }: Reportable, reporter: Reporter): QueuedMail[] {
  const { reversePath } = mail.envelope
  if (reversePath === null) return []
  return ACTIONS.flatMap((action) => {
    const concerned = settled.filter((one) => one.report === action)
    return concerned.length > 0 ? [composeReport(mail, reversePath, concerned, reporter)] : []
  })
}

function composeReport(
  mail: QueuedMail,
  to: Address,
  concerned: readonly Settlement[],
  { hostname, toOurOwn, now, giveUpAfter, newQueueId }: Reporter,
): QueuedMail {
  const { envid, ret, smtputf8 } = mail.envelope
  const queueId = newQueueId()
  const content = composeDsn({
    to,
    from: { local: 'postmaster', domain: toOurOwn ? domainOf(to) : hostname },
    reportingMta: hostname,
    id: queueId,
    now,
    arrived: mail.arrived,
    envid,
    ret,
    smtputf8,
    recipients: concerned.map((one) => dsnRecipient(one, now, mail.arrived + giveUpAfter)),
    original: mail.content,
  })
  // RFC 3461 §6.1: NOTIFY=NEVER, and no RET.
  const recipients = [{ address: to, notify: [], orcpt: null }]
  return {
    queueId,
    arrived: now,
    content,
    envelope: { reversePath: null, recipients, smtputf8, ret: null, envid: null },
  }
}

function dsnRecipient(
  { recipient, report, reply, remote, expired }: Settlement,
  now: number,
  end: number,
): DsnRecipient {
  const { address, orcpt } = recipient
  return {
    address,
    orcpt,
    action: report!,
    // RFC 3463 §3.5: X.4.7 delivery time expired. What the last server said stands in the diagnostic.
    status: expired ? '4.4.7' : (reply?.enhanced ?? null),
    remote,
    diagnostic: reply ? spell(reply) : [],
    lastAttempt: now,
    retryUntil: end,
  }
}

function spell({ code, enhanced, lines }: Reply): string[] {
  const [first = '', ...rest] = lines
  return [[code, enhanced, first].filter((part) => part !== null && part !== '').join(' '), ...rest]
}
