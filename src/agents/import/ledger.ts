/**
 * What was imported into an account, so that an import can be repeated: `import.db` in the account's folder. It holds keyed hashes
 * only (HMAC-SHA256 cut to half its length, RFC 2104 §5, under a key of the service), of the account with a message's exact octets or
 * its origin, each with the mailbox that it went to. Who has the file without the key learns how many messages were imported; who has
 * both can tell whether a message that he holds already was among them. It is kept for good: delivery keys are forgotten.
 */
import { createHmac } from 'node:crypto'
import type { AccountId } from '#custody/accounts/directory.ts'
import type { MailboxId } from '#custody/store/mail-store.ts'
import type { Bytes } from '#lib/bytes.ts'
import { type Migrations, openSqlite, type SqliteDatabase } from '#lib/sqlite.ts'

interface LedgerSchema {
  imported: { digest: Bytes; mailbox_id: number }
}

const migrations: Migrations = [
  async ({ schema }) => {
    await schema
      .createTable('imported')
      .addColumn('digest', 'bytea', (column) => column.notNull())
      .addColumn('mailbox_id', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('imported_key', ['digest', 'mailbox_id'])
      .execute()
  },
]

const DIGEST_OCTETS = 16

export type Digest = Buffer

export class Ledger implements AsyncDisposable {
  readonly #db: SqliteDatabase<LedgerSchema> | null
  readonly #key: Bytes
  readonly #account: AccountId

  constructor(db: SqliteDatabase<LedgerSchema> | null, key: Bytes, account: AccountId) {
    this.#db = db
    this.#key = key
    this.#account = account
  }

  contentDigest(content: Bytes): Digest {
    return this.#digest('content', content)
  }

  originDigest(origin: string): Digest {
    return this.#digest('origin', Buffer.from(origin))
  }

  #digest(what: string, octets: Bytes): Digest {
    const mac = createHmac('sha256', this.#key).update(`${what}\0${this.#account}\0`).update(octets).digest()
    return mac.subarray(0, DIGEST_OCTETS)
  }

  /** Whether it went to this mailbox, or for null to any. */
  async has(digest: Digest, mailbox: MailboxId | null): Promise<boolean> {
    if (!this.#db) return false
    const any = this.#db.query.selectFrom('imported').select('mailbox_id').where('digest', '=', digest)
    const found = mailbox === null ? any : any.where('mailbox_id', '=', mailbox)
    return (await found.limit(1).executeTakeFirst()) !== undefined
  }

  /** On the disk when it resolves. Idempotent. */
  async add(digests: readonly Digest[], mailbox: MailboxId): Promise<void> {
    const rows = digests.map((digest) => ({ digest, mailbox_id: mailbox }))
    await this.#db?.write((query) =>
      query
        .insertInto('imported')
        .values(rows)
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#db?.[Symbol.asyncDispose]()
  }
}

/** Makes the file when there is none. `key`: 32 octets. */
export async function openLedger(path: string, key: Bytes, account: AccountId): Promise<Ledger> {
  return new Ledger(await openSqlite<LedgerSchema>({ path, migrations }), key, account)
}

/** For a trial where nothing was imported yet: knows nothing and keeps nothing. */
export function blankLedger(account: AccountId): Ledger {
  return new Ledger(null, Buffer.alloc(32), account)
}
