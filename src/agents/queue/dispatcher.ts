/**
 * Chooses what is tried next and runs the tries: up to a number at once, up to a number per domain, one probe at a time for a
 * domain that could not be reached. All state that must survive is in the tables; here is only what is under way.
 */
import { wipe } from '#lib/bytes.ts'
import { type Clock, pause } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { SqliteDatabase } from '#lib/sqlite.ts'
import type { OpenContent } from './content-seal.ts'
import type { DeliveryAgent, Outcome } from './queue.ts'
import type { QueueSchema } from './queue-schema.ts'
import { type Batch, claim, dueRoutes, LOCAL, nextDue, release } from './queue-table.ts'
import { delayAfter, type Schedule } from './schedule.ts'

export interface QueueLimits {
  /** Tries under way to other servers. */
  readonly remote: number
  readonly perDomain: number
  /** Tries under way into our own store. */
  readonly local: number
  /** In one transaction; the rest of a message's recipients follow in the next (RFC 5321 §4.5.3.1.8). */
  readonly recipients: number
  /** Of content in memory at once, except that one message is always tried. */
  readonly octets: number
}

export const STANDARD_LIMITS: QueueLimits = {
  remote: 50,
  perDomain: 5,
  local: 8,
  recipients: 100,
  octets: 256 * 1024 * 1024,
}

/** What other processes changed is seen after this many milliseconds at the latest. */
const LOOK_AGAIN = 30_000
/** Pause after our own disk failed. */
const DISK_PAUSE = 10_000
/** Domains that cannot be reached and are remembered; beyond, the oldest is forgotten and tried like any other. */
const FAILING_KEPT = 10_000

interface DispatcherOptions {
  readonly db: SqliteDatabase<QueueSchema>
  readonly agentOf: (route: string) => DeliveryAgent
  readonly contentOf: (batch: Batch) => Promise<OpenContent>
  /** Writes down what became of a batch; `putOffUntil` holds for the rest of its route. */
  readonly record: (
    batch: Batch,
    content: Buffer,
    outcomes: readonly Outcome[],
    putOffUntil: number | null,
  ) => Promise<void>
  /** After every look. */
  readonly looked: () => Promise<void>
  /** The outcome of recipients that the operator gave up; nothing is tried for them. */
  readonly givenUp: Outcome
  readonly schedule: Schedule
  readonly limits: QueueLimits
  readonly random: () => number
  readonly clock: Clock
  readonly logger: Logger
}

const TROUBLE: Outcome = {
  kind: 'deferred',
  why: { code: 451, enhanced: '4.3.0', lines: ['local trouble, trying again later'] },
  remote: null,
}

export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #underWay = new Set<Promise<void>>()
  readonly #active = new Map<string, number>()
  readonly #failing = new Map<string, { failures: number; until: number }>()
  readonly #cut = new AbortController()
  #octets = 0
  #waitsForRoom: (() => void)[] = []
  #running = false
  #looking: Promise<void> | null = null
  #lookAgain = false
  #timer: Disposable | null = null

  constructor(options: DispatcherOptions) {
    this.#options = options
  }

  start(): void {
    this.#running = true
    this.wake()
  }

  /** When mail for the route may be tried at the earliest. */
  notBefore(route: string): number {
    return this.#failing.get(route)?.until ?? 0
  }

  /** New mail of these routes need not be looked at before a try that is under way ends: that looks by itself. */
  areFull(routes: readonly string[]): boolean {
    return routes.every((route) => this.#free(route) <= 0)
  }

  wake(): void {
    if (!this.#running) return
    this.#lookAgain = true
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null
      if (this.#lookAgain) this.wake()
    })
  }

  async stop(graceMs: number): Promise<void> {
    this.#running = false
    this.#timer?.[Symbol.dispose]()
    await this.#looking
    if (this.#underWay.size === 0) return
    const over = Promise.allSettled([...this.#underWay])
    let timer: Disposable | null = null
    const grace = new Promise<void>((resolve) => {
      timer = this.#options.clock.after(graceMs, resolve)
    })
    await Promise.race([over, grace])
    ;(timer as Disposable | null)?.[Symbol.dispose]()
    this.#cut.abort(new Error('the queue is stopping'))
    await over
  }

  async #look(): Promise<void> {
    const { db, looked, clock, logger } = this.#options
    let again = LOOK_AGAIN
    while (this.#lookAgain && this.#running) {
      this.#lookAgain = false
      try {
        const now = clock.now()
        const routes = (await dueRoutes(db.query, now)).filter((route) => this.#free(route) > 0)
        if (routes.length > 0) await this.#begin(routes, now)
        const next = await nextDue(db.query, now)
        again = Math.min(LOOK_AGAIN, next === null ? LOOK_AGAIN : next - now)
        await looked()
      } catch (error) {
        logger.error({ error: error as Error }, 'queue unreadable, looking again soon')
        again = DISK_PAUSE
      }
    }
    this.#timer?.[Symbol.dispose]()
    if (this.#running) this.#timer = clock.after(again, () => this.wake())
  }

  /** How many more tries may begin for the route. */
  #free(route: string): number {
    const { limits } = this.#options
    const active = this.#active.get(route) ?? 0
    if (route === LOCAL) return limits.local - active
    const perDomain = this.#failing.has(route) ? 1 : limits.perDomain
    return Math.min(perDomain - active, limits.remote - this.#remoteUnderWay())
  }

  async #begin(routes: readonly string[], now: number): Promise<void> {
    const { db, limits } = this.#options
    const batches = await db.write(async (change) => {
      const claimed: Batch[] = []
      let remote = 0
      for (const route of routes) {
        const left = route === LOCAL ? limits.local : limits.remote - (this.#remoteUnderWay() + remote)
        const messages = Math.min(this.#free(route), left)
        if (messages <= 0) continue
        const batch = await claim(change, { route, now, messages, recipients: limits.recipients })
        if (route !== LOCAL) remote += batch.length
        claimed.push(...batch)
      }
      return claimed
    })
    for (const batch of batches) this.#run(batch)
  }

  #remoteUnderWay(): number {
    return this.#underWay.size - (this.#active.get(LOCAL) ?? 0)
  }

  #run(batch: Batch): void {
    const { route } = batch
    this.#active.set(route, (this.#active.get(route) ?? 0) + 1)
    const attempt = this.#withRoom(batch.size, () => this.#attempt(batch)).finally(() => {
      this.#underWay.delete(attempt)
      const active = this.#active.get(route)! - 1
      if (active === 0) this.#active.delete(route)
      else this.#active.set(route, active)
      this.wake()
    })
    this.#underWay.add(attempt)
  }

  async #withRoom(octets: number, attempt: () => Promise<void>): Promise<void> {
    while (this.#octets > 0 && this.#octets + octets > this.#options.limits.octets) {
      await new Promise<void>((resolve) => this.#waitsForRoom.push(resolve))
    }
    this.#octets += octets
    try {
      await attempt()
    } finally {
      this.#octets -= octets
      for (const look of this.#waitsForRoom.splice(0)) look()
    }
  }

  async #attempt(batch: Batch): Promise<void> {
    const { contentOf, logger } = this.#options
    let content: Buffer = Buffer.alloc(0)
    let outcomes: readonly Outcome[]
    try {
      const open = await contentOf(batch)
      content = open.content
      try {
        outcomes = await this.#deliver(batch, open)
      } finally {
        if (open.waiting) wipe(open.waiting)
      }
    } catch (error) {
      logger.error({ queueId: batch.queueId, error: error as Error }, 'try failed by itself')
      outcomes = batch.recipients.map(() => TROUBLE)
    }
    await this.#record(batch, content, outcomes)
  }

  async #deliver({ queueId, route, arrived, envelope, recipients }: Batch, open: OpenContent): Promise<Outcome[]> {
    const { agentOf, givenUp } = this.#options
    const tried = recipients.filter((recipient) => !recipient.givenUp)
    const mail = { queueId, envelope: { ...envelope, recipients: tried }, ...open, arrived }
    const outcomes = tried.length > 0 ? await agentOf(route).deliver(mail, tried, this.#cut.signal) : []
    if (outcomes.length !== tried.length) throw new Error('an outcome is missing')
    const byRecipient = new Map(tried.map((recipient, at) => [recipient, outcomes[at]!]))
    return recipients.map((recipient) => byRecipient.get(recipient) ?? givenUp)
  }

  /** The outcome is known, so it is written down however long the disk takes: otherwise it would be tried again. */
  async #record(batch: Batch, content: Buffer, outcomes: readonly Outcome[]): Promise<void> {
    const { db, record, clock, logger } = this.#options
    const cut = this.#cut.signal.aborted && outcomes.every((outcome) => outcome.kind === 'deferred')
    const putOffUntil = cut ? null : this.#judgeRoute(batch.route, outcomes)
    for (;;) {
      try {
        if (cut) await db.write((change) => release(change, batch.queueId))
        else await record(batch, content, outcomes, putOffUntil)
        return
      } catch (error) {
        logger.error({ queueId: batch.queueId, error: error as Error }, 'outcome not written, trying to write it again')
        if (this.#cut.signal.aborted) return
        await pause(clock, DISK_PAUSE, this.#cut.signal).catch(() => {})
      }
    }
  }

  /** Until when the whole route waits, or null when it can be reached. */
  #judgeRoute(route: string, outcomes: readonly Outcome[]): number | null {
    const { schedule, random, clock } = this.#options
    const unreachable = outcomes.every((outcome) => outcome.kind === 'deferred' && outcome.unreachable)
    if (!unreachable) {
      this.#failing.delete(route)
      return null
    }
    const before = this.#failing.get(route)
    // Tries that were under way together are one failure.
    if (before && clock.now() < before.until) return before.until
    const failures = (before?.failures ?? 0) + 1
    const until = clock.now() + delayAfter(schedule, failures, random())
    this.#failing.delete(route)
    if (this.#failing.size >= FAILING_KEPT) this.#failing.delete(this.#failing.keys().next().value!)
    this.#failing.set(route, { failures, until })
    return until
  }
}
