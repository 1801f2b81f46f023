/** Mail for pickup in one SQLite file. See pickup.ts for what it promises. */
import type { AccountId } from '#custody/accounts/directory.ts'
import { type Address, formatAddress } from '#formats/message/address.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import { RowSeal } from '#lib/row-seal.ts'
import { type Migrations, openSqlite, type SqliteDatabase } from '#lib/sqlite.ts'
import { type MailForPickup, type Pickup, PickupFull, type PickupStore } from './pickup.ts'

export interface PickupOptions {
  readonly path: string
  /** 32 octets, from which the store's own keys are derived. */
  readonly key: Buffer
  readonly clock: Clock
  readonly logger: Logger
  /** Tells the author that it was not picked up in time, before it is deleted; when that fails it is tried again for a week. */
  readonly tell?: (expired: Pickup) => Promise<void>
  /** Octets that one account may have waiting. */
  readonly room?: number
}

interface PickupSchema {
  kept: {
    id: string
    account: AccountId
    arrived: number
    expires: number
    size: number
    facts: Bytes
    message: Bytes
  }
}

const migrations: Migrations = [
  async (schema) => {
    await schema.schema
      .createTable('kept')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('account', 'text', (column) => column.notNull())
      .addColumn('arrived', 'bigint', (column) => column.notNull())
      .addColumn('expires', 'bigint', (column) => column.notNull())
      .addColumn('size', 'bigint', (column) => column.notNull())
      .addColumn('facts', 'blob', (column) => column.notNull())
      .addColumn('message', 'blob', (column) => column.notNull())
      .execute()
    await schema.schema.createIndex('kept_expires').on('kept').column('expires').execute()
    await schema.schema.createIndex('kept_account').on('kept').column('account').execute()
  },
]

const LIFE = 30 * 24 * 3_600_000
/** How long an author who cannot be told keeps it from being deleted. */
const PATIENCE = 7 * 24 * 3_600_000
const ROOM = 1024 ** 3
/** Hex digits of an id. */
const ID_LENGTH = 20

/** Who wrote to whom, and what opens the message. */
interface Facts {
  readonly author: Address
  readonly recipient: Address
  /** Base64. */
  readonly sessionKey: string
}

export async function openPickupStore(options: PickupOptions): Promise<PickupStore> {
  const db = await openSqlite<PickupSchema>({ path: options.path, migrations, cacheKiB: 256 })
  return new SealedPickups(db, options)
}

class SealedPickups implements PickupStore {
  readonly #db: SqliteDatabase<PickupSchema>
  readonly #options: PickupOptions
  readonly #seal: RowSeal

  constructor(db: SqliteDatabase<PickupSchema>, options: PickupOptions) {
    this.#db = db
    this.#options = options
    this.#seal = new RowSeal(options.key, 'pickup')
  }

  async keep({ queueId, account, author, recipient, message, sessionKey }: MailForPickup): Promise<string> {
    const { clock, room = ROOM } = this.#options
    const id = this.#seal
      .name(`${queueId} ${formatAddress(recipient)}`)
      .toString('hex')
      .slice(0, ID_LENGTH)
    const arrived = clock.now()
    const facts: Facts = { author, recipient, sessionKey: asBuffer(sessionKey).toString('base64') }
    const row = {
      id,
      account,
      arrived,
      expires: arrived + LIFE,
      size: message.length,
      facts: this.#seal.seal(factsOf(id), Buffer.from(JSON.stringify(facts))),
      message: this.#seal.seal(messageOf(id), message),
    }
    return await this.#db.write(async (change) => {
      const known = await change.selectFrom('kept').select('id').where('id', '=', id).executeTakeFirst()
      if (known) return id
      const filled = await change
        .selectFrom('kept')
        .select((select) => select.fn.sum<number | null>('size').as('octets'))
        .where('account', '=', account)
        .executeTakeFirst()
      if (Number(filled?.octets ?? 0) + row.size > room) throw new PickupFull('the room for pickup is full')
      await change.insertInto('kept').values(row).execute()
      return id
    })
  }

  async list(account?: AccountId): Promise<readonly Pickup[]> {
    const all = this.#heads()
    const rows = await (account === undefined ? all : all.where('account', '=', account)).execute()
    return rows.map((row) => this.#pickup(row))
  }

  async read(id: string): Promise<{ message: Buffer; sessionKey: Buffer } | null> {
    const row = await this.#db.query
      .selectFrom('kept')
      .select(['facts', 'message'])
      .where('id', '=', id)
      .executeTakeFirst()
    const facts = row && this.#facts(id, row.facts)
    const message = row && this.#seal.open(messageOf(id), row.message)
    return facts && message ? { message, sessionKey: Buffer.from(facts.sessionKey, 'base64') } : null
  }

  async drop(id: string): Promise<boolean> {
    const result = await this.#db.write((change) => change.deleteFrom('kept').where('id', '=', id).executeTakeFirst())
    return result.numDeletedRows > 0n
  }

  async expire(): Promise<number> {
    const { clock, logger, tell } = this.#options
    const now = clock.now()
    const rows = await this.#heads().where('expires', '<=', now).execute()
    let deleted = 0
    for (const row of rows) {
      try {
        await tell?.(this.#pickup(row))
      } catch (error) {
        logger.error(
          { account: row.account, pickup: row.id, error: error as Error },
          'the author of a pickup was not told',
        )
        if (now < row.expires + PATIENCE) continue
      }
      if (await this.drop(row.id)) deleted++
    }
    return deleted
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#db[Symbol.asyncDispose]()
    this.#seal[Symbol.dispose]()
  }

  #heads() {
    return this.#db.query
      .selectFrom('kept')
      .select(['id', 'account', 'arrived', 'expires', 'size', 'facts'])
      .orderBy('arrived')
      .orderBy('id')
  }

  #pickup({ facts, ...head }: Omit<PickupSchema['kept'], 'message'>): Pickup {
    const opened = this.#facts(head.id, facts)
    return { ...head, author: opened?.author ?? null, recipient: opened?.recipient ?? null }
  }

  #facts(id: string, sealed: Bytes): Facts | null {
    const opened = this.#seal.open(factsOf(id), sealed)
    return opened && (JSON.parse(opened.toString()) as Facts)
  }
}

const factsOf = (id: string): Buffer => Buffer.from(`facts ${id}`)
const messageOf = (id: string): Buffer => Buffer.from(`message ${id}`)
