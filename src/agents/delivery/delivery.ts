/**
 * The delivery agent (MDA): puts mail into our own mailboxes. It follows aliases, adds Return-Path (RFC 5321 §4.4), makes the
 * summary that the store keeps beside the message, and appends. The store seals; nothing here touches a key.
 *
 * A message is stored once per account and mailbox however many of its recipients mean the same one, and a try that is
 * repeated stores nothing twice: the delivery key is the queue id. The octets below our trace fields stay as they came.
 * Mail that an alias sends elsewhere goes into the queue with its reverse-path as it is (nothing rewrites it, so a strict SPF
 * policy of the author's domain can make the next provider refuse it) and gets a Delivered-To field with the alias: one
 * that comes back with that field is a loop. Temporary trouble of ours (disk, store) is a deferral, never a failure.
 */
import type { AccountId, Directory } from '#custody/accounts/directory.ts'
import { type MailStore, NoCertificate, OverQuota, type Quota } from '#custody/store/mail-store.ts'
import { type Address, formatAddress, parseAddress, sameAddress } from '#formats/message/address.ts'
import type { EnvelopeRecipient } from '#formats/message/envelope.ts'
import { fieldValues, formatField, scanHeader } from '#formats/message/header.ts'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { formatReturnPath } from '#formats/message/trace.ts'
import { type Reply, reply } from '#formats/smtp/reply.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import { randomId } from '#lib/ids.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import { isDiskFull } from '#lib/sqlite.ts'
import type { LocalDelivery, Outcome, Queue, QueuedMail } from '../queue/queue.ts'
import { type AccountTarget, type Expansion, expand } from './expansion.ts'
import { RecentView } from './recent-view.ts'
import { sealedAuthor } from './sealed-author.ts'

export interface DeliveryOptions {
  readonly directory: Directory
  readonly store: MailStore
  /** Takes what aliases send elsewhere. */
  readonly queue: Pick<Queue, 'enqueue'>
  /** Our own name: says whose the bare `<postmaster>` is. */
  readonly hostname: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** Hears of the author of each message that came encrypted or signed, once it is stored. Returns at once and never throws. */
  readonly sealedMailFrom?: (author: Address) => void
  /** What becomes of mail for a full mailbox: wait for room (452), or return it (552). */
  readonly overQuota?: 'wait' | 'return'
  readonly newQueueId?: () => string
}

export function createDeliveryAgent(options: DeliveryOptions): LocalDelivery {
  return new MailDelivery(options)
}

const UNKNOWN = reply(550, '5.1.1', 'no such address here')
const NOT_OURS = reply(550, '5.7.1', 'relaying denied')
const NOWHERE = reply(550, '5.4.6', 'the address leads nowhere')
const LOOP = reply(554, '5.4.6', 'the message was here before: mail loop')
const SUSPENDED = reply(550, '5.2.1', 'the mailbox is disabled')
const NO_KEYS_YET = reply(450, '4.2.1', 'the owner has not set up keys yet, try again later')
const FULL_FOR_NOW = reply(452, '4.2.2', 'the mailbox is full')
const FULL = reply(552, '5.2.2', 'the mailbox is full')
const TOO_LARGE = reply(552, '5.2.3', 'the message is larger than the whole mailbox may be')
const NO_SPACE = reply(452, '4.3.1', 'no space left here, try again later')
const TROUBLE = reply(451, '4.3.0', 'local trouble, try again later')

const DELIVERED = { kind: 'delivered', by: null, remote: null, dsnRelayed: false } as const satisfies Outcome
const failed = (why: Reply): Outcome => ({ kind: 'failed', why, remote: null })
const deferred = (why: Reply): Outcome => ({ kind: 'deferred', why, remote: null })

class MailDelivery implements LocalDelivery {
  readonly #options: DeliveryOptions
  readonly #quotas: RecentView<Quota>
  /** Whether there is a certificate to seal to. */
  readonly #canSeal: RecentView<boolean>

  constructor(options: DeliveryOptions) {
    this.#options = options
    const { store, directory, clock } = options
    this.#quotas = new RecentView((account) => store.quota(account), clock)
    this.#canSeal = new RecentView(
      async (account) => (await directory.certificates(account)).some(({ current }) => current),
      clock,
    )
  }

  async check(recipient: Address, size: number | null): Promise<Reply | null> {
    const expansion = await this.#expand(recipient)
    if ('code' in expansion) return expansion
    // RFC 5321 §4.5.1: whatever state its mailbox is in.
    if (expansion.elsewhere.length > 0 || recipient.local.toLowerCase() === 'postmaster') return null
    let refusal: Reply | null = null
    for (const { account } of expansion.accounts) {
      const why = account.state === 'active' ? await this.#checkMailbox(account.id, size) : SUSPENDED
      if (!why) return null
      refusal ??= why
    }
    return refusal
  }

  async deliver(mail: QueuedMail, recipients: readonly EnvelopeRecipient[]): Promise<readonly Outcome[]> {
    const filing = new Filing(mail, this.#options)
    const outcomes = await Promise.all(recipients.map((recipient) => this.#deliverTo(recipient, filing)))
    for (const { kind } of outcomes) this.#options.metrics.count('deliveries', { outcome: kind })
    return outcomes
  }

  async #deliverTo(recipient: EnvelopeRecipient, filing: Filing): Promise<Outcome> {
    try {
      const expansion = await this.#expand(recipient.address)
      if ('code' in expansion) return failed(expansion)
      if (!expansion.alias) return await filing.file(expansion.accounts[0]!)
      return await this.#deliverAlias(recipient, expansion, filing)
    } catch (error) {
      this.#options.logger.error({ queueId: filing.mail.queueId, error: error as Error }, 'delivery failed by itself')
      return deferred(isDiskFull(error) ? NO_SPACE : TROUBLE)
    }
  }

  /** Delivered when every target has the mail or has a place in the queue; what one target lacks does not hold up the others. */
  async #deliverAlias(recipient: EnvelopeRecipient, expansion: Expansion, filing: Filing): Promise<Outcome> {
    const { accounts, elsewhere } = expansion
    if (elsewhere.length > 0 && wasHere(filing.mail.content, recipient.address)) return failed(LOOP)
    const outcomes = await Promise.all(accounts.map((target) => filing.file(target)))
    const open = accounts.filter((_, at) => outcomes[at]!.kind !== 'delivered').map(({ address }) => address)
    if (open.length === accounts.length && elsewhere.length === 0) {
      return outcomes.find((outcome) => outcome.kind === 'deferred') ?? outcomes[0]!
    }
    const onward = [...open, ...elsewhere]
    if (onward.length === 0) return DELIVERED
    await this.#forward(filing.mail, recipient, onward)
    return { ...DELIVERED, dsnRelayed: true }
  }

  /** RFC 3461 §5.2.7.3: what the sender wants to hear goes on with the mail. */
  async #forward(
    mail: QueuedMail,
    { address, notify, orcpt }: EnvelopeRecipient,
    targets: readonly Address[],
  ): Promise<void> {
    const { queue, newQueueId = () => randomId(12), logger } = this.#options
    const queueId = newQueueId()
    const original = orcpt ?? `rfc822;${formatAddress(address)}`
    const recipients = targets.map((target) => ({ address: target, notify, orcpt: original }))
    const content = Buffer.concat([Buffer.from(formatField('Delivered-To', formatAddress(address))), mail.content])
    await queue.enqueue({ queueId, envelope: { ...mail.envelope, recipients }, content, arrived: mail.arrived })
    logger.info({ queueId: mail.queueId, as: queueId, targets: targets.length }, 'forwarded by an alias')
  }

  /** The refusal instead, when there is no place for it. */
  async #expand(recipient: Address): Promise<Expansion | Reply> {
    const address = recipient.domain === '' ? { ...recipient, domain: await this.#ownDomain() } : recipient
    const expansion = await expand(this.#options.directory, address)
    if (expansion === 'unknown') return UNKNOWN
    if (expansion === 'foreign') return NOT_OURS
    return expansion === 'nowhere' ? NOWHERE : expansion
  }

  /** RFC 5321 §4.1.1.3: the bare `<postmaster>` is the one of the domain that this host belongs to. */
  async #ownDomain(): Promise<string> {
    const { directory, hostname } = this.#options
    const domains = await directory.domains()
    return domains.find((domain) => hostname === domain || hostname.endsWith(`.${domain}`)) ?? domains[0] ?? ''
  }

  async #checkMailbox(account: AccountId, size: number | null): Promise<Reply | null> {
    try {
      if (!(await this.#canSeal.of(account))) return NO_KEYS_YET
      const { used, limit } = await this.#quotas.of(account)
      if (limit === null) return null
      if (size !== null && size > limit) return TOO_LARGE
      if (used + (size ?? 0) < limit) return null
      return this.#options.overQuota === 'return' ? FULL : FULL_FOR_NOW
    } catch (error) {
      this.#options.logger.error({ account, error: error as Error }, 'account unreadable')
      return TROUBLE
    }
  }
}

function wasHere(content: Bytes, alias: Address): boolean {
  return fieldValues(content, scanHeader(content), 'delivered-to').some((value) => {
    const address = parseAddress(Buffer.from(value, 'latin1').toString())
    return address !== null && sameAddress(address, alias)
  })
}

/** One message on its way into mailboxes: made ready once, stored once per place. */
class Filing {
  readonly mail: QueuedMail
  readonly #options: DeliveryOptions
  readonly #stored = new Map<string, Promise<Outcome>>()
  #ready: Ready | null = null
  #isTold = false

  constructor(mail: QueuedMail, options: DeliveryOptions) {
    this.mail = mail
    this.#options = options
  }

  async file({ account, detail }: AccountTarget): Promise<Outcome> {
    if (account.state !== 'active') return failed(SUSPENDED)
    try {
      const mailbox = detail === null ? null : await this.#mailboxNamed(account.id, detail)
      const place = `${account.id}/${mailbox?.id ?? ''}`
      const stored = this.#stored.get(place) ?? this.#store(account.id, mailbox)
      this.#stored.set(place, stored)
      return await stored
    } catch (error) {
      return this.#excuse(account.id, error)
    }
  }

  async #store(account: AccountId, mailbox: { id: number; name: string } | null): Promise<Outcome> {
    const { mail } = this
    this.#ready ??= ready(mail)
    const { content, summary } = this.#ready
    const deliveryKey = mailbox ? `${mail.queueId}.${mailbox.id}` : mail.queueId
    const message = { content, summary, internalDate: mail.arrived, flags: [], deliveryKey }
    await this.#options.store.append(account, mailbox?.name ?? 'INBOX', message)
    this.#tell(this.#ready.author)
    return DELIVERED
  }

  #tell(author: Address | null): void {
    if (author && !this.#isTold) this.#options.sealedMailFrom?.(author)
    this.#isTold = true
  }

  #excuse(account: AccountId, error: unknown): Outcome {
    if (error instanceof NoCertificate) return deferred(NO_KEYS_YET)
    if (error instanceof OverQuota) return this.#options.overQuota === 'return' ? failed(FULL) : deferred(FULL_FOR_NOW)
    this.#options.logger.error({ queueId: this.mail.queueId, account, error: error as Error }, 'mail not stored')
    return deferred(isDiskFull(error) ? NO_SPACE : TROUBLE)
  }

  /**
   * The owner's mailbox that a plus-address names, case disregarded; null for none. Mailboxes with a special use are not to
   * be had: a stranger must not be able to put something into Sent or Drafts.
   */
  async #mailboxNamed(account: AccountId, detail: string): Promise<{ id: number; name: string } | null> {
    await using mail = await this.#options.store.open(account, null)
    const wanted = detail.normalize('NFC').toLowerCase()
    const found = (await mail.mailboxes()).find(({ name }) => name.toLowerCase() === wanted)
    return found && found.specialUse === null && wanted !== 'inbox' ? found : null
  }
}

interface Ready {
  readonly content: Bytes
  readonly summary: Bytes
  /** Of what came encrypted or signed. */
  readonly author: Address | null
}

// RFC 5321 §4.4: Return-Path in front of everything.
function ready({ envelope, content, stored }: QueuedMail): Ready {
  const whole = stored ?? Buffer.concat([Buffer.from(formatReturnPath(envelope.reversePath)), content])
  const summary = summarize(whole)
  return { content: whole, summary: encodeSummary(summary), author: sealedAuthor(summary.root) }
}
