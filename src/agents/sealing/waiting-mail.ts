/** One try of mail that waits for certificates: what becomes of it for each recipient. */
import type { EnvelopeRecipient } from '#formats/message/envelope.ts'
import { reply } from '#formats/smtp/reply.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Discovery } from '#privacy/discovery/discovery.ts'
import { fateOf, isStrict } from '#privacy/e2e/fate.ts'
import { addressSealed, openLater } from '#privacy/e2e/seal.ts'
import { PickupFull } from '#privacy/pickup/pickup.ts'
import type { Outcome, QueuedMail } from '../queue/queue.ts'
import { decodeWaiting, type WaitingSeal } from '../queue/waiting.ts'
import type { SealingOptions, ToldMail } from './sealing.ts'

interface Try {
  /** Its content is sealed to nobody. */
  readonly mail: QueuedMail
  readonly waiting: Bytes
  readonly signal: AbortSignal
}

interface WaitingMail extends Pick<Try, 'mail' | 'signal'> {
  readonly seal: WaitingSeal
}

const STOPPING: Outcome = { kind: 'deferred', why: reply(451, '4.3.2', 'this server is stopping'), remote: null }
const TROUBLE: Outcome = {
  kind: 'deferred',
  why: reply(451, '4.3.0', 'local trouble while the message was being sealed; it is kept sealed and tried again'),
  remote: null,
}
const FULL: Outcome = {
  kind: 'deferred',
  why: reply(452, '4.3.1', 'so much mail of this account waits to be picked up that there is no room for more'),
  remote: null,
}

/** One outcome per recipient, in order. Recipients have nothing in common: what they are sent may not name each other. */
export async function deliverWaiting(
  { mail, waiting, signal }: Try,
  recipients: readonly EnvelopeRecipient[],
  options: SealingOptions,
): Promise<readonly Outcome[]> {
  const seal = decodeWaiting(waiting)
  try {
    const outcomes: Outcome[] = []
    for (const recipient of recipients) {
      const attempt = new Attempt({ mail, seal, signal }, recipient, options)
      outcomes.push(await attempt.run())
    }
    return outcomes
  } finally {
    wipe(seal.sessionKey)
  }
}

class Attempt {
  readonly #waiting: WaitingMail
  readonly #recipient: EnvelopeRecipient
  readonly #options: SealingOptions
  readonly #logger: SealingOptions['logger']

  constructor(waiting: WaitingMail, recipient: EnvelopeRecipient, options: SealingOptions) {
    this.#waiting = waiting
    this.#recipient = recipient
    this.#options = options
    this.#logger = options.logger.with({ queueId: waiting.mail.queueId, to: recipient.address })
  }

  /** Never throws: what is in its way makes it wait. */
  async run(): Promise<Outcome> {
    try {
      const found = await this.#discover()
      return found === null ? STOPPING : await this.#deliver(found)
    } catch (error) {
      this.#logger.error({ error: error as Error }, 'waiting mail could not be sealed')
      return TROUBLE
    }
  }

  /** null: this server is stopping. */
  async #discover(): Promise<Discovery | null> {
    const { signal, seal } = this.#waiting
    const asked = this.#options.discovery
      .discoverer()
      .then((discoverer) => discoverer.discover(this.#recipient.address, { account: seal.account }))
    return await unlessAborted(asked, signal)
  }

  async #deliver(found: Discovery): Promise<Outcome> {
    const { isDemanded, withoutKey } = this.#waiting.seal
    const rule = isDemanded && !isStrict(withoutKey) ? 'refuse' : withoutKey
    const demand = isDemanded ? 'required' : 'automatic'
    const fate = fateOf(found, { rule, demand, already: null, seals: true })
    this.#options.metrics.count('waiting_mail', { fate: fate.kind })
    switch (fate.kind) {
      case 'sealed':
        return await this.#deliverSealed(fate.certificate, fate.fingerprint)
      case 'plain':
        return await this.#deliverPlain(fate.why, fate.warns)
      case 'pickup':
        return await this.#keepForPickup(fate.why)
      case 'refused':
        return { kind: 'failed', why: reply(550, '5.7.1', `${NOT_UNSEALED}: ${fate.why}`), remote: null }
      case 'waits':
        return { kind: 'deferred', why: reply(451, '4.7.5', `${NOT_KNOWN}: ${fate.why}; ${NOT_LEFT}`), remote: null }
      case 'kept':
      case 'already':
        // The address became ours while it waited: it goes to its owner, sealed like to anybody.
        if (found.kind === 'found') return await this.#deliverSealed(found.certificate, found.fingerprint)
        throw new Error('there is nothing to seal it to')
    }
  }

  async #deliverSealed(certificate: Bytes, fingerprint: string): Promise<Outcome> {
    const { mail, seal } = this.#waiting
    const content = await addressSealed(mail.content, seal.sessionKey, [certificate], this.#options.clock.now())
    this.#logger.info({ fingerprint }, 'waiting mail is sealed')
    return await this.#handOn(content)
  }

  async #deliverPlain(why: string, warns: boolean): Promise<Outcome> {
    const { mail, seal } = this.#waiting
    this.#logger.warn({ policy: seal.withoutKey }, 'waiting mail leaves in clear, as its policy says')
    const outcome = await this.#handOn(await openLater(mail.content, seal.sessionKey))
    // Whoever was spoken to may have read it, whatever they answered.
    const stayed = outcome.kind === 'deferred' && outcome.unreachable
    if (warns && !stayed) await this.#tell('leftInClear', why)
    return outcome
  }

  async #keepForPickup(why: string): Promise<Outcome> {
    const { mail, seal } = this.#waiting
    const { queueId, content, envelope } = mail
    const { account, sessionKey } = seal
    const recipient = this.#recipient.address
    const author = envelope.reversePath
    // Without anybody to answer to there is nobody whose mail it is (RFC 5321 §4.5.5).
    if (author === null) return { kind: 'failed', why: reply(550, '5.7.1', `${NOT_UNSEALED}: ${why}`), remote: null }
    try {
      const store = await this.#options.pickup()
      const id = await store.keep({ queueId, account, author, recipient, message: content, sessionKey })
      await this.#tell('keptForPickup', why)
      this.#logger.info({ pickup: id }, 'waiting mail is kept for pickup')
      // Nobody has read it: a report of success would say too much, and its author has been told.
      return { kind: 'delivered', by: reply(250, '2.0.0', `kept for pickup as ${id}`), remote: null, dsnRelayed: true }
    } catch (error) {
      if (error instanceof PickupFull) return FULL
      throw error
    }
  }

  async #handOn(content: Bytes): Promise<Outcome> {
    const { mail, signal } = this.#waiting
    const { queueId, envelope, arrived } = mail
    const own = { ...envelope, recipients: [this.#recipient] }
    const outcomes = await this.#options.next.deliver(
      { queueId, envelope: own, arrived, content },
      own.recipients,
      signal,
    )
    return outcomes[0]!
  }

  /** The mail goes its way whether or not its author can be told. */
  async #tell(what: 'leftInClear' | 'keptForPickup', why: string): Promise<void> {
    const { mail, seal } = this.#waiting
    const { queueId, arrived } = mail
    const told: ToldMail = { account: seal.account, queueId, recipient: this.#recipient.address, why, arrived }
    try {
      await this.#options.author[what](told)
    } catch (error) {
      this.#logger.error({ error: error as Error }, 'the author of waiting mail was not told')
    }
  }
}

const NOT_UNSEALED = 'this message may not leave unsealed, and there is no certificate that it could be sealed to'
const NOT_KNOWN = "the recipient's certificate could not be looked up"
const NOT_LEFT = 'the message has not left this server'

async function unlessAborted<T>(asked: Promise<T>, signal: AbortSignal): Promise<T | null> {
  if (signal.aborted) return null
  const { promise, resolve } = Promise.withResolvers<null>()
  const stop = () => resolve(null)
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([asked, promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
