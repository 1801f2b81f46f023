import type { Coverage, ResealingState } from './mail-store.ts'
import { prepare } from './prepared.ts'
import type { AccountScope } from './schema.ts'
import { readTally } from './sql-contents.ts'

const accountRow = prepare((query, given: { account: number }) =>
  query.selectFrom('account').select(['resealing', 'index_key']).where('account_id', '=', given.account),
)

export async function readResealing({ query, account }: AccountScope): Promise<ResealingState> {
  return (await accountRow(query, { account }))[0]!.resealing
}

export async function writeResealing({ query, account }: AccountScope, state: ResealingState): Promise<void> {
  await query.updateTable('account').set({ resealing: state }).where('account_id', '=', account).execute()
  if (state !== 'running') return
  await query
    .updateTable('content')
    .set({ unreadable: 0 })
    .where('account_id', '=', account)
    .where('unreadable', '=', 1)
    .execute()
}

/** That of a store which does not seal. */
export async function readPlainCoverage(scope: AccountScope): Promise<Coverage> {
  const contents = (await readTally(scope)).reduce((sum, one) => sum + one.contents, 0)
  return { contents, current: contents, waiting: 0, unreadable: 0, state: await readResealing(scope) }
}

export async function readIndexKeyName({ query, account }: AccountScope): Promise<string | null> {
  return (await accountRow(query, { account }))[0]!.index_key
}

export async function writeIndexKeyName({ query, account }: AccountScope, name: string): Promise<void> {
  await query.updateTable('account').set({ index_key: name }).where('account_id', '=', account).execute()
}
