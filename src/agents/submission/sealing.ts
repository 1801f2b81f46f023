/** From a plan to what is handed on: each copy sealed, in a form that the queue or the pickup store takes. */

import type { Account } from '#custody/accounts/directory.ts'
import { NotWithThisCredential } from '#custody/keyring/keyring.ts'
import type { Envelope } from '#formats/message/envelope.ts'
import type { Bytes } from '#lib/bytes.ts'
import { wipe } from '#lib/bytes.ts'
import type { Fate } from '#privacy/e2e/e2e.ts'
import type { Plan } from '#privacy/e2e/plan.ts'
import type { MailForPickup } from '#privacy/pickup/pickup.ts'
import type { QueuedMail } from '../queue/queue.ts'
import { encodeWaiting } from '../queue/waiting.ts'
import type { MailSigner } from './submission.ts'

/** A signature packet over the content, meant for the owners of these certificates (upper-case hex fingerprints). */
type Sign = (content: Bytes, recipients: readonly string[]) => Promise<Bytes>

/** What privacy/e2e/seal.ts does. */
export interface Sealer {
  sealMessage(
    message: Bytes,
    how: { readonly certificates: readonly Bytes[]; readonly sign: Sign | null; readonly now: number },
  ): Promise<Bytes>
  /** The session key is the cipher octet, then the key; the caller's to wipe. */
  sealForLater(message: Bytes, sign: Sign | null): Promise<{ readonly content: Bytes; readonly sessionKey: Bytes }>
}

/** A message that is ready to be sent, without trace field. */
export interface Ready {
  readonly author: Account
  readonly envelope: Envelope
  readonly outgoing: Bytes
  readonly signer: MailSigner | null
  /** Milliseconds since the epoch. */
  readonly time: number
}

export interface CopyDesk {
  readonly sealer: () => Promise<Sealer>
  /** The first copy has the name of the submission. */
  readonly newQueueId: () => string
  /** Puts our trace field in front. */
  readonly traced: (content: Bytes, queueId: string, envelope: Envelope) => Bytes
}

/** Everything that is handed on for one submission. Dispose it: session keys are wiped. */
export interface Handout extends Disposable {
  readonly mails: readonly QueuedMail[]
  readonly pickups: readonly MailForPickup[]
  /** Our signature is in what was sealed. */
  readonly isSigned: boolean
}

/** Octets of all copies of one message together. Whoever names recipients in To or Cc needs one copy for all of them. */
const MOST_OCTETS = 128 << 20

/** There are too many recipients whom the message does not name, for its size. */
export class TooManyCopies extends Error {
  override readonly name = 'TooManyCopies'
}

/** Of all copies that are sealed, roughly. */
export function octetsOf({ outgoing }: Ready, { copies }: Plan): number {
  return (copies.sealed.length + copies.waits.length + copies.pickup.length) * outgoing.length
}

type Sealed = Extract<Fate, { kind: 'sealed' }>

/** Rejects with what the signer or the sealing throws: then nothing may be sent. */
export async function handoutOf(ready: Ready, plan: Plan, desk: CopyDesk): Promise<Handout> {
  const most = Math.max(MOST_OCTETS, ready.outgoing.length)
  if (octetsOf(ready, plan) > most) throw new TooManyCopies()
  const maker = new CopyMaker(ready, plan, desk)
  await maker.make()
  return maker
}

class CopyMaker implements Handout {
  readonly mails: QueuedMail[] = []
  readonly pickups: MailForPickup[] = []
  isSigned = false
  readonly #ready: Ready
  readonly #plan: Plan
  readonly #desk: CopyDesk
  #sign: Sign | null

  constructor(ready: Ready, plan: Plan, desk: CopyDesk) {
    this.#ready = ready
    this.#plan = plan
    this.#desk = desk
    this.#sign = plan.signs ? signatureBy(ready.signer, ready.time) : null
  }

  async make(): Promise<void> {
    const { copies } = this.#plan
    if (copies.written.length > 0) this.#queue(this.#ready.outgoing, copies.written)
    for (const recipients of copies.sealed) this.#queue(await this.#sealed(recipients), recipients)
    if (copies.waits.length + copies.pickup.length > 0) await this.#sealToNobody()
  }

  async #sealed(recipients: readonly number[]): Promise<Bytes> {
    const { sealMessage } = await this.#desk.sealer()
    const { time: now } = this.#ready
    const fates = recipients.map((index) => this.#plan.fates[index] as Sealed)
    // Several addresses of one person may have one certificate.
    const certificates = [...new Map(fates.map((fate) => [fate.fingerprint, fate.certificate])).values()]
    return await this.#signedIfPossible((sign) => sealMessage(this.#ready.outgoing, { certificates, sign, now }))
  }

  /** One container for all of them: nobody is named in it, and each copy of it goes its own way. */
  async #sealToNobody(): Promise<void> {
    const { copies, rule, isDemanded } = this.#plan
    const { sealForLater } = await this.#desk.sealer()
    const { content, sessionKey } = await this.#signedIfPossible((sign) => sealForLater(this.#ready.outgoing, sign))
    try {
      const account = this.#ready.author.id
      const waiting = encodeWaiting({ sessionKey, withoutKey: rule, isDemanded, account })
      for (const index of copies.waits) this.#queue(content, [index], waiting)
      for (const index of copies.pickup) this.#keep(content, index, sessionKey)
    } finally {
      wipe(sessionKey)
    }
  }

  async #signedIfPossible<T>(seal: (sign: Sign | null) => Promise<T>): Promise<T> {
    try {
      const sealed = await seal(this.#sign)
      this.isSigned = this.#sign !== null
      return sealed
    } catch (error) {
      if (this.#sign === null || !(error instanceof NotWithThisCredential)) throw error
      this.#sign = null
      this.isSigned = false
      return await seal(null)
    }
  }

  #queue(content: Bytes, recipients: readonly number[], waiting?: Bytes): void {
    const { envelope, time } = this.#ready
    const own = { ...envelope, recipients: recipients.map((index) => envelope.recipients[index]!) }
    const queueId = this.#desk.newQueueId()
    const traced = this.#desk.traced(content, queueId, own)
    this.mails.push({ queueId, envelope: own, content: traced, arrived: time, ...(waiting ? { waiting } : {}) })
  }

  #keep(content: Bytes, index: number, sessionKey: Bytes): void {
    const { author, envelope } = this.#ready
    const recipient = envelope.recipients[index]!
    const own = { ...envelope, recipients: [recipient] }
    const queueId = this.#desk.newQueueId()
    this.pickups.push({
      queueId,
      account: author.id,
      author: author.address,
      recipient: recipient.address,
      message: this.#desk.traced(content, queueId, own),
      sessionKey: Buffer.from(sessionKey),
    })
  }

  [Symbol.dispose](): void {
    for (const { waiting } of this.mails) if (waiting) wipe(waiting)
    for (const { sessionKey } of this.pickups) wipe(sessionKey)
  }
}

function signatureBy(signer: MailSigner | null, created: number): Sign | null {
  return signer && ((content, recipients) => signer.sign(content, created, { recipients }))
}
