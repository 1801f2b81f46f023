/** A delivery agent that answers as the test says and remembers every try. */
import { EventEmitter, once } from 'node:events'
import type { DeliveryAgent, Outcome, QueuedMail } from '#agents/queue/queue.ts'
import { formatAddress } from '#formats/message/address.ts'
import type { EnvelopeRecipient } from '#formats/message/envelope.ts'
import { reply } from '#formats/smtp/reply.ts'

export interface Try {
  readonly queueId: string
  readonly to: readonly string[]
  readonly mail: QueuedMail
}

export interface FakeAgent extends DeliveryAgent {
  readonly tries: readonly Try[]
  /** Tries that are under way, and the most that ever were. */
  readonly underWay: number
  readonly mostUnderWay: number
  /** Resolves once so many tries have begun. */
  tried(times: number): Promise<Try>
  /** Ends every try that is under way as a deferral. */
  abandon(): void
}

type Answer = (recipient: EnvelopeRecipient, tries: number, signal: AbortSignal) => Outcome | Promise<Outcome>

export const DELIVERED: Outcome = { kind: 'delivered', by: reply(250, '2.0.0', 'ok'), remote: null, dsnRelayed: false }
export const RELAYED: Outcome = { ...DELIVERED, remote: 'mx.beta.test' }
export const LATER: Outcome = { kind: 'deferred', why: reply(450, '4.2.0', 'not now'), remote: 'mx.beta.test' }
export const UNREACHABLE: Outcome = { ...LATER, unreachable: true }
export const NEVER: Outcome = { kind: 'failed', why: reply(550, '5.1.1', 'nobody here'), remote: 'mx.beta.test' }

export function createFakeAgent(answer: Answer): FakeAgent {
  const tries: Try[] = []
  const events = new EventEmitter().setMaxListeners(0)
  let underWay = 0
  let mostUnderWay = 0
  return {
    tries,
    get underWay() {
      return underWay
    },
    get mostUnderWay() {
      return mostUnderWay
    },
    async deliver(mail, recipients, signal) {
      const number = tries.push({
        queueId: mail.queueId,
        to: recipients.map((one) => formatAddress(one.address)),
        mail,
      })
      mostUnderWay = Math.max(mostUnderWay, ++underWay)
      events.emit('try')
      try {
        const answers = Promise.all(recipients.map((recipient) => answer(recipient, number, signal)))
        const abandoned = once(events, 'abandon').then(() => recipients.map(() => LATER))
        return await Promise.race([answers, abandoned])
      } finally {
        underWay--
      }
    },
    abandon() {
      events.emit('abandon')
    },
    async tried(times) {
      while (tries.length < times) await once(events, 'try')
      return tries[times - 1]!
    },
  }
}
