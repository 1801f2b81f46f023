/** The MX agent over the delivery agent and the queue. See inbound.ts for what it promises. */
import type { Address } from '#formats/message/address.ts'
import { claimsResults } from '#formats/message/authentication-results.ts'
import { editHeader, type Header, type HeaderField, isCutShort, scanHeader } from '#formats/message/header.ts'
import { countReceived, formatReceived, formatReturnPath, HOP_LIMIT } from '#formats/message/trace.ts'
import { isPositive, type Reply, reply } from '#formats/smtp/reply.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import { isDiskFull } from '#lib/sqlite.ts'
import { isBetweenUs } from '#privacy/e2e/demand.ts'
import type { LocalDelivery, Outcome, Queue, QueuedMail } from '../queue/queue.ts'
import type { InboundAgent, Peer, ReceivedMail } from './inbound.ts'

export interface InboundOptions {
  readonly delivery: LocalDelivery
  readonly queue: Pick<Queue, 'enqueue' | 'reportDelivered'>
  /** Our own name in Received fields. */
  readonly hostname: string
  readonly clock: Clock
  readonly logger: Logger
}

export function createInboundAgent(options: InboundOptions): InboundAgent {
  return new MailReceiver(options)
}

const TOO_MANY_HOPS = reply(554, '5.4.6', 'too many Received fields: mail loop')
const LARGE_HEADER = reply(552, '5.3.4', 'the header is too large')
const NO_SPACE = reply(452, '4.3.1', 'no space left here, try again later')
const TROUBLE = reply(451, '4.3.0', 'local trouble, try again later')

class MailReceiver implements InboundAgent {
  readonly #options: InboundOptions

  constructor(options: InboundOptions) {
    this.#options = options
  }

  checkRecipient(recipient: Address, _peer: Peer, announcedSize: number | null): Promise<Reply | null> {
    return this.#options.delivery.check(recipient, announcedSize)
  }

  async receive(received: ReceivedMail): Promise<readonly Reply[]> {
    const { queueId, envelope, mode } = received
    const { recipients } = envelope
    const header = scanHeader(received.content)
    if (isCutShort(header)) {
      this.#options.logger.warn({ queueId }, 'refused: header too large')
      return recipients.map(() => LARGE_HEADER)
    }
    if (countReceived(header) >= HOP_LIMIT) {
      this.#options.logger.warn({ queueId }, 'refused: too many hops')
      return recipients.map(() => TOO_MANY_HOPS)
    }
    const mail = this.#traced(received, header)
    const outcomes = await this.#options.delivery.deliver(mail, recipients, NEVER)
    const replies = outcomes.map((outcome) => replyTo(outcome, queueId))
    this.#log(mail, outcomes)
    if (mode === 'lmtp') {
      await this.#reportSuccess(mail, outcomes)
      return replies
    }
    const answer = await this.#answerForAll(mail, outcomes, replies)
    if (isPositive(answer)) await this.#reportSuccess(mail, outcomes)
    return recipients.map(() => answer)
  }

  #traced({ queueId, peer, envelope, content }: ReceivedMail, header: Header): QueuedMail {
    const { clock, hostname } = this.#options
    const time = clock.now()
    const { helo, ip, protocol, tls } = peer
    // A bare <postmaster> cannot be written as an address.
    const recipients = envelope.recipients.map(({ address }) => address).filter(({ domain }) => domain !== '')
    const trace = formatReceived({ helo, ip, protocol, tls, by: hostname, queueId, recipients, time })
    const returnPath = Buffer.from(formatReturnPath(envelope.reversePath))
    const stored = Buffer.concat([returnPath, Buffer.from(trace), this.#unclaimed(content, header)])
    return { queueId, envelope, content: stored.subarray(returnPath.length), arrived: time, stored }
  }

  /** RFC 8601 §5: nobody but us says that results are ours, nor what we note for authors of ours. */
  #unclaimed(content: Bytes, header: Header): Bytes {
    const isClaim = (field: HeaderField) =>
      isBetweenUs(field.name) || claimsResults(content, field, this.#options.hostname)
    return header.fields.some(isClaim) ? editHeader(content, header, '', isClaim) : content
  }

  /**
   * SMTP has one answer for all (RFC 5321 §4.1.1.4). Once one recipient has the mail, the answer must be positive, and what the
   * others lack is the queue's: to try again, or to tell the sender.
   */
  async #answerForAll(mail: QueuedMail, outcomes: readonly Outcome[], replies: readonly Reply[]): Promise<Reply> {
    const { envelope, queueId } = mail
    const open = envelope.recipients.filter((_, at) => outcomes[at]!.kind !== 'delivered')
    if (open.length === 0) return replies[0] ?? TROUBLE
    if (open.length === outcomes.length) {
      return replies[outcomes.findIndex((outcome) => outcome.kind === 'deferred')] ?? replies[0]!
    }
    try {
      await this.#options.queue.enqueue({ ...mail, envelope: { ...envelope, recipients: open } })
    } catch (error) {
      this.#options.logger.error({ queueId, error: error as Error }, 'mail not queued')
      return isDiskFull(error) ? NO_SPACE : TROUBLE
    }
    return accepted(queueId)
  }

  /** The mail is safe whatever becomes of this. */
  async #reportSuccess(mail: QueuedMail, outcomes: readonly Outcome[]): Promise<void> {
    const told = mail.envelope.recipients.filter(({ notify }, at) => {
      const outcome = outcomes[at]!
      return notify?.includes('success') && outcome.kind === 'delivered' && !outcome.dsnRelayed
    })
    if (told.length === 0) return
    try {
      await this.#options.queue.reportDelivered(mail, told)
    } catch (error) {
      this.#options.logger.error({ queueId: mail.queueId, error: error as Error }, 'success not reported')
    }
  }

  #log({ queueId, envelope }: QueuedMail, outcomes: readonly Outcome[]): void {
    const of = (kind: Outcome['kind']) =>
      envelope.recipients.flatMap(({ address }, at) => (outcomes[at]!.kind === kind ? [address] : []))
    const fields = { queueId, delivered: of('delivered') }
    if (fields.delivered.length === outcomes.length) this.#options.logger.info(fields, 'delivered')
    else {
      const codes = outcomes.map((outcome) => (outcome.kind === 'delivered' ? 250 : outcome.why.code))
      this.#options.logger.warn(
        { ...fields, deferred: of('deferred'), failed: of('failed'), codes },
        'not all delivered',
      )
    }
  }
}

/** What was received is stored, whatever ends meanwhile. */
const NEVER = new AbortController().signal

const accepted = (queueId: string): Reply => reply(250, '2.0.0', `accepted, queue id ${queueId}`)

function replyTo(outcome: Outcome, queueId: string): Reply {
  return outcome.kind === 'delivered' ? accepted(queueId) : outcome.why
}
