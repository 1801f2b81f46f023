/** The pages of the index: kept, found by number, and let go when no message needs what is in them. */
import type { Bytes } from '#lib/bytes.ts'
import { PAGE_ENTRIES } from './index-pages.ts'
import type { ContentId, NewPage, PageId } from './indexed-mail-store.ts'
import { prepare } from './prepared.ts'
import type { AccountScope } from './schema.ts'
import { prepareForIds } from './sql-bulk.ts'

type One = { account: number; page: number }

const takePageId = prepare((query, given: { account: number }) =>
  query
    .updateTable('account')
    .set((row) => ({ index_page: row('index_page', '+', 1) }))
    .where('account_id', '=', given.account)
    .returning('index_page'),
)
const insertPage = prepare((query, given: One & { octets: Bytes }) =>
  query.insertInto('index_page').values({ account_id: given.account, page_id: given.page, octets: given.octets }),
)
const deletePage = prepare((query, given: One) =>
  query.deleteFrom('index_page').where('account_id', '=', given.account).where('page_id', '=', given.page),
)
const insertUntidy = prepare((query, given: One) =>
  query
    .insertInto('untidy_page')
    .values({ account_id: given.account, page_id: given.page })
    .onConflict((conflict) => conflict.doNothing()),
)
const deleteUntidy = prepare((query, given: One) =>
  query.deleteFrom('untidy_page').where('account_id', '=', given.account).where('page_id', '=', given.page),
)
const untidyOnes = prepare((query, given: { account: number; limit: number }) =>
  query
    .selectFrom('untidy_page')
    .select('page_id')
    .where('account_id', '=', given.account)
    .orderBy('page_id')
    .limit(given.limit),
)
const pageRows = prepareForIds((query, given: { account: number }, ids) =>
  query
    .selectFrom('index_page')
    .select(['page_id', 'octets'])
    .where('account_id', '=', given.account)
    .where('page_id', 'in', ids),
)
const pageIds = prepare((query, given: { account: number; after: number; limit: number }) =>
  query
    .selectFrom('index_page')
    .select('page_id')
    .where('account_id', '=', given.account)
    .where('page_id', '>', given.after)
    .orderBy('page_id')
    .limit(given.limit),
)
const inNone = prepare((query, given: { account: number }) =>
  query
    .selectFrom('message')
    .select(({ fn }) => fn.count<number>('content_id').distinct().as('contents'))
    .where('account_id', '=', given.account)
    .where('index_page', 'is', null),
)
const contentsIn = prepare((query, given: One) =>
  query
    .selectFrom('message')
    .select('content_id')
    .distinct()
    .where('account_id', '=', given.account)
    .where('index_page', '=', given.page),
)
const messageIn = prepare((query, given: One) =>
  query
    .selectFrom('message')
    .select('uid')
    .where('account_id', '=', given.account)
    .where('index_page', '=', given.page)
    .limit(1),
)
const pointWaiting = prepareForIds((query, given: One, ids) =>
  query
    .updateTable('message')
    .set({ index_page: given.page })
    .where('account_id', '=', given.account)
    .where('content_id', 'in', ids)
    .where('index_page', 'is', null)
    .returning('content_id'),
)
const pointFrom = prepareForIds((query, given: One & { from: number }, ids) =>
  query
    .updateTable('message')
    .set({ index_page: given.page })
    .where('account_id', '=', given.account)
    .where('content_id', 'in', ids)
    .where('index_page', '=', given.from)
    .returning('content_id'),
)
const deleteSummaries = prepareForIds((query, given: { account: number }, ids) =>
  query.deleteFrom('waiting_summary').where('account_id', '=', given.account).where('content_id', 'in', ids),
)

export async function readPages(
  { query, account }: AccountScope,
  ids: readonly PageId[],
): Promise<ReadonlyMap<PageId, Bytes>> {
  const found = new Map<PageId, Bytes>()
  for (const { page_id, octets } of await pageRows(query, { account }, ids)) found.set(page_id, octets)
  return found
}

export async function readPagesAfter(
  { query, account }: AccountScope,
  after: PageId,
  limit: number,
): Promise<readonly PageId[]> {
  return (await pageIds(query, { account, after, limit })).map(({ page_id }) => page_id)
}

export async function readContentsOf({ query, account }: AccountScope, page: PageId): Promise<readonly ContentId[]> {
  return (await contentsIn(query, { account, page })).map(({ content_id }) => content_id)
}

export async function countWaiting({ query, account }: AccountScope): Promise<number> {
  return (await inNone(query, { account }))[0]!.contents
}

export async function readUntidy({ query, account }: AccountScope, limit: number): Promise<readonly PageId[]> {
  return (await untidyOnes(query, { account, limit })).map(({ page_id }) => page_id)
}

export async function deleteWaiting({ query, account }: AccountScope, contents: readonly ContentId[]): Promise<void> {
  await deleteSummaries(query, { account }, contents)
}

/** Takes a number for a page and keeps its octets. Nothing is in it before messages point to it. */
export async function addPage(scope: AccountScope, seal: (id: PageId) => Bytes): Promise<PageId> {
  const { query, account } = scope
  const [taken] = await takePageId(query, { account })
  const page = taken!.index_page
  await insertPage(query, { account, page, octets: seal(page) })
  return page
}

export async function keepPages(scope: AccountScope, pages: readonly NewPage[]): Promise<void> {
  for (const one of pages) await keepPage(scope, one)
}

async function keepPage(scope: AccountScope, { contents, from, seal }: NewPage): Promise<void> {
  const { query, account } = scope
  const page = await addPage(scope, seal)
  const moved = new Set<ContentId>()
  for (const before of from) {
    const given = { account, page }
    const rows =
      before === null ? pointWaiting(query, given, contents) : pointFrom(query, { ...given, from: before }, contents)
    for (const { content_id } of await rows) moved.add(content_id)
  }
  if (from.includes(null)) await deleteWaiting(scope, [...moved])
  const left = from.filter((before) => before !== null)
  await settlePages(scope, moved.size === 0 ? [...left, page] : left)
  if (moved.size > 0 && (moved.size < contents.length || moved.size < PAGE_ENTRIES / 2))
    await insertUntidy(query, { account, page })
}

/** After messages have left pages: those that no message needs go, the others are to be tidied. */
export async function settlePages(scope: AccountScope, pages: Iterable<PageId>): Promise<void> {
  const { query, account } = scope
  for (const page of pages) {
    if ((await messageIn(query, { account, page })).length > 0) await insertUntidy(query, { account, page })
    else {
      await deletePage(query, { account, page })
      await deleteUntidy(query, { account, page })
    }
  }
}
