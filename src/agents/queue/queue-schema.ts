/** The queue's two tables: a message, and what is left to do for each of its recipients. Plain SQL that PostgreSQL speaks too. */
import type { Bytes } from '#lib/bytes.ts'
import type { Migrations } from '#lib/sqlite.ts'

export interface QueueSchema {
  message: {
    queue_id: string
    arrived: number
    envelope: string
    size: number
    key: Bytes
    content: Bytes
    waiting: Bytes | null
  }
  recipient: {
    queue_id: string
    position: number
    /** LOCAL, or the domain that it goes to: what is tried, limited and put off together. */
    route: string
    address: string
    notify: string | null
    orcpt: string | null
    state: string
    tries: number
    next_try: number
    last_reply: string | null
    remote: string | null
    warned: number
    /** The operator gave it up: the next look makes it fail. */
    given_up: number
  }
}

export const queueMigrations: Migrations = [
  async (schema) => {
    await schema.schema
      .createTable('message')
      .addColumn('queue_id', 'text', (column) => column.primaryKey())
      .addColumn('arrived', 'bigint', (column) => column.notNull())
      .addColumn('envelope', 'text', (column) => column.notNull())
      .addColumn('size', 'bigint', (column) => column.notNull())
      .addColumn('key', 'blob', (column) => column.notNull())
      .addColumn('content', 'blob', (column) => column.notNull())
      .execute()
    await schema.schema
      .createTable('recipient')
      .addColumn('queue_id', 'text', (column) => column.notNull().references('message.queue_id'))
      .addColumn('position', 'integer', (column) => column.notNull())
      .addColumn('route', 'text', (column) => column.notNull())
      .addColumn('address', 'text', (column) => column.notNull())
      .addColumn('notify', 'text')
      .addColumn('orcpt', 'text')
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('tries', 'integer', (column) => column.notNull())
      .addColumn('next_try', 'bigint', (column) => column.notNull())
      .addColumn('last_reply', 'text')
      .addColumn('remote', 'text')
      .addColumn('warned', 'integer', (column) => column.notNull())
      .addColumn('given_up', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('recipient_key', ['queue_id', 'position'])
      .execute()
    await schema.schema.createIndex('recipient_due').on('recipient').columns(['state', 'route', 'next_try']).execute()
  },
  async (schema) => {
    await schema.schema.alterTable('message').addColumn('waiting', 'blob').execute()
  },
]
