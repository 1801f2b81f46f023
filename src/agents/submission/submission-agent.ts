/** The submission agent over store, delivery agent and queue. See submission.ts for what it promises. */
import type { Account, Directory } from '#custody/accounts/directory.ts'
import { type Appended, type MailStore, NoCertificate, OverQuota } from '#custody/store/mail-store.ts'
import { type Address, sameAddress } from '#formats/message/address.ts'
import type { Envelope, EnvelopeRecipient } from '#formats/message/envelope.ts'
import { scanHeader } from '#formats/message/header.ts'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { countReceived, formatReceived, HOP_LIMIT } from '#formats/message/trace.ts'
import { type Reply, reply } from '#formats/smtp/reply.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import { randomId } from '#lib/ids.ts'
import type { Logger } from '#lib/log.ts'
import { isDiskFull } from '#lib/sqlite.ts'
import type { Peer } from '../inbound/inbound.ts'
import type { LocalDelivery, Queue, QueuedMail } from '../queue/queue.ts'
import { hasOnlyCrlf } from '../queue/queue-content.ts'
import { checkAuthorship } from './authorship.ts'
import { type Completed, complete } from './completion.ts'
import { RecipientBudget } from './recipient-budget.ts'
import { SUBMITTED_KEYWORD, type SubmissionAgent, type SubmittedMail } from './submission.ts'

export interface SubmissionOptions {
  readonly directory: Directory
  readonly store: MailStore
  readonly delivery: LocalDelivery
  readonly queue: Pick<Queue, 'enqueue' | 'reportDelivered'>
  /** Our own name in Received fields and new Message-IDs. */
  readonly hostname: string
  readonly clock: Clock
  readonly logger: Logger
  readonly savesSentCopy: boolean
  /** For each account. */
  readonly recipientsPerHour: number
}

export function createSubmissionAgent(options: SubmissionOptions): SubmissionAgent {
  return new MailSubmission(options)
}

const NOT_YOURS = reply(550, '5.7.1', 'this sender address is not yours')
const DISABLED = reply(550, '5.7.1', 'this account is disabled')
const TOO_MANY = reply(450, '4.7.1', 'too many recipients within an hour, try again later')
const LONE_LINE_ENDS = reply(550, '5.6.0', 'the message has lone CR or LF octets')
const BAD_HEADER = reply(550, '5.6.0', 'the header has lines that are no header fields, or NUL octets')
const LOOP = reply(554, '5.4.6', 'too many Received fields: mail loop')
const SENT_FULL = reply(452, '4.2.2', 'your mailbox is full: no room for the copy in Sent')
const NO_SPACE = reply(452, '4.3.1', 'no space left here, try again later')
const TROUBLE = reply(451, '4.3.0', 'local trouble, try again later')

/** Runs to its end whatever ends meanwhile. */
const NEVER = new AbortController().signal

class MailSubmission implements SubmissionAgent {
  readonly #options: SubmissionOptions
  readonly #budget: RecipientBudget

  constructor(options: SubmissionOptions) {
    this.#options = options
    this.#budget = new RecipientBudget(options.recipientsPerHour, options.clock)
  }

  async checkSender(author: Account, reversePath: Address | null): Promise<Reply | null> {
    if (author.state !== 'active') return DISABLED
    return reversePath === null || (await this.#isOwn(author, reversePath)) ? null : NOT_YOURS
  }

  async checkRecipient(author: Account, recipient: Address): Promise<Reply | null> {
    if (!this.#budget.has(author.id, 1)) return TOO_MANY
    return (await this.#isLocal(recipient)) ? await this.#options.delivery.check(recipient, null) : null
  }

  async submit(submitted: SubmittedMail): Promise<Reply> {
    const { author, content, envelope, queueId } = submitted
    const refusal = await this.#refusal(submitted)
    if (refusal) {
      this.#options.logger.info(
        { queueId, account: author.id, code: refusal.code, why: refusal.lines[0] },
        'submission refused',
      )
      return refusal
    }
    const { clock, hostname } = this.#options
    const time = clock.now()
    const completed = complete(content, scanHeader(content), { messageId: `${randomId(24)}@${hostname}`, time })
    const answer = await this.#sendWithCopy(submitted, completed, time)
    if (answer.code === 250) this.#budget.spend(author.id, envelope.recipients.length)
    const to = envelope.recipients.map(({ address }) => address)
    this.#options.logger.info({ queueId, account: author.id, to, code: answer.code }, 'submission answered')
    return answer
  }

  async #refusal({ author, envelope, content }: SubmittedMail): Promise<Reply | null> {
    const sender = await this.checkSender(author, envelope.reversePath)
    if (sender) return sender
    if (!this.#budget.has(author.id, envelope.recipients.length)) return TOO_MANY
    if (!hasOnlyCrlf(content)) return LONE_LINE_ENDS
    const header = scanHeader(content)
    if (header.fields.some((field) => field.name === '')) return BAD_HEADER
    const { start, end } = header.range
    if (content.subarray(start, end).includes(0)) return BAD_HEADER
    if (countReceived(header) >= HOP_LIMIT) return LOOP
    return await checkAuthorship(content, header, (address) => this.#isOwn(author, address))
  }

  async #sendWithCopy(
    { author, envelope, peer, queueId }: SubmittedMail,
    { outgoing, kept }: Completed,
    time: number,
  ): Promise<Reply> {
    const mail = { queueId, envelope, content: this.#traced(outgoing, peer, queueId, envelope, time), arrived: time }
    let copy: Appended | null = null
    try {
      copy = this.#options.savesSentCopy ? await this.#saveSent(author, queueId, kept, time) : null
    } catch (error) {
      if (error instanceof OverQuota) return SENT_FULL
      return this.#excuse(queueId, error)
    }
    const refused = await this.#send(mail)
    if (refused && copy) await this.#takeBack(author, copy, queueId)
    return refused ?? reply(250, '2.0.0', `accepted, queue id ${queueId}`)
  }

  /** null when the mail is durable for all recipients; otherwise nobody has it. */
  async #send(mail: QueuedMail): Promise<Reply | null> {
    const { delivery, queue } = this.#options
    const { recipients } = mail.envelope
    try {
      const only = recipients.length === 1 ? recipients[0]! : null
      if (!only || !(await this.#isLocal(only.address))) {
        await queue.enqueue(mail)
        return null
      }
      const [outcome] = await delivery.deliver(mail, recipients, NEVER)
      if (outcome?.kind === 'failed') return outcome.why
      if (outcome?.kind === 'deferred') await queue.enqueue(mail)
      else await this.#reportSuccess(mail, only, outcome?.dsnRelayed ?? false)
      return null
    } catch (error) {
      return this.#excuse(mail.queueId, error)
    }
  }

  async #reportSuccess(mail: QueuedMail, recipient: EnvelopeRecipient, dsnRelayed: boolean): Promise<void> {
    if (dsnRelayed || !recipient.notify?.includes('success')) return
    try {
      await this.#options.queue.reportDelivered(mail, [recipient])
    } catch (error) {
      this.#options.logger.error({ queueId: mail.queueId, error: error as Error }, 'success not reported')
    }
  }

  /** null: the author has no key yet to keep it under. */
  async #saveSent(author: Account, queueId: string, content: Bytes, time: number): Promise<Appended | null> {
    const copy = {
      content,
      summary: encodeSummary(summarize(content)),
      internalDate: time,
      flags: ['\\Seen', SUBMITTED_KEYWORD],
      deliveryKey: `${queueId}.sent`,
    }
    try {
      return await this.#options.store.append(author.id, 'Sent', copy)
    } catch (error) {
      if (!(error instanceof NoCertificate)) throw error
      this.#options.logger.warn({ queueId, account: author.id }, 'no copy in Sent: the account has no key yet')
      return null
    }
  }

  async #takeBack(author: Account, { mailbox, uid }: Appended, queueId: string): Promise<void> {
    try {
      await using mail = await this.#options.store.open(author.id, null)
      await mail.setFlags(mailbox, [uid], { mode: 'add', flags: ['\\Deleted'] })
      await mail.expunge(mailbox, [uid])
    } catch (error) {
      this.#options.logger.error({ queueId, error: error as Error }, 'copy in Sent could not be taken back')
    }
  }

  #traced(content: Bytes, peer: Peer, queueId: string, envelope: Envelope, time: number): Bytes {
    const { hostname } = this.#options
    const recipients = envelope.recipients.map(({ address }) => address)
    const { protocol, tls } = peer
    const trace = formatReceived({
      helo: 'author',
      ip: '127.0.0.1',
      by: hostname,
      protocol,
      tls,
      queueId,
      recipients,
      time,
    })
    return Buffer.concat([Buffer.from(trace), content])
  }

  /** By the directory: primary address, aliases that are the account's own, and plus-addresses, which nobody else can have. */
  async #isOwn(author: Account, address: Address): Promise<boolean> {
    const { directory } = this.#options
    const own = await directory.addresses(author.id)
    if (own.some((one) => sameAddress(one, address))) return true
    const route = await directory.route(address)
    return route.kind === 'account' && route.account.id === author.id
  }

  async #isLocal({ local, domain }: Address): Promise<boolean> {
    return domain === '' || (await this.#options.directory.route({ local, domain })).kind !== 'foreign'
  }

  #excuse(queueId: string, error: unknown): Reply {
    this.#options.logger.error({ queueId, error: error as Error }, 'submission failed by itself')
    return isDiskFull(error) ? NO_SPACE : TROUBLE
  }
}
