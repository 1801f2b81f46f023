/**
 * Correspondents: certificates that the owner of an account has checked and accepted for an address, where nobody publishes one that
 * can be believed. For that account alone, and until its owner forgets them: this is no cache.
 *
 * Promises: only what passes the policy of discovery is accepted, and it is on the disk when `accept` resolves; the file shows neither
 * whose correspondents there are nor who they are: rows are found by HMAC and sealed, under keys derived from one that stands
 * elsewhere. What cannot be read is an error and never "nothing was accepted": mail would leave in clear because of it.
 *
 * Must never: be asked where anything was published that is revoked, expired or weak (discovery sees to that), or give an account
 * what another one accepted.
 */
import type { AccountId } from '#custody/accounts/directory.ts'
import type { Address } from '#formats/message/address.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import { RowSeal } from '#lib/row-seal.ts'
import { type Migrations, openSqlite, type SqliteDatabase } from '#lib/sqlite.ts'
import { addressName } from '../discovery/address-name.ts'
import type { AcceptedCertificates } from '../discovery/discovery.ts'
import { chooseCertificate } from '../discovery/usable-certificate.ts'

export interface Correspondent {
  readonly address: Address
  /** Binary, cleaned. */
  readonly certificate: Bytes
  /** Upper-case hex. */
  readonly fingerprint: string
  /** When it was accepted, in milliseconds since the epoch. */
  readonly at: number
}

export type Acceptance =
  | { readonly kind: 'accepted'; readonly correspondent: Correspondent }
  /** Nothing was changed. */
  | { readonly kind: 'refused'; readonly why: string }

export interface Correspondents extends AcceptedCertificates, AsyncDisposable {
  /** `certificate`: binary or armored; of several exactly one must be usable. In place of the one that was accepted before. */
  accept(account: AccountId, address: Address, certificate: Bytes): Promise<Acceptance>
  accepted(account: AccountId, address: Address): Promise<Correspondent | null>
  /** Oldest first. */
  list(account: AccountId): Promise<readonly Correspondent[]>
  /** Answers whether there was one. */
  forget(account: AccountId, address: Address): Promise<boolean>
  /** All of an account. */
  forgetAll(account: AccountId): Promise<void>
}

/** What is kept cannot be read: it was changed, or the key is another one. */
export class CorrespondentsDamaged extends Error {
  override readonly name = 'CorrespondentsDamaged'
}

export interface CorrespondentsOptions {
  readonly path: string
  /** 32 octets, which stay the caller's. */
  readonly key: Buffer
  readonly clock: Clock
}

interface Schema {
  accepted: { name: Uint8Array; account: Uint8Array; at: number; sealed: Uint8Array }
}

const migrations: Migrations = [
  async (schema) => {
    await schema.schema
      .createTable('accepted')
      .addColumn('name', 'blob', (column) => column.primaryKey())
      .addColumn('account', 'blob', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('sealed', 'blob', (column) => column.notNull())
      .execute()
    await schema.schema.createIndex('accepted_account').on('accepted').column('account').execute()
  },
]

const MOST_OF_AN_ACCOUNT = 1000

export async function openCorrespondents(options: CorrespondentsOptions): Promise<Correspondents> {
  return new SealedCorrespondents(await openSqlite<Schema>({ path: options.path, migrations, cacheKiB: 64 }), options)
}

class SealedCorrespondents implements Correspondents {
  readonly #db: SqliteDatabase<Schema>
  readonly #path: string
  readonly #clock: Clock
  readonly #rows: RowSeal

  constructor(db: SqliteDatabase<Schema>, { path, key, clock }: CorrespondentsOptions) {
    this.#db = db
    this.#path = path
    this.#clock = clock
    this.#rows = new RowSeal(key, 'correspondents')
  }

  async accept(account: AccountId, address: Address, octets: Bytes): Promise<Acceptance> {
    const now = this.#clock.now()
    const choice = chooseCertificate([octets], address, now)
    if (choice.kind === 'nothing') return { kind: 'refused', why: 'it is no certificate' }
    if (choice.kind === 'refused') return { kind: 'refused', why: choice.why }
    const { certificate, fingerprint } = choice
    const correspondent = { address, certificate, fingerprint, at: now }
    const name = this.#name(account, address)
    const owner = this.#owner(account)
    const row = { name, account: owner, at: now, sealed: this.#rows.seal(name, octetsOf(correspondent)) }
    return await this.#db.write(async (query) => {
      const others = await query.selectFrom('accepted').select('name').where('account', '=', owner).execute()
      if (others.length >= MOST_OF_AN_ACCOUNT && !others.some((one) => Buffer.compare(one.name, name) === 0))
        return { kind: 'refused', why: `there are ${others.length} accepted certificates already` }
      await query
        .insertInto('accepted')
        .values(row)
        .onConflict((clash) => clash.column('name').doUpdateSet(row))
        .execute()
      return { kind: 'accepted', correspondent }
    })
  }

  async accepted(account: AccountId, address: Address): Promise<Correspondent | null> {
    const name = this.#name(account, address)
    const row = await this.#db.query.selectFrom('accepted').selectAll().where('name', '=', name).executeTakeFirst()
    return row ? this.#open(row) : null
  }

  async list(account: AccountId): Promise<readonly Correspondent[]> {
    const owner = this.#owner(account)
    const rows = await this.#db.query
      .selectFrom('accepted')
      .selectAll()
      .where('account', '=', owner)
      .orderBy('at')
      .execute()
    return rows.map((row) => this.#open(row))
  }

  async forget(account: AccountId, address: Address): Promise<boolean> {
    const name = this.#name(account, address)
    const deleted = await this.#db.write((query) =>
      query.deleteFrom('accepted').where('name', '=', name).returning('at').execute(),
    )
    return deleted.length > 0
  }

  async forgetAll(account: AccountId): Promise<void> {
    const owner = this.#owner(account)
    await this.#db.write((query) => query.deleteFrom('accepted').where('account', '=', owner).execute())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#db[Symbol.asyncDispose]()
    this.#rows[Symbol.dispose]()
  }

  #owner(account: AccountId): Buffer {
    return this.#rows.name(account)
  }

  /** However its owner types it: a certificate is compared with an address in the same way. */
  #name(account: AccountId, address: Address): Buffer {
    return this.#rows.name(`${account} ${addressName(address).toLowerCase()}`)
  }

  #open({ name, sealed }: Schema['accepted']): Correspondent {
    const octets = this.#rows.open(name, sealed)
    if (octets === null)
      throw new CorrespondentsDamaged(
        `${this.#path}: an entry was changed, or the queue key is not the one it is sealed under`,
      )
    return correspondentOf(octets)
  }
}

/** The facts as JSON behind their length, then the certificate. */
function octetsOf({ certificate, ...facts }: Correspondent): Buffer {
  const text = Buffer.from(JSON.stringify(facts))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  return Buffer.concat([length, text, certificate])
}

function correspondentOf(octets: Buffer): Correspondent {
  const end = 4 + octets.readUInt32BE()
  const facts = JSON.parse(octets.subarray(4, end).toString()) as Omit<Correspondent, 'certificate'>
  return { ...facts, certificate: octets.subarray(end) }
}
