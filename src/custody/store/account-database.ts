import { access, mkdir, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Logger } from '#lib/log.ts'
import { openSqlite, type SqliteDatabase } from '#lib/sqlite.ts'
import type { AccountId } from '../accounts/directory.ts'
import { BlobFiles, syncDirectory } from './blob-files.ts'
import { AccountDamaged, NoSuchAccount } from './mail-store.ts'
import { FIRST_MAILBOXES } from './mailbox-name.ts'
import { type AccountScope, migrations, type StoreSchema } from './schema.ts'
import { addMailbox, setSubscription } from './sql-mailboxes.ts'
import { dropOldNames, hasOldNames } from './sql-sealed-names.ts'

/** Many accounts are open at once, and few pages of each are needed again. */
const CACHE_KIB = 512

/** How long a delivery key is remembered: longer than any queue tries. */
const DELIVERY_KEPT_MS = 14 * 24 * 60 * 60_000

/** One account's open file. */
export interface AccountDatabase extends AsyncDisposable {
  readonly path: string
  readonly db: SqliteDatabase<StoreSchema>
  /** The account's number in `account_id`. */
  readonly account: number
  readonly blobs: BlobFiles
}

export interface Surroundings {
  readonly dataDir: string
  readonly now: () => number
  readonly logger: Logger
  /** Set in tests to see what a failing disk does. */
  readonly sync?: (file: { datasync(): Promise<void> }) => Promise<void>
}

export interface AccountPaths {
  readonly directory: string
  readonly database: string
  readonly blobs: string
  /** Of the index of texts, which is a cache. */
  readonly search: string
}

/** Throws NoSuchAccount for what cannot be an account's name, and so not its folder's. */
export function pathsOf(dataDir: string, account: AccountId): AccountPaths {
  if (!/^[0-9A-Za-z_-]{1,64}$/.test(account)) throw new NoSuchAccount('not the name of an account')
  const directory = join(dataDir, 'accounts', account)
  return {
    directory,
    database: join(directory, 'mail.db'),
    blobs: join(directory, 'blobs'),
    search: join(directory, 'search'),
  }
}

/** SQLite's result code without its details; null for other errors. */
function sqliteCode(error: unknown): number | null {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : null
}

const CORRUPT = 11
const NOT_A_DATABASE = 26

/** Names the file and what to do when the error says that it is damaged; other errors are handed back as they are. */
export function explain(error: unknown, path: string): unknown {
  const code = sqliteCode(error)
  if (code !== CORRUPT && code !== NOT_A_DATABASE) return error
  return new AccountDamaged(
    `${path} is damaged. Stop the server, keep the file aside, restore it from a backup (with mail.db-wal, and the folder blobs beside it). Other accounts are not concerned.`,
    { cause: error },
  )
}

/** Throws NoSuchAccount, AccountDamaged, NewerSchema. */
export async function openAccount(account: AccountId, around: Surroundings): Promise<AccountDatabase> {
  const { database: path } = pathsOf(around.dataDir, account)
  await access(path).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new NoSuchAccount(`no mail store for ${account}`) : error
  })
  return openFile(account, around, async (db) => {
    const row = await db.query.selectFrom('account').select(['account_id', 'name']).executeTakeFirst()
    if (!row) throw new NoSuchAccount(`no mail store for ${account}`)
    if (row.name !== account) throw new AccountDamaged(`${path} belongs to the account ${row.name}: put it back there`)
    return row.account_id
  })
}

/** Makes what is missing of the account's folder, file and first mailboxes; everything is on the disk when it resolves. */
export async function createAccount(account: AccountId, around: Surroundings): Promise<AccountDatabase> {
  const paths = pathsOf(around.dataDir, account)
  await mkdir(paths.directory, { recursive: true, mode: 0o700 })
  await syncDirectory(dirname(paths.directory))
  await syncDirectory(around.dataDir)
  const isNew = await access(paths.database).then(
    () => false,
    () => true,
  )
  // An empty database would make orphans of them all.
  if (isNew && (await new BlobFiles(paths.blobs).names()).length > 0)
    throw new AccountDamaged(`${paths.database} is missing beside its blobs: restore it from a backup`)
  return openFile(account, around, (db) =>
    db.write(async (query) => {
      const existing = await query.selectFrom('account').select(['account_id', 'name']).executeTakeFirst()
      if (existing) return existing.account_id
      const numbers = { uidvalidity: 0, mailbox_id: 0, content_id: 0, modseq: 0, used: 0, quota: null }
      const resealing = { resealing: 'off', index_key: null, index_page: 0 } as const
      await query
        .insertInto('account')
        .values({ account_id: 1, name: account, ...numbers, ...resealing })
        .execute()
      const scope: AccountScope = { query, account: 1 }
      for (const [name, specialUse] of FIRST_MAILBOXES) {
        await addMailbox(scope, { name, specialUse }, around.now())
        await setSubscription(scope, name, true)
      }
      return 1
    }),
  )
}

async function openFile(
  account: AccountId,
  around: Surroundings,
  find: (db: SqliteDatabase<StoreSchema>) => Promise<number>,
): Promise<AccountDatabase> {
  const paths = pathsOf(around.dataDir, account)
  const path = paths.database
  const { sync } = around
  let db: SqliteDatabase<StoreSchema> | null = null
  try {
    db = await openSqlite<StoreSchema>({ path, migrations, cacheKiB: CACHE_KIB, ...(sync ? { sync } : {}) })
    const number = await find(db)
    const blobs = new BlobFiles(paths.blobs)
    const opened = db
    return { path, db, account: number, blobs, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() }
  } catch (error) {
    try {
      await db?.[Symbol.asyncDispose]()
    } catch {
      // The first error says what is wrong.
    }
    throw explain(error, path)
  }
}

/** Forgets old delivery keys and names of sealed messages, and sweeps orphaned blobs. */
export async function tidyAccount({ db, account, blobs }: AccountDatabase, around: Surroundings): Promise<void> {
  const { query } = db
  const oldest = around.now() - DELIVERY_KEPT_MS
  const old = query.selectFrom('delivery').select('at').where('account_id', '=', account).where('at', '<', oldest)
  if (await old.limit(1).executeTakeFirst())
    await db.write((change) =>
      change.deleteFrom('delivery').where('account_id', '=', account).where('at', '<', oldest).execute(),
    )
  if (await hasOldNames({ query, account }, around.now()))
    await db.write((change) => dropOldNames({ query: change, account }, around.now()))
  if ((await blobs.names()).length === 0) return
  const rows = await query
    .selectFrom('content')
    .select('file')
    .where('account_id', '=', account)
    .where('file', 'is not', null)
    .execute()
  const swept = await blobs.sweep(new Set(rows.map((row) => row.file!)), around.now())
  if (swept > 0) around.logger.info({ swept }, 'removed contents that no message names')
}

/** Deletes the account's mail, not what others keep in its folder. */
export async function removeAccount(account: AccountId, dataDir: string): Promise<void> {
  const { directory, database, blobs, search } = pathsOf(dataDir, account)
  // The database first: blobs without it are never served.
  for (const path of [database, `${database}-wal`, `${database}-shm`]) await rm(path, { force: true })
  for (const path of [blobs, search]) await rm(path, { recursive: true, force: true })
  await rmdir(directory).catch(() => {})
}
