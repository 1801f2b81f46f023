/** Which messages came sealed: names that say nothing without the account's keys, kept so that what answers them is known. */
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { prepare } from './prepared.ts'
import type { AccountScope } from './schema.ts'
import { yieldNow } from './yield-now.ts'

/** Conversations that rest for longer begin anew. */
const KEPT_MS = 400 * 24 * 60 * 60_000
const MOST = 200_000
/** Out of all that their first two octets can be: names are as good as dice. */
const TIDIES_BELOW = 64

type Named = { account: number; name: Bytes }

const putName = prepare((query, given: Named & { at: number }) =>
  query
    .insertInto('sealed_name')
    .values({ account_id: given.account, name: given.name, at: given.at })
    .onConflict((conflict) => conflict.columns(['account_id', 'name']).doUpdateSet({ at: given.at })),
)
const nameRow = prepare((query, given: Named) =>
  query.selectFrom('sealed_name').select('at').where('account_id', '=', given.account).where('name', '=', given.name),
)
const oldestRow = prepare((query, given: { account: number }) =>
  query.selectFrom('sealed_name').select('at').where('account_id', '=', given.account).orderBy('at').limit(1),
)
const surplusRow = prepare((query, given: { account: number; most: number }) =>
  query
    .selectFrom('sealed_name')
    .select('at')
    .where('account_id', '=', given.account)
    .orderBy('at', 'desc')
    .limit(1)
    .offset(given.most),
)
const dropNames = prepare((query, given: { account: number; until: number }) =>
  query.deleteFrom('sealed_name').where('account_id', '=', given.account).where('at', '<=', given.until),
)

/** Inside a transaction. One in a thousand times the old ones go. */
export async function keepSealedNames(scope: AccountScope, names: readonly Bytes[], at: number): Promise<void> {
  const { query, account } = scope
  for (const name of names) await putName(query, { account, name, at })
  if (names.some((name) => asBuffer(name).readUInt16BE() < TIDIES_BELOW)) await dropOldNames(scope, at)
}

export async function knowsSealedNames(
  { query, account }: AccountScope,
  names: readonly Bytes[],
): Promise<readonly boolean[]> {
  const known: boolean[] = []
  for (const [index, name] of names.entries()) {
    known.push((await nameRow(query, { account, name })).length > 0)
    await yieldNow(index)
  }
  return known
}

/** Whether the time of some is over. Asked outside a transaction, which an opened account then mostly need not begin. */
export async function hasOldNames({ query, account }: AccountScope, now: number): Promise<boolean> {
  const [oldest] = await oldestRow(query, { account })
  return oldest !== undefined && oldest.at < now - KEPT_MS
}

/** Inside a transaction. Those whose time is over, and the oldest of too many. */
export async function dropOldNames({ query, account }: AccountScope, now: number, most = MOST): Promise<void> {
  const [surplus] = await surplusRow(query, { account, most })
  await dropNames(query, { account, until: Math.max(now - KEPT_MS, surplus?.at ?? 0) })
}
