/** What is read of messages besides their rows: contents, summaries, index records. */
import type { Bytes } from '#lib/bytes.ts'
import type { IndexedParts, IndexRecord, WaitingSummary } from './indexed-mail-store.ts'
import type { MailboxId, Uid } from './mail-store.ts'
import { prepare } from './prepared.ts'
import type { AccountScope } from './schema.ts'
import { messagesOf } from './sql-messages.ts'
import { runsOf, sortedUids } from './uid-sets.ts'
import { yieldNow } from './yield-now.ts'

type Place = { account: number; mailbox: number; uid: number }

const content = prepare((query, given: Place) =>
  query
    .selectFrom('message')
    .innerJoin('content', (join) =>
      join
        .onRef('content.account_id', '=', 'message.account_id')
        .onRef('content.content_id', '=', 'message.content_id'),
    )
    .select(['content.size', 'content.octets', 'content.file'])
    .where('message.account_id', '=', given.account)
    .where('message.mailbox_id', '=', given.mailbox)
    .where('message.uid', '=', given.uid),
)
const partsBetween = (table: 'summary' | 'index_record') =>
  prepare((query, given: { account: number; mailbox: number; first: number; last: number }) =>
    query
      .selectFrom(table)
      .select(['uid', 'octets'])
      .where('account_id', '=', given.account)
      .where('mailbox_id', '=', given.mailbox)
      .where('uid', '>=', given.first)
      .where('uid', '<=', given.last),
  )
const summariesBetween = partsBetween('summary')
const recordsBetween = partsBetween('index_record')
const newestSummaries = prepare((query, given: { account: number; mailbox: number; before: number; limit: number }) =>
  query
    .selectFrom('summary')
    .select(['uid', 'octets as summary'])
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('uid', '<', given.before)
    .orderBy('uid', 'desc')
    .limit(given.limit),
)
const exists = prepare((query, given: Place) =>
  query
    .selectFrom('message')
    .select('uid')
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('uid', '=', given.uid),
)
const putRecord = prepare((query, given: Place & { octets: Bytes }) =>
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
export async function findContent({ query, account }: AccountScope, mailbox: MailboxId, uid: Uid) {
  return (await content(query, { account, mailbox, uid }))[0] ?? null
}

/** Summaries are not small: few that were not asked for may be read along. */
const PARTS_GAP = 4

async function collect(
  between: typeof summariesBetween,
  { query, account }: AccountScope,
  mailbox: MailboxId,
  uids: readonly Uid[],
): Promise<ReadonlyMap<Uid, Bytes>> {
  const found = new Map<Uid, Bytes>()
  for (const { first, last } of runsOf(sortedUids(uids), PARTS_GAP))
    for (const { uid, octets } of await between(query, { account, mailbox, first, last })) found.set(uid, octets)
  return found
}

export async function readSummaries(scope: AccountScope, mailbox: MailboxId, uids: readonly Uid[]) {
  const found = await collect(summariesBetween, scope, mailbox, uids)
  return uids.map((uid) => found.get(uid) ?? null)
}

export async function readParts(
  scope: AccountScope,
  mailbox: MailboxId,
  uids: readonly Uid[],
): Promise<readonly (IndexedParts | null)[]> {
  const records = await collect(recordsBetween, scope, mailbox, uids)
  const without = uids.filter((uid) => !records.has(uid))
  const summaries = await collect(summariesBetween, scope, mailbox, without)
  const bare = without.filter((uid) => !summaries.has(uid))
  const there = new Set((await messagesOf(scope, mailbox, bare)).map(({ uid }) => uid))
  return uids.map((uid) => {
    const [summary, record] = [summaries.get(uid) ?? null, records.get(uid) ?? null]
    return summary || record || there.has(uid) ? { summary, record } : null
  })
}

export async function readWaiting(
  { query, account }: AccountScope,
  mailbox: MailboxId,
  { before, limit }: { before: Uid | null; limit: number },
): Promise<readonly WaitingSummary[]> {
  return newestSummaries(query, { account, mailbox, before: before ?? Number.MAX_SAFE_INTEGER, limit })
}

export async function putRecords(
  { query, account }: AccountScope,
  mailbox: MailboxId,
  records: readonly IndexRecord[],
): Promise<void> {
  for (const [index, { uid, record }] of records.entries()) {
    if ((await exists(query, { account, mailbox, uid })).length === 0) continue
    await putRecord(query, { account, mailbox, uid, octets: record })
    await deleteSummary(query, { account, mailbox, uid })
    await yieldNow(index)
  }
}
