import type { Query } from '#lib/sqlite.ts'
import type { WithoutKeyPolicies } from './directory.ts'
import type { DirectorySchema } from './schema.ts'

/** What accounts and domains chose, as far as they did. */
export async function readPolicies(query: Query<DirectorySchema>): Promise<WithoutKeyPolicies> {
  const [accounts, domains] = await Promise.all([
    query.selectFrom('account').select(['account_id', 'without_key']).where('without_key', 'is not', null).execute(),
    query.selectFrom('domain').select(['domain', 'without_key']).where('without_key', 'is not', null).execute(),
  ])
  return {
    accounts: new Map(accounts.map(({ account_id, without_key }) => [account_id, without_key!])),
    domains: new Map(domains.map(({ domain, without_key }) => [domain, without_key!])),
  }
}
