/** Finds who an address of ours means. Asked for every recipient, so its queries are compiled once. */
import type { CompiledQuery, Kysely, Selectable } from 'kysely'
import type { Address } from '#formats/message/address.ts'
import { addressKey, domainKey, localKey, splitDetail } from './address-key.ts'
import type { Account, Route } from './directory.ts'
import type { DirectorySchema } from './schema.ts'

type AccountRow = Selectable<DirectorySchema['account']>

export interface Router {
  route(address: Address): Promise<Route>
  /** The account that has this primary address. */
  accountNamed(address: Address): Promise<Account | null>
  /** The targets of the alias with this key; empty when there is none. */
  targets(key: string): Promise<readonly Address[]>
}

export function toAccount(row: AccountRow): Account {
  return {
    id: row.account_id,
    address: toAddress(row),
    state: row.state,
    created: row.created,
    quota: row.quota,
  }
}

/** Rows have no prototype; an address that leaves the room is an ordinary value. */
export const toAddress = ({ local, domain }: Address): Address => ({ local, domain })

export function createRouter(query: Kysely<DirectorySchema>): Router {
  const domain = query.selectFrom('domain').select('domain').where('domain_key', '=', '').compile()
  const named = query.selectFrom('address').select('account_id').where('address_key', '=', '').compile()
  const account = query
    .selectFrom('address')
    .innerJoin('account', 'account.account_id', 'address.account_id')
    .selectAll('account')
    .where('address.address_key', '=', '')
    .compile()
  const targets = query
    .selectFrom('alias_target')
    .select(['local', 'domain'])
    .where('address_key', '=', '')
    .orderBy('position')
    .compile()
  const first = query
    .selectFrom('account')
    .selectAll()
    .where('domain_key', '=', '')
    .orderBy('state')
    .orderBy('created')
    .orderBy('account_id')
    .limit(1)
    .compile()
  const eldest = query
    .selectFrom('account')
    .selectAll()
    .orderBy('state')
    .orderBy('created')
    .orderBy('account_id')
    .limit(1)
    .compile()

  async function ask<R>(compiled: CompiledQuery<R>, key: string): Promise<R[]> {
    // The key is the first parameter of each; `limit` may follow.
    const parameters = [key, ...compiled.parameters.slice(1)]
    return (await query.executeQuery<R>({ ...compiled, parameters })).rows
  }

  const targetsOf = async (key: string) => (await ask(targets, key)).map(toAddress)

  async function exact(key: string, detail: string | null): Promise<Route | null> {
    const [row] = await ask(account, key)
    if (row) return { kind: 'account', account: toAccount(row), detail }
    if ((await ask(named, key)).length === 0) return null
    return { kind: 'alias', targets: await targetsOf(key) }
  }

  async function route(address: Address): Promise<Route> {
    const found = await exact(addressKey(address), null)
    if (found) return found
    const zone = domainKey(address.domain)
    if ((await ask(domain, zone)).length === 0) return { kind: 'foreign' }
    const split = splitDetail(address.local)
    const base = split ? { local: split.base, domain: address.domain } : address
    const detail = split?.detail || null
    const plus = split ? await exact(addressKey(base), detail) : null
    if (plus) return plus
    if (localKey(base.local) !== 'postmaster') return { kind: 'unknown' }
    // RFC 5321 §4.5.1. Active accounts come before suspended ones; a domain without accounts falls to the whole provider's first.
    const [keeper = (await query.executeQuery(eldest)).rows[0]] = await ask(first, zone)
    return keeper ? { kind: 'account', account: toAccount(keeper), detail } : { kind: 'unknown' }
  }

  return {
    route,
    targets: targetsOf,
    async accountNamed(address) {
      const [row] = await ask(account, addressKey(address))
      return row ? toAccount(row) : null
    },
  }
}
