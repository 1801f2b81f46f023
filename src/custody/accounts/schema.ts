import type { Kysely } from 'kysely'
import type { Migrations } from '#lib/sqlite.ts'
import type { AccountState, CertificateUse, WithoutKey } from './directory.ts'

/** Keys are those of address-key.ts; `local` and `domain` beside them are as given. */
export interface DirectorySchema {
  domain: { domain_key: string; domain: string; position: number; without_key: WithoutKey | null }
  account: {
    account_id: string
    local: string
    domain: string
    domain_key: string
    state: AccountState
    created: number
    quota: number | null
    without_key: WithoutKey | null
  }
  /** Every address that means somebody, so that one cannot be given twice. An alias has no account, but targets. */
  address: { address_key: string; local: string; domain: string; account_id: string | null }
  alias_target: { address_key: string; position: number; target_key: string; local: string; domain: string }
  certificate: {
    account_id: string
    fingerprint: string
    /** Grows with each addition to the account; the highest is current. */
    generation: number
    certificate: Uint8Array
    since: number
    revocation: Uint8Array | null
    purpose: CertificateUse
    custody: 'held' | 'device'
  }
}

async function firstSchema(schema: Kysely<unknown>): Promise<void> {
  await schema.schema
    .createTable('domain')
    .addColumn('domain_key', 'text', (column) => column.primaryKey())
    .addColumn('domain', 'text', (column) => column.notNull())
    .addColumn('position', 'integer', (column) => column.notNull())
    .execute()
  await schema.schema
    .createTable('account')
    .addColumn('account_id', 'text', (column) => column.primaryKey())
    .addColumn('local', 'text', (column) => column.notNull())
    .addColumn('domain', 'text', (column) => column.notNull())
    .addColumn('domain_key', 'text', (column) => column.notNull().references('domain.domain_key'))
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('created', 'bigint', (column) => column.notNull())
    .addColumn('quota', 'bigint')
    .execute()
  await schema.schema
    .createTable('address')
    .addColumn('address_key', 'text', (column) => column.primaryKey())
    .addColumn('local', 'text', (column) => column.notNull())
    .addColumn('domain', 'text', (column) => column.notNull())
    .addColumn('account_id', 'text', (column) => column.references('account.account_id').onDelete('cascade'))
    .execute()
  await schema.schema
    .createTable('alias_target')
    .addColumn('address_key', 'text', (column) =>
      column.notNull().references('address.address_key').onDelete('cascade'),
    )
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('target_key', 'text', (column) => column.notNull())
    .addColumn('local', 'text', (column) => column.notNull())
    .addColumn('domain', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('alias_target_key', ['address_key', 'position'])
    .execute()
  await schema.schema
    .createTable('certificate')
    .addColumn('account_id', 'text', (column) => column.notNull().references('account.account_id').onDelete('cascade'))
    .addColumn('fingerprint', 'text', (column) => column.notNull())
    .addColumn('generation', 'integer', (column) => column.notNull())
    .addColumn('certificate', 'blob', (column) => column.notNull())
    .addColumn('since', 'bigint', (column) => column.notNull())
    .addColumn('revocation', 'blob')
    .addPrimaryKeyConstraint('certificate_key', ['account_id', 'fingerprint'])
    .execute()
  await schema.schema.createIndex('account_domain').on('account').columns(['domain_key', 'created']).execute()
  await schema.schema.createIndex('alias_target_of').on('alias_target').column('target_key').execute()
}

/** Certificates of an account's own choice, for one purpose each. */
async function certificatePurposes({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .alterTable('certificate')
    .addColumn('purpose', 'text', (column) => column.notNull().defaultTo('both'))
    .execute()
  await schema
    .alterTable('certificate')
    .addColumn('custody', 'text', (column) => column.notNull().defaultTo('held'))
    .execute()
}

/** What becomes of mail to those who have no key; null where nobody chose. */
async function withoutKeyPolicies({ schema }: Kysely<unknown>): Promise<void> {
  for (const table of ['domain', 'account']) await schema.alterTable(table).addColumn('without_key', 'text').execute()
}

export const migrations: Migrations = [firstSchema, certificatePurposes, withoutKeyPolicies]
