/**
 * The tables of the mail store, in the part of SQL that SQLite and PostgreSQL share. Each account has a file of its own, yet
 * every table begins with `account_id`, so that one database may hold many. Contents, summaries and pages of the index have
 * tables of their own: listing a mailbox reads none of their pages.
 */
import { type Kysely, sql } from 'kysely'
import type { Bytes } from '#lib/bytes.ts'
import type { Migrations, Query } from '#lib/sqlite.ts'
import type { UnsealingState } from './indexed-mail-store.ts'
import type { ResealingState, SpecialUse } from './mail-store.ts'

interface AccountTable {
  account_id: number
  /** The AccountId: a file put in another account's place is noticed. */
  name: string
  /** The last ones given. */
  uidvalidity: number
  mailbox_id: number
  content_id: number
  modseq: number
  /** Octets. */
  used: number
  quota: number | null
  resealing: ResealingState
  /** Name of the index key that all pages of the index are under. */
  index_key: string | null
  /** The last one given. */
  index_page: number
}

interface MailboxTable {
  account_id: number
  mailbox_id: number
  name: string
  special_use: SpecialUse | null
  uidvalidity: number
  uidnext: number
  highest_modseq: number
  messages: number
  unseen: number
  deleted: number
  size: number
  /** How many more runs of uids may vanish before older ones are joined. */
  vanished_room: number
}

export interface MessageTable {
  account_id: number
  mailbox_id: number
  uid: number
  modseq: number
  /** Seconds since the epoch. */
  internal_date: number
  flags: number
  keywords: string
  size: number
  content_id: number
  /** The content that it was first appended with: copies keep it, and so does what is sealed anew. */
  email_id: number
  /** When it came into this mailbox, in seconds since the epoch. */
  saved: number
  /** Where its entry in the index is; null: its summary waits. */
  index_page: number | null
}

export interface StoreSchema {
  account: AccountTable
  mailbox: MailboxTable
  subscription: { account_id: number; name: string }
  message: MessageTable
  /** `octets` or the name of a `file` in the account's blobs folder. `message_count` messages had it when it was made: those that share it now are counted in their own table, whose rows are small. */
  content: {
    account_id: number
    content_id: number
    message_count: number
    size: number
    octets: Bytes | null
    file: string | null
    sealed_to: string | null
    /** 1: the last time that somebody tried, no key opened it. */
    unreadable: number
    unsealing: UnsealingState
  }
  /** Of contents that are in no page of the index yet. */
  waiting_summary: { account_id: number; content_id: number; octets: Bytes }
  index_page: { account_id: number; page_id: number; octets: Bytes }
  untidy_page: { account_id: number; page_id: number }
  /** Messages that their senders sealed, by names that only the account's keys tell; `at` in milliseconds since the epoch. */
  sealed_name: { account_id: number; name: Bytes; at: number }
  /** Keywords of a mailbox's messages: in lower case, and as first spelled. */
  keyword: { account_id: number; mailbox_id: number; folded: string; name: string }
  /** One mailbox's each; number 0 stands for the account itself. */
  annotation: { account_id: number; mailbox_id: number; octets: Bytes }
  /** Runs of uids that vanished together. */
  vanished: { account_id: number; mailbox_id: number; modseq: number; first_uid: number; last_uid: number }
  /** Delivery keys; `at` in milliseconds since the epoch. */
  delivery: {
    account_id: number
    delivery_key: string
    mailbox_id: number
    uidvalidity: number
    uid: number
    at: number
  }
}

export type StoreQuery = Query<StoreSchema>

/** One account's rows. */
export interface AccountScope {
  readonly query: StoreQuery
  readonly account: number
}

async function createAccounts({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('account')
    .addColumn('account_id', 'integer', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('uidvalidity', 'bigint', (column) => column.notNull())
    .addColumn('mailbox_id', 'integer', (column) => column.notNull())
    .addColumn('content_id', 'bigint', (column) => column.notNull())
    .addColumn('modseq', 'bigint', (column) => column.notNull())
    .addColumn('used', 'bigint', (column) => column.notNull())
    .addColumn('quota', 'bigint')
    .execute()
  await schema
    .createTable('mailbox')
    .addColumn('account_id', 'integer', (column) => column.notNull())
    .addColumn('mailbox_id', 'integer', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('special_use', 'text')
    .addColumn('uidvalidity', 'bigint', (column) => column.notNull())
    .addColumn('uidnext', 'bigint', (column) => column.notNull())
    .addColumn('highest_modseq', 'bigint', (column) => column.notNull())
    .addColumn('messages', 'integer', (column) => column.notNull())
    .addColumn('unseen', 'integer', (column) => column.notNull())
    .addColumn('deleted', 'integer', (column) => column.notNull())
    .addColumn('size', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('mailbox_key', ['account_id', 'mailbox_id'])
    .addUniqueConstraint('mailbox_name', ['account_id', 'name'])
    .execute()
  await schema
    .createTable('subscription')
    .addColumn('account_id', 'integer', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('subscription_key', ['account_id', 'name'])
    .execute()
}

async function createMessages({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('message')
    .addColumn('account_id', 'integer', (column) => column.notNull())
    .addColumn('mailbox_id', 'integer', (column) => column.notNull())
    .addColumn('uid', 'bigint', (column) => column.notNull())
    .addColumn('modseq', 'bigint', (column) => column.notNull())
    .addColumn('internal_date', 'bigint', (column) => column.notNull())
    .addColumn('flags', 'integer', (column) => column.notNull())
    .addColumn('keywords', 'text', (column) => column.notNull())
    .addColumn('size', 'bigint', (column) => column.notNull())
    .addColumn('content_id', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('message_key', ['account_id', 'mailbox_id', 'uid'])
    .execute()
  await schema.createIndex('message_modseq').on('message').columns(['account_id', 'mailbox_id', 'modseq']).execute()
  // `bytea` is PostgreSQL's; SQLite takes any name for a column of octets.
  await schema
    .createTable('content')
    .addColumn('account_id', 'integer', (column) => column.notNull())
    .addColumn('content_id', 'bigint', (column) => column.notNull())
    .addColumn('message_count', 'integer', (column) => column.notNull())
    .addColumn('size', 'bigint', (column) => column.notNull())
    .addColumn('file', 'text')
    .addColumn('octets', 'bytea')
    .addPrimaryKeyConstraint('content_key', ['account_id', 'content_id'])
    .execute()
  for (const table of ['summary', 'index_record'])
    await schema
      .createTable(table)
      .addColumn('account_id', 'integer', (column) => column.notNull())
      .addColumn('mailbox_id', 'integer', (column) => column.notNull())
      .addColumn('uid', 'bigint', (column) => column.notNull())
      .addColumn('octets', 'bytea', (column) => column.notNull())
      .addPrimaryKeyConstraint(`${table}_key`, ['account_id', 'mailbox_id', 'uid'])
      .execute()
}

async function createHistory({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('vanished')
    .addColumn('account_id', 'integer', (column) => column.notNull())
    .addColumn('mailbox_id', 'integer', (column) => column.notNull())
    .addColumn('modseq', 'bigint', (column) => column.notNull())
    .addColumn('first_uid', 'bigint', (column) => column.notNull())
    .addColumn('last_uid', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('vanished_key', ['account_id', 'mailbox_id', 'modseq', 'first_uid'])
    .execute()
  await schema
    .createTable('delivery')
    .addColumn('account_id', 'integer', (column) => column.notNull())
    .addColumn('delivery_key', 'text', (column) => column.notNull())
    .addColumn('mailbox_id', 'integer', (column) => column.notNull())
    .addColumn('uidvalidity', 'bigint', (column) => column.notNull())
    .addColumn('uid', 'bigint', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('delivery_key', ['account_id', 'delivery_key'])
    .execute()
}

/** Contents are found by what they are sealed to, and the messages that have them. */
async function describeContents({ schema }: Kysely<unknown>): Promise<void> {
  await schema.alterTable('content').addColumn('sealed_to', 'text').execute()
  await schema
    .alterTable('content')
    .addColumn('unreadable', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await schema
    .createIndex('content_sealed_to')
    .on('content')
    .columns(['account_id', 'sealed_to', 'unreadable'])
    .execute()
  await schema.createIndex('message_content').on('message').columns(['account_id', 'content_id']).execute()
  await schema
    .alterTable('account')
    .addColumn('resealing', 'text', (column) => column.notNull().defaultTo('off'))
    .execute()
  await schema.alterTable('account').addColumn('index_key', 'text').execute()
}

/** Contents are found whose signatures are to be checked again; others are not in that index. */
async function describeUnsealing({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .alterTable('content')
    .addColumn('unsealing', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await schema
    .createIndex('content_unchecked')
    .on('content')
    .columns(['account_id', 'content_id'])
    .where(sql.ref('unsealing'), '=', sql.lit(2))
    .execute()
}

async function createSealedNames({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('sealed_name')
    .addColumn('account_id', 'integer', (column) => column.notNull())
    .addColumn('name', 'bytea', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('sealed_name_key', ['account_id', 'name'])
    .execute()
  await schema.createIndex('sealed_name_at').on('sealed_name').columns(['account_id', 'at']).execute()
}

/** Of messages from before, INTERNALDATE is the best that is known. */
async function describeOrigins(query: Kysely<unknown>): Promise<void> {
  const { schema } = query
  for (const column of ['email_id', 'saved'])
    await schema
      .alterTable('message')
      .addColumn(column, 'bigint', (added) => added.notNull().defaultTo(0))
      .execute()
  await (query as Kysely<StoreSchema>)
    .updateTable('message')
    .set((row) => ({ email_id: row.ref('content_id'), saved: row.ref('internal_date') }))
    .execute()
}

/** The first message without \Seen, those with \Deleted, and keywords are found without looking at all messages of a mailbox. */
async function describeMailboxes(query: Kysely<unknown>): Promise<void> {
  const { schema } = query
  await schema
    .createIndex('message_unseen')
    .on('message')
    .columns(['account_id', 'mailbox_id', 'uid'])
    .where(sql`flags & 1`, '=', sql.lit(0))
    .execute()
  await schema
    .createIndex('message_deleted')
    .on('message')
    .columns(['account_id', 'mailbox_id', 'uid'])
    .where(sql`flags & 8`, '!=', sql.lit(0))
    .execute()
  await schema
    .createTable('keyword')
    .addColumn('account_id', 'integer', (column) => column.notNull())
    .addColumn('mailbox_id', 'integer', (column) => column.notNull())
    .addColumn('folded', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('keyword_key', ['account_id', 'mailbox_id', 'folded'])
    .execute()
  const filled = query as Kysely<StoreSchema>
  const rows = await filled
    .selectFrom('message')
    .select(['account_id', 'mailbox_id', 'keywords'])
    .distinct()
    .where('keywords', '!=', '')
    .execute()
  for (const { account_id, mailbox_id, keywords } of rows)
    for (const name of keywords.split(' '))
      await filled
        .insertInto('keyword')
        .values({ account_id, mailbox_id, folded: name.toLowerCase(), name })
        .onConflict((conflict) => conflict.doNothing())
        .execute()
}

async function createAnnotations({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('annotation')
    .addColumn('account_id', 'integer', (column) => column.notNull())
    .addColumn('mailbox_id', 'integer', (column) => column.notNull())
    .addColumn('octets', 'bytea', (column) => column.notNull())
    .addPrimaryKeyConstraint('annotation_key', ['account_id', 'mailbox_id'])
    .execute()
}

/** Entries are of contents, many in a page. What was folded before is made again from the contents. */
async function gatherPages(query: Kysely<unknown>): Promise<void> {
  const { schema } = query
  await schema
    .alterTable('account')
    .addColumn('index_page', 'bigint', (added) => added.notNull().defaultTo(0))
    .execute()
  await schema.alterTable('message').addColumn('index_page', 'bigint').execute()
  await schema
    .createIndex('message_index_page')
    .on('message')
    .columns(['account_id', 'index_page', 'mailbox_id', 'uid'])
    .execute()
  for (const [table, key] of [
    ['waiting_summary', 'content_id'],
    ['index_page', 'page_id'],
  ] as const)
    await schema
      .createTable(table)
      .addColumn('account_id', 'integer', (column) => column.notNull())
      .addColumn(key, 'bigint', (column) => column.notNull())
      .addColumn('octets', 'bytea', (column) => column.notNull())
      .addPrimaryKeyConstraint(`${table}_key`, ['account_id', key])
      .execute()
  await schema
    .createTable('untidy_page')
    .addColumn('account_id', 'integer', (column) => column.notNull())
    .addColumn('page_id', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('untidy_page_key', ['account_id', 'page_id'])
    .execute()
  await sql`insert into waiting_summary (account_id, content_id, octets)
    select summary.account_id, message.content_id, summary.octets from summary
    join message on message.account_id = summary.account_id and message.mailbox_id = summary.mailbox_id and message.uid = summary.uid
    where true on conflict do nothing`.execute(query)
  await schema.dropTable('summary').execute()
  await schema.dropTable('index_record').execute()
}

/** Histories from before are joined at the next chance. */
async function boundHistory({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .alterTable('mailbox')
    .addColumn('vanished_room', 'bigint', (column) => column.notNull().defaultTo(0))
    .execute()
}

export const migrations: Migrations = [
  async (schema) => {
    await createAccounts(schema)
    await createMessages(schema)
    await createHistory(schema)
  },
  describeContents,
  describeUnsealing,
  createSealedNames,
  describeOrigins,
  describeMailboxes,
  createAnnotations,
  gatherPages,
  boundHistory,
]
