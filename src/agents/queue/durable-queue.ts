/** The queue over one SQLite file. See queue.ts for what it promises. */
import { type Address, domainOf } from '#formats/message/address.ts'
import type { EnvelopeRecipient } from '#formats/message/envelope.ts'
import { reply } from '#formats/smtp/reply.ts'
import type { Clock } from '#lib/clock.ts'
import { randomId } from '#lib/ids.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import { openSqlite, type SqliteDatabase } from '#lib/sqlite.ts'
import { ContentDamaged, type OpenContent, sealContent, unsealContent } from './content-seal.ts'
import { Dispatcher, type QueueLimits, STANDARD_LIMITS } from './dispatcher.ts'
import { logSettlement } from './journey-log.ts'
import type { DeliveryAgent, Outcome, Queue, QueuedMail, QueueEntry, QueueId } from './queue.ts'
import { createQueueDesk, type QueueDesk } from './queue-desk.ts'
import { type QueueSchema, queueMigrations } from './queue-schema.ts'
import {
  type Batch,
  countRows,
  insertEntry,
  LOCAL,
  type NewEntry,
  putOff,
  readContent,
  recipientsLeft,
  release,
  removeIfDone,
  writeSettlement,
} from './queue-table.ts'
import { composeReports, type Reportable } from './reports.ts'
import { type Schedule, STANDARD_SCHEDULE } from './schedule.ts'
import { type Settlement, settle } from './settlement.ts'

export interface QueueOptions {
  readonly path: string
  /** 32 octets; stays the caller's, who wipes it after the queue is closed. */
  readonly key: Buffer
  /** Our own mailboxes, and everything else. */
  readonly local: DeliveryAgent
  readonly relay: DeliveryAgent
  /** Whether we are the provider of the domain (lower case, A-labels). */
  readonly isLocal: (domain: string) => boolean | Promise<boolean>
  /** Names this server in reports (RFC 3464 §2.2.2). */
  readonly hostname: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly schedule?: Partial<Schedule>
  readonly limits?: Partial<QueueLimits>
  readonly newQueueId?: () => QueueId
  /** From 0 to 1; for tests. */
  readonly random?: () => number
}

/** Opens or creates the file. Nothing is tried before `start`. */
export async function openQueue(options: QueueOptions): Promise<Queue> {
  const db = await openSqlite<QueueSchema>({ path: options.path, migrations: queueMigrations })
  return new DurableQueue(db, options)
}

/** Milliseconds. */
const COUNT_EVERY = 10_000

const GIVEN_UP: Outcome = {
  kind: 'failed',
  why: reply(554, '5.3.0', 'given up by the operator of this server'),
  remote: null,
}

class DurableQueue implements Queue {
  readonly #db: SqliteDatabase<QueueSchema>
  readonly #options: QueueOptions
  readonly #schedule: Schedule
  readonly #random: () => number
  readonly #desk: QueueDesk
  readonly #dispatcher: Dispatcher
  #started: Promise<void> | null = null
  #counted = 0

  constructor(db: SqliteDatabase<QueueSchema>, options: QueueOptions) {
    const { local, relay, clock, logger } = options
    this.#db = db
    this.#options = options
    this.#schedule = { ...STANDARD_SCHEDULE, ...options.schedule }
    this.#random = options.random ?? Math.random
    this.#desk = createQueueDesk(db, clock)
    this.#dispatcher = new Dispatcher({
      db,
      agentOf: (route) => (route === LOCAL ? local : relay),
      contentOf: (batch) => this.#content(batch.queueId),
      record: (batch, content, outcomes, putOffUntil) => this.#record(batch, content, outcomes, putOffUntil),
      looked: () => this.#count(),
      givenUp: GIVEN_UP,
      schedule: this.#schedule,
      limits: { ...STANDARD_LIMITS, ...options.limits },
      random: this.#random,
      clock,
      logger,
    })
  }

  enqueue(mail: QueuedMail): Promise<void> {
    return this.enqueueAll([mail])
  }

  async enqueueAll(mails: readonly QueuedMail[]): Promise<void> {
    const entries: NewEntry[] = []
    for (const mail of mails) {
      const routes = await Promise.all(mail.envelope.recipients.map(({ address }) => this.#routeOf(address)))
      entries.push(this.#entryOf(mail, routes))
    }
    await this.#insertAll(entries)
    for (const { queueId, envelope, size, sealed } of entries) {
      const waitsForCertificate = sealed.waiting !== null || undefined
      const fields = { queueId, recipients: envelope.recipients.length, size, waitsForCertificate }
      this.#options.logger.info(fields, 'mail queued')
    }
    if (!this.#dispatcher.areFull(entries.flatMap(({ routes }) => routes))) this.#dispatcher.wake()
  }

  start(): void {
    // What was being tried when the last process ended is simply tried again.
    this.#started ??= this.#db
      .write((change) => release(change, null))
      .then(
        () => this.#dispatcher.start(),
        (error: Error) => {
          this.#options.logger.error({ error }, 'queue cannot start')
        },
      )
  }

  async stop(graceMs: number): Promise<void> {
    await this.#started
    await this.#dispatcher.stop(graceMs)
  }

  entries(): Promise<readonly QueueEntry[]> {
    return this.#desk.entries()
  }

  entry(id: QueueId): Promise<QueueEntry | null> {
    return this.#desk.entry(id)
  }

  async retry(id: QueueId | null): Promise<number> {
    const concerned = await this.#desk.retry(id)
    this.wake()
    return concerned
  }

  async drop(id: QueueId, bounce: boolean): Promise<boolean> {
    const found = await this.#desk.drop(id, bounce)
    this.#options.logger.info({ queueId: id, bounce, found }, 'drop asked for')
    this.wake()
    return found
  }

  wake(): void {
    this.#dispatcher.wake()
  }

  async reportDelivered(mail: QueuedMail, delivered: readonly EnvelopeRecipient[]): Promise<void> {
    const now = this.#options.clock.now()
    const outcome: Outcome = { kind: 'delivered', by: null, remote: null, dsnRelayed: false }
    const settled = delivered.map((recipient, position) => {
      const waiting = { ...recipient, position, tries: 0, nextTry: now, warned: false, givenUp: false }
      return settle(waiting, outcome, { arrived: mail.arrived, now, schedule: this.#schedule, random: 0 })
    })
    const entries = await this.#reports(mail, settled)
    if (entries.length === 0) return
    await this.#insertAll(entries)
    this.#dispatcher.wake()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop(0)
    await this.#db[Symbol.asyncDispose]()
  }

  async #insertAll(entries: readonly NewEntry[]): Promise<void> {
    await this.#db.write(async (change) => {
      for (const entry of entries) await insertEntry(change, entry)
    })
  }

  async #routeOf(address: Address): Promise<string> {
    const domain = domainOf(address)
    // RFC 5321 §4.1.1.3: a bare <postmaster> is ours.
    if (domain === '') return LOCAL
    return (await this.#options.isLocal(domain)) ? LOCAL : domain
  }

  #entryOf(mail: QueuedMail, routes: readonly string[]): NewEntry {
    const { queueId, arrived, envelope, content } = mail
    const { clock, key } = this.#options
    const sealed = sealContent(key, mail)
    const now = clock.now()
    const nextTry = (route: string) => Math.max(now, this.#dispatcher.notBefore(route))
    return { queueId, arrived, envelope, size: content.length, sealed, routes, nextTry }
  }

  async #content(queueId: QueueId): Promise<OpenContent> {
    const sealed = await readContent(this.#db.query, queueId)
    if (!sealed) throw new ContentDamaged('the message is gone')
    return unsealContent(this.#options.key, queueId, sealed)
  }

  /** Everything that follows from the outcomes, in one transaction. */
  async #record(
    batch: Batch,
    content: Buffer,
    outcomes: readonly Outcome[],
    putOffUntil: number | null,
  ): Promise<void> {
    const { queueId, arrived, envelope, recipients, route } = batch
    const { clock, logger } = this.#options
    const circumstances = { arrived, now: clock.now(), schedule: this.#schedule, random: this.#random() }
    const mail = { queueId, arrived, envelope: { ...envelope, recipients }, content }
    const settleAll = (left: ReadonlyMap<number, boolean>): Settlement[] =>
      recipients.flatMap((recipient, index) => {
        const givenUp = left.get(recipient.position)
        if (givenUp === undefined) return []
        const outcome = outcomes[index]!
        return [settle(recipient, givenUp && outcome.kind === 'deferred' ? GIVEN_UP : outcome, circumstances)]
      })
    // Where a report goes is asked before the transaction: nothing may be waited for inside but the database.
    const home = envelope.reversePath && (await this.#routeOf(envelope.reversePath))
    const written = await this.#db.write(async (change) => {
      const settled = settleAll(await recipientsLeft(change, queueId))
      for (const one of settled) await writeSettlement(change, queueId, one)
      const reports = home === null ? [] : this.#compose({ mail, settled }, home)
      for (const report of reports) await insertEntry(change, report)
      await removeIfDone(change, queueId)
      if (putOffUntil !== null) await putOff(change, route, putOffUntil)
      return { settled, reports }
    })
    for (const one of written.settled) logSettlement(logger, this.#options.metrics, queueId, one)
    this.#logReports(queueId, written.reports)
  }

  async #reports(mail: QueuedMail, settled: readonly Settlement[]): Promise<readonly NewEntry[]> {
    const { reversePath } = mail.envelope
    if (!reversePath || settled.every((one) => one.report === null)) return []
    const entries = this.#compose({ mail, settled }, await this.#routeOf(reversePath))
    this.#logReports(mail.queueId, entries)
    return entries
  }

  #compose(reportable: Reportable, home: string): NewEntry[] {
    const { clock, hostname, newQueueId = () => randomId(12) } = this.#options
    const { giveUpAfter } = this.#schedule
    const reporter = { hostname, toOurOwn: home === LOCAL, now: clock.now(), giveUpAfter, newQueueId }
    try {
      return composeReports(reportable, reporter).map((report) => this.#entryOf(report, [home]))
    } catch (error) {
      // The outcome must be written down even when nobody can be told of it.
      this.#options.logger.error({ queueId: reportable.mail.queueId, error: error as Error }, 'report not composed')
      return []
    }
  }

  #logReports(queueId: QueueId, reports: readonly NewEntry[]): void {
    for (const report of reports) {
      this.#options.logger.info({ queueId, report: report.queueId }, 'sender is told')
    }
  }

  /** Counting looks at every row, so it is done now and then only. */
  async #count(): Promise<void> {
    const now = this.#options.clock.now()
    if (Math.abs(now - this.#counted) < COUNT_EVERY) return
    this.#counted = now
    const { messages, recipients } = await countRows(this.#db.query)
    this.#options.metrics.gauge('queue_messages', messages)
    this.#options.metrics.gauge('queue_recipients', recipients)
  }
}
