/**
 * What was found, until it is too old; and which certificates an address had, so that a change is seen.
 *
 * Whom our users write to is nobody's business: an address is only there as HMAC-SHA-256 under a key that stands elsewhere, and
 * everything about it is sealed with AES-256-GCM bound to that name. In clear are times and numbers alone.
 */
import { asBuffer } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import { preparing } from '#lib/prepared.ts'
import { RecentlyUsed } from '#lib/recently-used.ts'
import { RowSeal } from '#lib/row-seal.ts'
import { type Migrations, openSqlite, type Query, type SqliteDatabase } from '#lib/sqlite.ts'
import type { Evidence, Sighting, Step } from './discovery.ts'

/** A certificate that was found. Times in milliseconds since the epoch. */
export interface Kept {
  readonly certificate: Buffer
  readonly fingerprint: string
  readonly evidence: Evidence
  readonly steps: readonly Step[]
  readonly at: number
  readonly renew: number
  readonly until: number
}

export interface CertificateCache extends AsyncDisposable {
  /** null when there is none, or it is over. `address` is text that names one address. */
  get(address: string): Promise<Kept | null>
  /** Answers whether the address had another certificate before. */
  put(address: string, kept: Kept): Promise<boolean>
  /** One that signatures are checked with, under other names than that of its address: no sighting. */
  keep(names: readonly string[], kept: Kept): Promise<void>
  remove(address: string): Promise<void>
  /** Newest first. */
  sightings(address: string): Promise<readonly Sighting[]>
}

interface CacheSchema {
  found: { name: Uint8Array; until: number; sealed: Uint8Array }
  sighting: { name: Uint8Array; fingerprint: Uint8Array; last: number; sealed: Uint8Array }
}

const migrations: Migrations = [
  async (schema) => {
    await schema.schema
      .createTable('found')
      .addColumn('name', 'blob', (column) => column.primaryKey())
      .addColumn('until', 'bigint', (column) => column.notNull())
      .addColumn('sealed', 'blob', (column) => column.notNull())
      .execute()
    await schema.schema.createIndex('found_until').on('found').column('until').execute()
    await schema.schema
      .createTable('sighting')
      .addColumn('name', 'blob', (column) => column.notNull())
      .addColumn('fingerprint', 'blob', (column) => column.notNull())
      .addColumn('last', 'bigint', (column) => column.notNull())
      .addColumn('sealed', 'blob', (column) => column.notNull())
      .addPrimaryKeyConstraint('sighting_key', ['name', 'fingerprint'])
      .execute()
    await schema.schema.createIndex('sighting_last').on('sighting').column('last').execute()
  },
]

const foundRow = preparing<CacheSchema>()((query, given: { name: Uint8Array }) =>
  query.selectFrom('found').selectAll().where('name', '=', given.name),
)

const HOUR = 3_600_000
/** Sightings of an address that nobody wrote to for longer than this are forgotten. */
const SIGHTING_LIFE = 400 * 24 * HOUR

export interface CacheOptions {
  readonly path: string
  /** 32 octets, from which the cache's own keys are derived. */
  readonly key: Buffer
  readonly clock: Clock
}

export async function openCertificateCache(options: CacheOptions): Promise<CertificateCache> {
  const db = await openSqlite<CacheSchema>({ path: options.path, migrations, cacheKiB: 256 })
  const cache = new SealedCache(db, options)
  await cache.deleteOld()
  return cache
}

/** Octets of certificates all together. */
const MOST_OPENED = { rows: 500, octets: 2 << 20 }

interface Opened {
  readonly sealed: Uint8Array
  readonly kept: Kept
}

class SealedCache implements CertificateCache {
  readonly #db: SqliteDatabase<CacheSchema>
  readonly #clock: Clock
  readonly #rows: RowSeal
  /** Many letters go to the same people. Each belongs to the octets that it came of, which are new with everything that is written. */
  readonly #opened = new RecentlyUsed<Opened>(MOST_OPENED.rows, MOST_OPENED.octets)
  #timer: Disposable | null = null

  constructor(db: SqliteDatabase<CacheSchema>, { key, clock }: CacheOptions) {
    this.#db = db
    this.#clock = clock
    this.#rows = new RowSeal(key, 'discovery')
  }

  async get(address: string): Promise<Kept | null> {
    const name = this.#rows.name(address)
    const [row] = await foundRow(this.#db.query, { name })
    if (row && row.until > this.#clock.now()) return this.#open(name, row.sealed)
    this.#opened.delete(name.toString('base64'))
    return null
  }

  #open(name: Buffer, sealed: Uint8Array): Kept | null {
    const key = name.toString('base64')
    const before = this.#opened.get(key)
    if (before && asBuffer(before.sealed).equals(sealed)) return before.kept
    const opened = this.#rows.open(name, sealed)
    if (opened === null) return null
    const kept = keptOf(opened)
    this.#opened.set(key, { sealed, kept }, sealed.byteLength * 2)
    return kept
  }

  async put(address: string, kept: Kept): Promise<boolean> {
    const name = this.#rows.name(address)
    return await this.#db.write(async (query) => {
      await this.#replace(query, name, kept)
      const seen = await query.selectFrom('sighting').selectAll().where('name', '=', name).execute()
      const fingerprint = this.#rows.name(`${address} ${kept.fingerprint}`)
      const earlier = seen.find((one) => Buffer.compare(one.fingerprint, fingerprint) === 0)
      const first = (earlier && this.#sighting(name, earlier.sealed)?.first) ?? kept.at
      const sighting: Sighting = { fingerprint: kept.fingerprint, evidence: kept.evidence, first, last: kept.at }
      const text = Buffer.from(JSON.stringify(sighting))
      const row = { name, fingerprint, last: kept.at, sealed: this.#rows.seal(name, text) }
      await query
        .insertInto('sighting')
        .values(row)
        .onConflict((clash) => clash.columns(['name', 'fingerprint']).doUpdateSet(row))
        .execute()
      return !earlier && seen.length > 0
    })
  }

  async keep(names: readonly string[], kept: Kept): Promise<void> {
    await this.#db.write(async (query) => {
      for (const name of names) await this.#replace(query, this.#rows.name(name), kept)
    })
  }

  async remove(address: string): Promise<void> {
    const name = this.#rows.name(address)
    this.#opened.delete(name.toString('base64'))
    await this.#db.write((query) => query.deleteFrom('found').where('name', '=', name).execute())
  }

  async sightings(address: string): Promise<readonly Sighting[]> {
    const name = this.#rows.name(address)
    const rows = await this.#db.query.selectFrom('sighting').selectAll().where('name', '=', name).execute()
    const sightings = rows.flatMap((row) => this.#sighting(name, row.sealed) ?? [])
    return sightings.sort((a, b) => b.last - a.last || b.first - a.first)
  }

  /** And again every hour. */
  async deleteOld(): Promise<void> {
    const now = this.#clock.now()
    // What fails now is deleted an hour later; nothing of it is used any more meanwhile.
    this.#timer = this.#clock.after(HOUR, () => void this.deleteOld().catch(() => {}))
    await this.#db.write(async (query) => {
      await query.deleteFrom('found').where('until', '<=', now).execute()
      await query
        .deleteFrom('sighting')
        .where('last', '<=', now - SIGHTING_LIFE)
        .execute()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.[Symbol.dispose]()
    await this.#db[Symbol.asyncDispose]()
    this.#opened.clear()
    this.#rows[Symbol.dispose]()
  }

  async #replace(query: Query<CacheSchema>, name: Buffer, kept: Kept): Promise<void> {
    const values = { name, until: kept.until, sealed: this.#rows.seal(name, octetsOf(kept)) }
    await query
      .insertInto('found')
      .values(values)
      .onConflict((clash) => clash.column('name').doUpdateSet(values))
      .execute()
  }

  #sighting(name: Buffer, sealed: Uint8Array): Sighting | null {
    const opened = this.#rows.open(name, sealed)
    return opened === null ? null : (JSON.parse(opened.toString()) as Sighting)
  }
}

/** The facts as JSON behind their length, then the certificate. */
function octetsOf({ certificate, ...facts }: Kept): Buffer {
  const text = Buffer.from(JSON.stringify(facts))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  return Buffer.concat([length, text, certificate])
}

function keptOf(octets: Buffer): Kept {
  const end = 4 + octets.readUInt32BE()
  const facts = JSON.parse(octets.subarray(4, end).toString()) as Omit<Kept, 'certificate'>
  return { ...facts, certificate: octets.subarray(end) }
}
