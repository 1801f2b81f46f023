/** The submission agent over store, delivery agent and queue. See submission.ts for what it promises. */
import type { Account, AccountId } from '#custody/accounts/directory.ts'
import { type Address, sameAddress } from '#formats/message/address.ts'
import type { Envelope } from '#formats/message/envelope.ts'
import { type Header, isCutShort, scanHeader } from '#formats/message/header.ts'
import { countReceived, formatReceived, HOP_LIMIT } from '#formats/message/trace.ts'
import { type Reply, reply } from '#formats/smtp/reply.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import { randomId } from '#lib/ids.ts'
import type { Metrics } from '#lib/metrics.ts'
import { WorkGate } from '#lib/work-gate.ts'
import { isBetweenUs } from '#privacy/e2e/demand.ts'
import type { Fate } from '#privacy/e2e/e2e.ts'
import type { Plan, Planner } from '#privacy/e2e/plan.ts'
import type { Peer } from '../inbound/inbound.ts'
import { hasOnlyCrlf } from '../queue/queue-content.ts'
import { checkAuthorship } from './authorship.ts'
import { complete } from './completion.ts'
import { protectionFields, refusalOf, remarkOn } from './protection-words.ts'
import { RecipientBudget } from './recipient-budget.ts'
import { type CopyDesk, type Handout, handoutOf, octetsOf, type Ready, type Sealer } from './sealing.ts'
import { isLocal, Sending, type SendingOptions } from './sending.ts'
import type { MailSigner, SubmissionAgent, SubmittedMail } from './submission.ts'

export interface SubmissionOptions extends SendingOptions {
  /** Both are asked when the first mail needs them. */
  readonly planner: () => Promise<Pick<Planner, 'plan'>>
  readonly sealer: () => Promise<Sealer>
  /** Puts messages into the author's INBOX. */
  readonly author: AuthorDesk
  /** Our own name in Received fields and new Message-IDs. */
  readonly hostname: string
  readonly clock: Clock
  readonly metrics: Metrics
  /** For each account. */
  readonly recipientsPerHour: number
  readonly newQueueId?: () => string
}

interface Unsealed {
  readonly recipient: Address
  readonly why: string
}

interface SentMail {
  readonly account: AccountId
  readonly queueId: string
  /** Milliseconds since the epoch. */
  readonly arrived: number
}

/** What an author must hear of: who got mail in clear although the policy warns of it, and for whom it only waits here. */
export interface AuthorDesk {
  sentInClear(mail: SentMail & { readonly recipients: readonly Unsealed[] }): Promise<void>
  keptForPickup(mail: SentMail & Unsealed): Promise<void>
}

interface Examined {
  readonly header: Header
  /** null: everybody is an account of ours. */
  readonly plan: Plan | null
}

export function createSubmissionAgent(options: SubmissionOptions): SubmissionAgent {
  return new MailSubmission(options)
}

const NOT_YOURS = reply(550, '5.7.1', 'this sender address is not yours')
const DISABLED = reply(550, '5.7.1', 'this account is disabled')
const TOO_MANY = reply(450, '4.7.1', 'too many recipients within an hour, try again later')
const LONE_LINE_ENDS = reply(550, '5.6.0', 'the message has lone CR or LF octets')
const BAD_HEADER = reply(550, '5.6.0', 'the header has lines that are no header fields, or NUL octets')
const LONG_HEADER = reply(552, '5.3.4', 'the header is too long, or has too many fields')
const LOOP = reply(554, '5.4.6', 'too many Received fields: mail loop')

/** Octets of copies. */
const MUCH = 16 << 20

class MailSubmission implements SubmissionAgent {
  readonly #options: SubmissionOptions
  readonly #sending: Sending
  readonly #budget: RecipientBudget
  /** Submissions whose copies together fill memory come one after the other. */
  readonly #heavy = new WorkGate(1, Number.POSITIVE_INFINITY)

  constructor(options: SubmissionOptions) {
    this.#options = options
    this.#sending = new Sending(options)
    this.#budget = new RecipientBudget(options.recipientsPerHour, options.clock)
  }

  async checkSender(author: Account, reversePath: Address | null): Promise<Reply | null> {
    if (author.state !== 'active') return DISABLED
    return reversePath === null || (await this.#isOwn(author, reversePath)) ? null : NOT_YOURS
  }

  async checkRecipient(author: Account, recipient: Address): Promise<Reply | null> {
    if (!this.#budget.has(author.id, 1)) return TOO_MANY
    return (await isLocal(this.#options.directory, recipient))
      ? await this.#options.delivery.check(recipient, null)
      : null
  }

  async submit(submitted: SubmittedMail): Promise<Reply> {
    const { author, envelope, queueId } = submitted
    const examined = await this.#examine(submitted)
    if ('code' in examined) {
      this.#options.logger.info(
        { queueId, account: author.id, code: examined.code, why: examined.lines[0] },
        'submission refused',
      )
      return examined
    }
    const { header, plan } = examined
    const answer = await this.#answer(submitted, header, plan)
    if (answer.code === 250) this.#budget.spend(author.id, envelope.recipients.length)
    const to = envelope.recipients.map(({ address }) => address)
    const fates = plan ? countFates(plan) : { kept: to.length }
    if (answer.code === 250)
      for (const [fate, count] of Object.entries(fates)) this.#options.metrics.count('recipient_fates', { fate }, count)
    this.#options.logger.info({ queueId, account: author.id, to, fates, code: answer.code }, 'submission answered')
    return answer
  }

  /** The refusal, or what is to be done. */
  async #examine(submitted: SubmittedMail): Promise<Reply | Examined> {
    const { author, envelope, content, queueId } = submitted
    const sender = await this.checkSender(author, envelope.reversePath)
    if (sender) return sender
    if (!this.#budget.has(author.id, envelope.recipients.length)) return TOO_MANY
    if (!hasOnlyCrlf(content)) return LONE_LINE_ENDS
    const header = scanHeader(content)
    // What is beyond would be sent on unread, a Bcc among it.
    if (isCutShort(header)) return LONG_HEADER
    if (header.fields.some((field) => field.name === '')) return BAD_HEADER
    const { start, end } = header.range
    if (content.subarray(start, end).includes(0)) return BAD_HEADER
    if (countReceived(header) >= HOP_LIMIT) return LOOP
    const forged = await checkAuthorship(content, header, (address) => this.#isOwn(author, address))
    if (forged) return forged
    try {
      return await this.#planned(submitted, header)
    } catch (error) {
      return this.#sending.excuse(queueId, error)
    }
  }

  async #planned(submitted: SubmittedMail, header: Header): Promise<Reply | Examined> {
    const { author, envelope, content, isReplyToSealed = null } = submitted
    const recipients = envelope.recipients.map(({ address }) => address)
    if (!header.fields.some(({ name }) => isBetweenUs(name)) && (await this.#allStay(recipients)))
      return { header, plan: null }
    const planner = await this.#options.planner()
    const plan = await planner.plan({ content, header, recipients, author: author.id, isReplyToSealed })
    if (plan.kind === 'contradiction') return reply(550, '5.7.1', plan.why)
    return refusalOf(recipients, plan) ?? { header, plan }
  }

  /** Mail to accounts of ours needs no plan. An alias does: it can lead elsewhere. */
  async #allStay(recipients: readonly Address[]): Promise<boolean> {
    for (const { local, domain } of recipients) {
      if (domain !== '' && (await this.#options.directory.route({ local, domain })).kind !== 'account') return false
    }
    return true
  }

  async #answer(submitted: SubmittedMail, header: Header, plan: Plan | null): Promise<Reply> {
    const { clock, hostname } = this.#options
    const { author, envelope, content, queueId, signer = null } = submitted
    const time = clock.now()
    const completed = complete(content, header, { messageId: `${randomId(24)}@${hostname}`, time, hostname })
    const ready: Ready = { author, envelope, outgoing: completed.outgoing, signer, time }
    const carryOut = async (): Promise<Reply> => {
      using handout = plan
        ? await handoutOf({ ...ready, signer: await this.#ableSigner(ready) }, plan, this.#copyDesk(submitted, time))
        : this.#single(submitted, ready)
      const recipients = envelope.recipients.map(({ address }) => address)
      const fields = plan ? protectionFields(recipients, plan, handout.isSigned) : ''
      const kept = fields === '' ? completed.kept : Buffer.concat([Buffer.from(fields), completed.kept])
      const refused = await this.#sending.send({ author, queueId, handout, kept, time })
      if (refused) return refused
      if (plan) await this.#tell({ account: author.id, queueId, arrived: time }, recipients, plan)
      return reply(250, '2.0.0', `accepted, queue id ${queueId}${plan ? remarkOn(plan) : ''}`)
    }
    try {
      return plan && octetsOf(ready, plan) > MUCH ? await this.#heavy.run(carryOut) : await carryOut()
    } catch (error) {
      return this.#sending.excuse(queueId, error)
    }
  }

  /** A signature by a key that its owner gave up looks forged to whoever checks it: none is better. */
  async #ableSigner({ author, signer }: Ready): Promise<MailSigner | null> {
    if (signer === null) return null
    const own = (await this.#options.directory.certificates(author.id)).find(({ endToEnd }) => endToEnd)
    return own?.revocation ? null : signer
  }

  /** One copy for everybody. */
  #single({ queueId, envelope, peer }: SubmittedMail, { outgoing, time }: Ready): Handout {
    const content = this.#traced(outgoing, peer, queueId, envelope, time)
    const mails = [{ queueId, envelope, content, arrived: time }]
    return { mails, pickups: [], isSigned: false, [Symbol.dispose]() {} }
  }

  #copyDesk({ queueId, peer }: SubmittedMail, time: number): CopyDesk {
    const { sealer, newQueueId = () => randomId(12) } = this.#options
    let next: string | null = queueId
    return {
      sealer,
      newQueueId: () => {
        const name = next ?? newQueueId()
        next = null
        return name
      },
      traced: (content, name, envelope) => this.#traced(content, peer, name, envelope, time),
    }
  }

  /** The mail is on its way: what cannot be told does not stop it. */
  async #tell(mail: SentMail, addresses: readonly Address[], { fates }: Plan): Promise<void> {
    const { author, logger } = this.#options
    const those = (wanted: (fate: Fate) => boolean): Unsealed[] =>
      fates.flatMap((fate, at) => (wanted(fate) && 'why' in fate ? [{ recipient: addresses[at]!, why: fate.why }] : []))
    try {
      const recipients = those((fate) => fate.kind === 'plain' && fate.warns)
      if (recipients.length > 0) await author.sentInClear({ ...mail, recipients })
      for (const one of those(({ kind }) => kind === 'pickup')) await author.keptForPickup({ ...mail, ...one })
    } catch (error) {
      logger.error({ queueId: mail.queueId, error: error as Error }, 'the author was not told what was not sealed')
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
}

function countFates({ fates }: Plan): Record<string, number> {
  const counted: Record<string, number> = {}
  for (const { kind } of fates) counted[kind] = (counted[kind] ?? 0) + 1
  return counted
}
