/** What is written to the queue's tables, and asked of them. */
import type { Transaction } from 'kysely'
import type { Address } from '#formats/message/address.ts'
import type { Envelope, Notify } from '#formats/message/envelope.ts'
import type { Reply } from '#formats/smtp/reply.ts'
import { preparing } from '#lib/prepared.ts'
import type { Query } from '#lib/sqlite.ts'
import type { SealedContent } from './content-seal.ts'
import type { QueueEntry, QueueEntryRecipient, QueueId } from './queue.ts'
import type { QueueSchema } from './queue-schema.ts'
import type { Settlement, WaitingRecipient } from './settlement.ts'

/** The route of what stays here; no domain is spelled like this. */
export const LOCAL = ''

type Change = Transaction<QueueSchema>
type One = { queueId: QueueId }
type RecipientRow = QueueSchema['recipient']
type EnvelopeHead = Omit<Envelope, 'recipients'>

const prepare = preparing<QueueSchema>()

/** One message and those of its recipients that one try is for. */
export interface Batch {
  readonly queueId: QueueId
  readonly route: string
  readonly arrived: number
  readonly envelope: EnvelopeHead
  /** Octets of the content. */
  readonly size: number
  readonly recipients: readonly WaitingRecipient[]
}

export interface NewEntry {
  readonly queueId: QueueId
  readonly arrived: number
  readonly envelope: Envelope
  readonly size: number
  readonly sealed: SealedContent
  /** One per recipient. */
  readonly routes: readonly string[]
  readonly nextTry: (route: string) => number
}

const insertMessage = prepare((query, given: QueueSchema['message']) =>
  query.insertInto('message').values({
    queue_id: given.queue_id,
    arrived: given.arrived,
    envelope: given.envelope,
    size: given.size,
    key: given.key,
    content: given.content,
    waiting: given.waiting,
  }),
)

const insertRecipient = prepare((query, given: RecipientRow) =>
  query.insertInto('recipient').values({
    queue_id: given.queue_id,
    position: given.position,
    route: given.route,
    address: given.address,
    notify: given.notify,
    orcpt: given.orcpt,
    state: given.state,
    tries: given.tries,
    next_try: given.next_try,
    last_reply: given.last_reply,
    remote: given.remote,
    warned: given.warned,
    given_up: given.given_up,
  }),
)

export async function insertEntry(change: Change, entry: NewEntry): Promise<void> {
  const { queueId, arrived, envelope, size, sealed } = entry
  const { recipients, ...head } = envelope
  await insertMessage(change, { queue_id: queueId, arrived, envelope: JSON.stringify(head), size, ...sealed })
  for (const [position, recipient] of recipients.entries()) {
    const route = entry.routes[position]!
    const row: RecipientRow = {
      queue_id: queueId,
      position,
      route,
      address: JSON.stringify(recipient.address),
      notify: recipient.notify && JSON.stringify(recipient.notify),
      orcpt: recipient.orcpt,
      state: 'waiting',
      tries: 0,
      next_try: entry.nextTry(route),
      last_reply: null,
      remote: null,
      warned: 0,
      given_up: 0,
    }
    await insertRecipient(change, row)
  }
}

const routesDue = prepare((query, given: { now: number }) =>
  query
    .selectFrom('recipient')
    .select(['route', (select) => select.fn.min('next_try').as('first')])
    .where('state', '=', 'waiting')
    .where('next_try', '<=', given.now)
    .groupBy('route')
    .orderBy('first'),
)

/** Routes that have something due, the longest waiting first. */
export async function dueRoutes(query: Query<QueueSchema>, now: number): Promise<string[]> {
  return (await routesDue(query, { now })).map((row) => row.route)
}

const firstAfter = prepare((query, given: { now: number }) =>
  query
    .selectFrom('recipient')
    .select((select) => select.fn.min('next_try').as('first'))
    .where('state', '=', 'waiting')
    .where('next_try', '>', given.now),
)

/** When the next one falls due after `now`, or null. */
export async function nextDue(query: Query<QueueSchema>, now: number): Promise<number | null> {
  const [row] = await firstAfter(query, { now })
  return row?.first ?? null
}

export interface Claim {
  readonly route: string
  readonly now: number
  readonly messages: number
  /** In one batch. */
  readonly recipients: number
}

const headsDue = prepare((query, given: Omit<Claim, 'recipients'>) =>
  query
    .selectFrom('recipient')
    .innerJoin('message', 'message.queue_id', 'recipient.queue_id')
    .select(['recipient.queue_id', 'message.arrived', 'message.envelope', 'message.size'])
    .select((select) => select.fn.min('next_try').as('first'))
    .where('state', '=', 'waiting')
    .where('route', '=', given.route)
    .where('next_try', '<=', given.now)
    .groupBy(['recipient.queue_id', 'message.arrived', 'message.envelope', 'message.size'])
    .orderBy('first')
    .limit(given.messages),
)

const recipientsDue = prepare((query, given: One & Omit<Claim, 'messages'>) =>
  query
    .selectFrom('recipient')
    .selectAll()
    .where('queue_id', '=', given.queueId)
    .where('route', '=', given.route)
    .where('state', '=', 'waiting')
    .where('next_try', '<=', given.now)
    .orderBy('position')
    .limit(given.recipients),
)

/** What `recipientsDue` found, the last of it at `last`. */
const markTried = prepare((query, given: One & { route: string; now: number; last: number }) =>
  query
    .updateTable('recipient')
    .set({ state: 'trying' })
    .where('queue_id', '=', given.queueId)
    .where('route', '=', given.route)
    .where('state', '=', 'waiting')
    .where('next_try', '<=', given.now)
    .where('position', '<=', given.last),
)

/** Marks up to `messages` messages of the route as being tried, the longest waiting first. */
export async function claim(change: Change, { route, now, messages, recipients: limit }: Claim): Promise<Batch[]> {
  const batches: Batch[] = []
  for (const { queue_id: queueId, arrived, envelope, size } of await headsDue(change, { route, now, messages })) {
    const rows = await recipientsDue(change, { queueId, route, now, recipients: limit })
    await markTried(change, { queueId, route, now, last: rows.at(-1)!.position })
    const recipients = rows.map(waitingRecipient)
    batches.push({ queueId, route, arrived, size, envelope: JSON.parse(envelope), recipients })
  }
  return batches
}

const positionsLeft = prepare((query, given: One) =>
  query.selectFrom('recipient').select(['position', 'given_up']).where('queue_id', '=', given.queueId),
)

/**
 * The recipients of a message that are still in the queue, by position, and whether the operator has given them up:
 * another process may have changed both during a try.
 */
export async function recipientsLeft(change: Change, queueId: QueueId): Promise<ReadonlyMap<number, boolean>> {
  const rows = await positionsLeft(change, { queueId })
  return new Map(rows.map((row) => [row.position, row.given_up !== 0]))
}

const deleteRecipient = prepare((query, given: One & { position: number }) =>
  query.deleteFrom('recipient').where('queue_id', '=', given.queueId).where('position', '=', given.position),
)

const deleteMessage = prepare((query, given: One) => query.deleteFrom('message').where('queue_id', '=', given.queueId))

export async function writeSettlement(change: Change, queueId: QueueId, settled: Settlement): Promise<void> {
  const { recipient, nextTry, reply, remote, report } = settled
  const { position } = recipient
  if (nextTry === null) {
    await deleteRecipient(change, { queueId, position })
    return
  }
  await change
    .updateTable('recipient')
    .set({
      state: 'waiting',
      tries: recipient.tries + 1,
      next_try: nextTry,
      last_reply: reply && JSON.stringify(reply),
      remote,
      warned: recipient.warned || report === 'delayed' ? 1 : 0,
    })
    .where('queue_id', '=', queueId)
    .where('position', '=', position)
    .execute()
}

/** Removes the message when no recipient is left. */
export async function removeIfDone(change: Change, queueId: QueueId): Promise<void> {
  if ((await recipientsLeft(change, queueId)).size > 0) return
  await deleteMessage(change, { queueId })
}

/** Removes the message with all its recipients; says whether it was there. */
export async function removeEntry(change: Change, queueId: QueueId): Promise<boolean> {
  await change.deleteFrom('recipient').where('queue_id', '=', queueId).execute()
  const result = await change.deleteFrom('message').where('queue_id', '=', queueId).executeTakeFirst()
  return result.numDeletedRows > 0n
}

/** Nothing of the route is tried before `until`; what was given up needs no try. */
export async function putOff(change: Change, route: string, until: number): Promise<void> {
  await change
    .updateTable('recipient')
    .set({ next_try: until })
    .where('state', '=', 'waiting')
    .where('route', '=', route)
    .where('next_try', '<', until)
    .where('given_up', '=', 0)
    .execute()
}

/** What a try that was cut short left marked waits again. */
export async function release(change: Change, queueId: QueueId | null): Promise<void> {
  const update = change.updateTable('recipient').set({ state: 'waiting' }).where('state', '=', 'trying')
  await (queueId === null ? update : update.where('queue_id', '=', queueId)).execute()
}

/** Makes waiting recipients due now; answers how many. */
export async function makeDue(change: Change, queueId: QueueId | null, now: number): Promise<number> {
  const update = change.updateTable('recipient').set({ next_try: now }).where('state', '=', 'waiting')
  const result = await (queueId === null ? update : update.where('queue_id', '=', queueId)).executeTakeFirst()
  return Number(result.numUpdatedRows)
}

/** Has the next look fail all recipients; says whether the message was there. */
export async function giveUp(change: Change, queueId: QueueId, now: number): Promise<boolean> {
  const result = await change
    .updateTable('recipient')
    .set({ given_up: 1, next_try: now })
    .where('queue_id', '=', queueId)
    .executeTakeFirst()
  return result.numUpdatedRows > 0n
}

const sealedContent = prepare((query, given: One) =>
  query.selectFrom('message').select(['key', 'content', 'waiting']).where('queue_id', '=', given.queueId),
)

export async function readContent(query: Query<QueueSchema>, queueId: QueueId): Promise<SealedContent | null> {
  const [row] = await sealedContent(query, { queueId })
  return row ?? null
}

/** One message or all, in order of arrival. */
export async function readEntries(query: Query<QueueSchema>, queueId: QueueId | null): Promise<QueueEntry[]> {
  const messages = query
    .selectFrom('message')
    .select(['queue_id', 'arrived', 'envelope', 'size'])
    .select((select) => select('waiting', 'is not', null).as('waits'))
  const recipients = query.selectFrom('recipient').selectAll().orderBy('position')
  const heads = await (queueId === null ? messages : messages.where('queue_id', '=', queueId))
    .orderBy('arrived')
    .execute()
  const rows = await (queueId === null ? recipients : recipients.where('queue_id', '=', queueId)).execute()
  const byMessage = Map.groupBy(rows, (row) => row.queue_id)
  return heads.map(({ queue_id, arrived, envelope, size, waits }) => {
    const left = (byMessage.get(queue_id) ?? []).map(entryRecipient)
    return {
      queueId: queue_id,
      arrived,
      size,
      waitsForCertificate: Boolean(waits),
      recipients: left,
      envelope: { ...JSON.parse(envelope), recipients: left },
    }
  })
}

/** Messages and recipients that wait or are being tried. */
export async function countRows(query: Query<QueueSchema>): Promise<{ messages: number; recipients: number }> {
  const count = async (table: 'message' | 'recipient') => {
    const row = await query
      .selectFrom(table)
      .select((select) => select.fn.countAll().as('rows'))
      .executeTakeFirst()
    return Number(row?.rows ?? 0)
  }
  return { messages: await count('message'), recipients: await count('recipient') }
}

function waitingRecipient(row: RecipientRow): WaitingRecipient {
  return {
    position: row.position,
    address: JSON.parse(row.address) as Address,
    notify: row.notify === null ? null : (JSON.parse(row.notify) as Notify),
    orcpt: row.orcpt,
    tries: row.tries,
    nextTry: row.next_try,
    warned: row.warned !== 0,
    givenUp: row.given_up !== 0,
  }
}

function entryRecipient(row: RecipientRow): QueueEntryRecipient {
  const { address, notify, orcpt, tries, nextTry } = waitingRecipient(row)
  return {
    address,
    notify,
    orcpt,
    tries,
    nextTry,
    state: row.state === 'trying' ? 'trying' : 'waiting',
    lastReply: row.last_reply === null ? null : (JSON.parse(row.last_reply) as Reply),
    remote: row.remote,
  }
}
