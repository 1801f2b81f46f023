/** What is read of messages besides their contents: summaries that wait, and where in the index their entries are. */
import type { Bytes } from '#lib/bytes.ts'
import type { ContentId, IndexedParts } from './indexed-mail-store.ts'
import type { MailboxId, Uid } from './mail-store.ts'
import { prepare } from './prepared.ts'
import type { AccountScope } from './schema.ts'
import { prepareForIds } from './sql-bulk.ts'
import { readStatus } from './sql-mailboxes.ts'
import { messagesOf, rowOf } from './sql-messages.ts'

type Place = { account: number; mailbox: number; uid: number }

const contentOf = prepare((query, given: Place) =>
  query
    .selectFrom('message')
    .select('content_id')
    .where('account_id', '=', given.account)
    .where('mailbox_id', '=', given.mailbox)
    .where('uid', '=', given.uid),
)
const summariesOf = prepareForIds((query, given: { account: number }, ids) =>
  query
    .selectFrom('waiting_summary')
    .select(['content_id', 'octets'])
    .where('account_id', '=', given.account)
    .where('content_id', 'in', ids),
)
const newestWaiting = prepare((query, given: { account: number; mailbox: number; before: number; limit: number }) =>
  query
    .selectFrom('message')
    .select('uid')
    .where('account_id', '=', given.account)
    .where('index_page', 'is', null)
    .where('mailbox_id', '=', given.mailbox)
    .where('uid', '<', given.before)
    .orderBy('uid', 'desc')
    .limit(given.limit),
)

/** null for a uid that is gone. */
export async function findContent(
  { query, account }: AccountScope,
  mailbox: MailboxId,
  uid: Uid,
): Promise<ContentId | null> {
  return (await contentOf(query, { account, mailbox, uid }))[0]?.content_id ?? null
}

async function collect(
  { query, account }: AccountScope,
  contents: readonly ContentId[],
): Promise<ReadonlyMap<ContentId, Bytes>> {
  const found = new Map<ContentId, Bytes>()
  for (const { content_id, octets } of await summariesOf(query, { account }, contents)) found.set(content_id, octets)
  return found
}

export async function readSummaries(
  scope: AccountScope,
  mailbox: MailboxId,
  uids: readonly Uid[],
): Promise<readonly (Bytes | null)[]> {
  return (await readParts(scope, mailbox, uids)).map((parts) => parts?.summary ?? null)
}

/** Throws NoSuchMailbox. */
export async function readParts(
  scope: AccountScope,
  mailbox: MailboxId,
  uids: readonly Uid[],
): Promise<readonly (IndexedParts | null)[]> {
  const rows = await messagesOf(scope, mailbox, uids)
  if (rows.length === 0) await readStatus(scope, mailbox)
  const waiting = rows.filter(({ index_page }) => index_page === null)
  const summaries = await collect(
    scope,
    waiting.map(({ content_id }) => content_id),
  )
  const found = new Map<Uid, IndexedParts>()
  for (const row of rows) {
    const { content_id: content, index_page: page } = row
    found.set(row.uid, { content, row: rowOf(row), page, summary: summaries.get(content) ?? null })
  }
  return uids.map((uid) => found.get(uid) ?? null)
}

export async function readWaiting(
  { query, account }: AccountScope,
  mailbox: MailboxId,
  { before, limit }: { before: Uid | null; limit: number },
): Promise<readonly Uid[]> {
  const rows = await newestWaiting(query, { account, mailbox, before: before ?? Number.MAX_SAFE_INTEGER, limit })
  return rows.map(({ uid }) => uid)
}
