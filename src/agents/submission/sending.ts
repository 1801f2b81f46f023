/** The last step of a submission, all or nothing: the copy in Sent, what is kept for pickup, and the way on. */
import type { Account, Directory } from '#custody/accounts/directory.ts'
import { SessionEnded, TooLargeToSign, VaultBusy } from '#custody/keyring/keyring.ts'
import { type Appended, type MailStore, NoCertificate, OverQuota } from '#custody/store/mail-store.ts'
import type { Address } from '#formats/message/address.ts'
import type { EnvelopeRecipient } from '#formats/message/envelope.ts'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { type Reply, reply } from '#formats/smtp/reply.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Logger } from '#lib/log.ts'
import { isDiskFull } from '#lib/sqlite.ts'
import { Busy } from '#lib/work-gate.ts'
import { PickupFull, type PickupStore } from '#privacy/pickup/pickup.ts'
import type { LocalDelivery, Queue, QueuedMail } from '../queue/queue.ts'
import { type Handout, TooManyCopies } from './sealing.ts'
import { SUBMITTED_KEYWORD } from './submission.ts'

export interface SendingOptions {
  readonly directory: Directory
  readonly store: MailStore
  readonly delivery: LocalDelivery
  readonly queue: Pick<Queue, 'enqueueAll' | 'reportDelivered'>
  /** Opened when something is kept for the first time. */
  readonly pickup: () => Promise<Pick<PickupStore, 'keep' | 'drop'>>
  readonly logger: Logger
  readonly savesSentCopy: boolean
}

export interface Dispatch {
  readonly author: Account
  readonly queueId: string
  readonly handout: Handout
  /** What the author keeps. */
  readonly kept: Bytes
  /** Milliseconds since the epoch. */
  readonly time: number
}

const SENT_FULL = reply(452, '4.2.2', 'your mailbox is full: no room for the copy in Sent')
const TOO_MANY_COPIES = reply(
  552,
  '5.3.4',
  'too large to be encrypted for so many recipients one by one: name them in To or Cc, or send it several times',
)
const TOO_LARGE = reply(552, '5.3.4', 'the message is too large to be signed and encrypted')
const BUSY = reply(451, '4.3.2', 'too many large messages are being encrypted, try again in a moment')
const LOGIN_ENDED = reply(451, '4.7.0', 'your login has ended and nothing was sent: log in and send it again')
const PICKUP_FULL = reply(452, '4.2.2', 'no room to keep more mail for pickup, try again later')
const NO_SPACE = reply(452, '4.3.1', 'no space left here, try again later')
const TROUBLE = reply(451, '4.3.0', 'local trouble, try again later')

/** Runs to its end whatever ends meanwhile. */
const NEVER = new AbortController().signal

export async function isLocal(directory: Directory, { local, domain }: Address): Promise<boolean> {
  return domain === '' || (await directory.route({ local, domain })).kind !== 'foreign'
}

export class Sending {
  readonly #options: SendingOptions

  constructor(options: SendingOptions) {
    this.#options = options
  }

  /** null when it is done; otherwise nothing was. */
  async send(dispatch: Dispatch): Promise<Reply | null> {
    const { author, queueId, handout } = dispatch
    let copy: Appended | null = null
    try {
      copy = this.#options.savesSentCopy ? await this.#saveSent(dispatch) : null
    } catch (error) {
      if (error instanceof OverQuota) return SENT_FULL
      return this.excuse(queueId, error)
    }
    const refused = await this.#handOn(queueId, handout)
    if (refused && copy) await this.#takeBack(author, copy, queueId)
    return refused
  }

  /** null when the mail is durable for all recipients; otherwise nobody has it. */
  async #handOn(queueId: string, { mails, pickups }: Handout): Promise<Reply | null> {
    const { delivery, queue, logger } = this.#options
    const pickedUp: string[] = []
    try {
      for (const mail of pickups) pickedUp.push(await (await this.#options.pickup()).keep(mail))
      const [mail] = mails
      const only = mails.length === 1 && mail!.envelope.recipients.length === 1 ? mail!.envelope.recipients[0]! : null
      if (!mail || !only || pickups.length > 0 || !(await isLocal(this.#options.directory, only.address))) {
        if (mails.length > 0) await queue.enqueueAll(mails)
        if (mails.length > 1) logger.info({ queueId, as: mails.map((one) => one.queueId) }, 'sent in several copies')
        return null
      }
      const [outcome] = await delivery.deliver(mail, [only], NEVER)
      if (outcome?.kind === 'failed') return outcome.why
      if (outcome?.kind === 'deferred') await queue.enqueueAll(mails)
      else await this.#reportSuccess(mail, only, outcome?.dsnRelayed ?? false)
      return null
    } catch (error) {
      for (const id of pickedUp) await this.#dropPickup(id, queueId)
      return this.excuse(queueId, error)
    }
  }

  async #dropPickup(id: string, queueId: string): Promise<void> {
    try {
      await (await this.#options.pickup()).drop(id)
    } catch (error) {
      this.#options.logger.error({ queueId, error: error as Error }, 'mail kept for pickup could not be taken back')
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
  async #saveSent({ author, queueId, kept, time }: Dispatch): Promise<Appended | null> {
    const copy = {
      content: kept,
      summary: encodeSummary(summarize(kept)),
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

  /** What broke, as a reply. */
  excuse(queueId: string, error: unknown): Reply {
    if (error instanceof TooManyCopies) return TOO_MANY_COPIES
    if (error instanceof PickupFull) return PICKUP_FULL
    if (error instanceof TooLargeToSign) return TOO_LARGE
    if (error instanceof Busy || error instanceof VaultBusy) return BUSY
    if (error instanceof SessionEnded) return LOGIN_ENDED
    this.#options.logger.error({ queueId, error: error as Error }, 'submission failed by itself')
    return isDiskFull(error) ? NO_SPACE : TROUBLE
  }
}
