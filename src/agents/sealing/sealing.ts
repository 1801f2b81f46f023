/**
 * Mail that waits for a certificate, between the queue and the way on.
 *
 * When a message is sent and nobody can say which certificate its recipient has, it waits in the queue sealed to nobody, with
 * its session key and the author's policy beside it (agents/queue/waiting.ts). Every try begins with the question again: what is
 * found then is what it is sealed to, so a key that changed while it waited is no trouble. Where there authentically is none, the
 * policy of the author counts: refused, sent as it was written, or kept for pickup. While nobody can say, it goes on waiting, and
 * at the end of the schedule comes back to its author.
 *
 * Promises: what policy wants sealed never leaves in clear, whatever fails; what opens such a message, and what it says, is only
 * ever in memory; whatever its author is told carries the sealed form alone; the author hears of mail that left in clear (where
 * policy wants that) and of mail for pickup.
 *
 * All other mail passes through untouched, and nothing of this is loaded for it.
 */
import type { AccountId } from '#custody/accounts/directory.ts'
import type { Address } from '#formats/message/address.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import type { DiscovererSource } from '#privacy/discovery/discovery.ts'
import type { PickupStore } from '#privacy/pickup/pickup.ts'
import type { DeliveryAgent } from '../queue/queue.ts'

/** What the author of a message is told, once for each message and recipient however often it is said. */
export interface AuthorDesk {
  leftInClear(mail: ToldMail): Promise<void>
  keptForPickup(mail: ToldMail): Promise<void>
}

export interface ToldMail {
  readonly account: AccountId
  readonly queueId: string
  readonly recipient: Address
  /** Why there is no certificate, in words for people. */
  readonly why: string
  /** When the message was sent, in milliseconds since the epoch. */
  readonly arrived: number
}

export interface SealingOptions {
  /** The way on for mail that has been sealed, or needs no sealing. */
  readonly next: DeliveryAgent
  readonly discovery: DiscovererSource
  /** Opened for the first message that needs it. */
  readonly pickup: () => Promise<PickupStore>
  readonly author: AuthorDesk
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}
