/** What is read of messages besides their rows: contents, summaries, index records. */
import type { Bytes } from '#lib/bytes.ts'
import type { ContentId, IndexedParts, IndexRecord, WaitingSummary } from './indexed-mail-store.ts'
import type { MailboxId, Uid } from './mail-store.ts'
import { prepare } from './prepared.ts'
import type { AccountScope, StoreQuery } from './schema.ts'
import { messagesOf } from './sql-messages.ts'
import { runsOf, sortedUids } from './uid-sets.ts'
import { yieldNow } from './yield-now.ts'

type Place = { account: number; mailbox: number; uid: number }

const contentOf = prepare((query, given: Place) =>
  query
    .selectFrom('message')
    .select('content_id')
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('uid', '=', given.uid),
)
/** Rows of a table with the content that their message has. */
function withContents(query: StoreQuery, table: 'summary' | 'index_record') {
  return query
    .selectFrom(table)
    .innerJoin('message', (join) =>
      join
        .onRef('message.account_id', '=', `${table}.account_id`)
        .onRef('message.mailbox_id', '=', `${table}.mailbox_id`)
        .onRef('message.uid', '=', `${table}.uid`),
    )
    .select([`${table}.uid`, `${table}.octets`, 'message.content_id as content'])
}
const partsBetween = (table: 'summary' | 'index_record') =>
  prepare((query, given: { account: number; mailbox: number; first: number; last: number }) =>
    withContents(query, table)
      .where(`${table}.account_id`, '=', given.account)
      .where(`${table}.mailbox_id`, '=', given.mailbox)
      .where(`${table}.uid`, '>=', given.first)
      .where(`${table}.uid`, '<=', given.last),
  )
const summariesBetween = partsBetween('summary')
const recordsBetween = partsBetween('index_record')
const newestSummaries = prepare((query, given: { account: number; mailbox: number; before: number; limit: number }) =>
  withContents(query, 'summary')
    .where('summary.account_id', '=', given.account)
    .where('summary.mailbox_id', '=', given.mailbox)
    .where('summary.uid', '<', given.before)
    .orderBy('summary.uid', 'desc')
    .limit(given.limit),
)
const recordsAfter = prepare((query, given: { account: number; mailbox: number; after: number; limit: number }) =>
  withContents(query, 'index_record')
    .where('index_record.account_id', '=', given.account)
    .where('index_record.mailbox_id', '=', given.mailbox)
    .where('index_record.uid', '>', given.after)
    .orderBy('index_record.uid')
    .limit(given.limit),
)
const putRecordRow = prepare((query, given: Place & { octets: Bytes }) =>
  query
    .insertInto('index_record')
    .values({ account_id: given.account, mailbox_id: given.mailbox, uid: given.uid, octets: given.octets })
    .onConflict((conflict) =>
      conflict.columns(['account_id', 'mailbox_id', 'uid']).doUpdateSet({ octets: given.octets }),
    ),
)
const deleteSummary = prepare((query, given: Place) =>
  query
    .deleteFrom('summary')
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('uid', '=', given.uid),
)

/** null for a uid that is gone. */
export async function findContent(
  { query, account }: AccountScope,
  mailbox: MailboxId,
  uid: Uid,
): Promise<ContentId | null> {
  return (await contentOf(query, { account, mailbox, uid }))[0]?.content_id ?? null
}

interface Part {
  readonly octets: Bytes
  readonly content: ContentId
}

/** Summaries are not small: few that were not asked for may be read along. */
const PARTS_GAP = 4

async function collect(
  between: typeof summariesBetween,
  { query, account }: AccountScope,
  mailbox: MailboxId,
  uids: readonly Uid[],
): Promise<ReadonlyMap<Uid, Part>> {
  const found = new Map<Uid, Part>()
  for (const { first, last } of runsOf(sortedUids(uids), PARTS_GAP))
    for (const row of await between(query, { account, mailbox, first, last })) found.set(row.uid, row)
  return found
}

export async function readSummaries(scope: AccountScope, mailbox: MailboxId, uids: readonly Uid[]) {
  const found = await collect(summariesBetween, scope, mailbox, uids)
  return uids.map((uid) => found.get(uid)?.octets ?? null)
}

export async function readParts(
  scope: AccountScope,
  mailbox: MailboxId,
  uids: readonly Uid[],
): Promise<readonly (IndexedParts | null)[]> {
  const found = new Map<Uid, IndexedParts>()
  const addRecords = async (of: readonly Uid[]) => {
    for (const [uid, { octets, content }] of await collect(recordsBetween, scope, mailbox, of))
      found.set(uid, { content, summary: null, record: octets })
  }
  const missing = () => uids.filter((uid) => !found.has(uid))
  await addRecords(uids)
  const without = missing()
  if (without.length > 0) {
    for (const [uid, { octets, content }] of await collect(summariesBetween, scope, mailbox, without))
      if (!found.has(uid)) found.set(uid, { content, summary: octets, record: null })
    // Between the two questions a record may have come into a summary's place.
    await addRecords(missing())
    for (const { uid, content_id } of await messagesOf(scope, mailbox, missing()))
      found.set(uid, { content: content_id, summary: null, record: null })
  }
  return uids.map((uid) => found.get(uid) ?? null)
}

export async function readWaiting(
  { query, account }: AccountScope,
  mailbox: MailboxId,
  { before, limit }: { before: Uid | null; limit: number },
): Promise<readonly WaitingSummary[]> {
  const rows = await newestSummaries(query, { account, mailbox, before: before ?? Number.MAX_SAFE_INTEGER, limit })
  return rows.map(({ uid, content, octets }) => ({ uid, content, summary: octets }))
}

export async function readRecords(
  { query, account }: AccountScope,
  mailbox: MailboxId,
  { after, limit }: { after: Uid; limit: number },
): Promise<readonly IndexRecord[]> {
  const rows = await recordsAfter(query, { account, mailbox, after, limit })
  return rows.map(({ uid, content, octets }) => ({ uid, content, record: octets }))
}

/** In the place of the summary. */
export async function putRecord(
  { query, account }: AccountScope,
  mailbox: MailboxId,
  uid: Uid,
  record: Bytes,
): Promise<void> {
  await putRecordRow(query, { account, mailbox, uid, octets: record })
  await deleteSummary(query, { account, mailbox, uid })
}

export async function keepRecords(
  scope: AccountScope,
  mailbox: MailboxId,
  records: readonly IndexRecord[],
): Promise<void> {
  for (const [index, { uid, content, record }] of records.entries()) {
    if ((await findContent(scope, mailbox, uid)) === content) await putRecord(scope, mailbox, uid, record)
    await yieldNow(index)
  }
}
