import type { Quota } from './mail-store.ts'
import { prepare } from './prepared.ts'
import type { AccountScope } from './schema.ts'

const quotaRow = prepare((query, given: { account: number }) =>
  query.selectFrom('account').select(['used', 'quota']).where('account_id', '=', given.account),
)

export async function readQuota({ query, account }: AccountScope): Promise<Quota> {
  const [row] = await quotaRow(query, { account })
  return { used: row!.used, limit: row!.quota }
}

export async function writeQuota({ query, account }: AccountScope, limit: number | null): Promise<void> {
  await query.updateTable('account').set({ quota: limit }).where('account_id', '=', account).execute()
}
