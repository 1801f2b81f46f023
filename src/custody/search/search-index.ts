/**
 * The index of the texts of one account's messages, by the id of their content: which of them hold a text, exactly, without opening any.
 * In clear it exists only in memory, while somebody with the account's keys is there; on the disk only sealed (sealed-files.ts).
 *
 * It is made of shards (shard.ts), each written once. New messages make small ones; several small ones make a larger one, and those
 * of some thousand messages are closed. What is deleted stays in its shard, unseen, until that is made anew. It is a cache: a shard that
 * is damaged is left out and what it covered is indexed again.
 *
 * Several processes may have it open at once. One of them at a time, which has claimed the files and refreshed what it knows, changes them;
 * the others read on, and what they do not know of yet is open for them.
 *
 * It must never write anything in clear, nor name a word in a log. It knows neither mailboxes nor how messages are read.
 */
import { randomBytes } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'
import type { Logger } from '#lib/log.ts'
import { IdRuns } from './id-runs.ts'
import { decodeManifest, encodeManifest, MANIFEST, type Manifest } from './manifest.ts'
import { type IndexFiles, type Opened, SealedFiles } from './sealed-files.ts'
import { type DocumentTexts, ShardBuilder } from './shard-builder.ts'
import { mergeShards } from './shard-merge.ts'
import { type FoldedQuery, markMatching } from './shard-query.ts'
import { ShardSet } from './shard-set.ts'
import { fileNames, rowOf, ShardDamaged, StoredShard, writeShard } from './stored-shard.ts'

export interface SearchIndexOptions {
  readonly account: string
  /** Derived from the index keys of the account, newest first. The index wipes them. */
  readonly keys: readonly Bytes[]
  readonly files: IndexFiles
  readonly logger: Logger
  /** Octets; an index that takes more is searched shard by shard, each read when its turn comes. */
  readonly heldOctets?: number
}

/** What is known of a message for a query. */
export const NO = 0
export const YES = 1
export const OPEN = 2

const ID_OCTETS = 8
/** A shard that nobody has merged yet is at most so large; small, so that making it is quick. */
const BUILT_DOCUMENTS = 64
const BUILT_TOKENS = 40_000
/** What is not written down yet is lost with the process. */
const UNWRITTEN_DOCUMENTS = 1024
const UNWRITTEN_OCTETS = 24_000_000
/** Shards of so many messages, or octets, are closed. */
const CLOSED_DOCUMENTS = 4096
const CLOSED_OCTETS = 24_000_000
const HELD_OCTETS = 160_000_000
/** So many shards of about one size become one. */
const MERGED = 4

export class SearchIndex implements AsyncDisposable {
  readonly #files: SealedFiles
  readonly #logger: Logger
  readonly #account: string
  readonly #generations: number
  readonly #heldOctets: number
  readonly #set = new ShardSet()
  #covered = new IdRuns([])
  #unreadable = new Set<number>()
  #large = new Set<number>()
  /** Not on the disk yet. */
  readonly #fresh = new Set<StoredShard>()
  #builder: ShardBuilder | null = null
  #changed = false
  #isOld = false
  /** Of the manifest that was read or written last; null: there was none. */
  #mark: string | null = null

  private constructor(options: SearchIndexOptions, files: SealedFiles) {
    this.#files = files
    this.#logger = options.logger
    this.#account = options.account
    this.#generations = options.keys.length
    this.#heldOctets = options.heldOctets ?? HELD_OCTETS
  }

  static async open(options: SearchIndexOptions): Promise<SearchIndex> {
    const { account, keys, files, logger } = options
    const index = new SearchIndex(options, new SealedFiles(account, keys, files))
    const outcome = await index.#read()
    if (outcome !== 'open' && outcome !== 'missing')
      logger.warn({ account, outcome }, 'the search index cannot be read and is made anew')
    return index
  }

  /** Takes over what another process wrote meanwhile, and forgets what of it is not written yet. false: nobody wrote. */
  async refresh(): Promise<boolean> {
    const before = this.#mark
    await this.#read()
    return this.#mark !== before
  }

  async #read(): Promise<Opened['kind']> {
    const opened = await this.#files.open(MANIFEST)
    if (opened.kind !== 'open' || opened.mark === this.#mark) return opened.kind
    const manifest = decodeManifest(opened.octets)
    const ids = new Set(manifest.shards.map(({ id }) => id))
    const known = this.#set.shards.filter((one) => !this.#fresh.has(one) && ids.has(one.row.id))
    const knownIds = new Set(known.map(({ row }) => row.id))
    const put = manifest.shards.filter(({ id }) => !knownIds.has(id)).map((row) => new StoredShard(row, this.#files))
    const gone = this.#set.shards.filter((one) => !known.includes(one))
    this.#set.exchange(gone, put)
    this.#fresh.clear()
    this.#builder = null
    this.#covered = new IdRuns(manifest.covered)
    const isRetried = manifest.generations !== this.#generations
    if (isRetried) for (const id of manifest.unreadable) this.#covered.remove(id, id)
    this.#unreadable = new Set(isRetried ? [] : manifest.unreadable)
    this.#large = new Set(manifest.large)
    this.#isOld = opened.isOld
    this.#mark = opened.mark
    this.#changed = false
    return 'open'
  }

  /** Messages in it. */
  get documents(): number {
    return this.#set.shards.reduce((sum, { row }) => sum + row.documents, 0)
  }

  /** It lies under a key of an earlier generation. */
  get isOld(): boolean {
    return this.#isOld
  }

  /** Which ids have been seen to, whatever came of it. */
  get covered(): Pick<IdRuns, 'gapBelow' | 'has'> {
    return this.#covered
  }

  /** Octets in memory. */
  get weight(): number {
    return this.#set.shards.reduce((sum, { weight }) => sum + weight, 0)
  }

  /** Whether it is known to be in a shard. */
  has(id: number): boolean {
    return this.#set.has(id)
  }

  /** Takes in a message. What it needs is read at once. It can be found after `flush`. */
  async add(id: number, texts: DocumentTexts): Promise<void> {
    this.#builder ??= new ShardBuilder()
    if (!this.#builder.add(id, texts)) this.#large.add(id)
    if (this.#builder.documents >= BUILT_DOCUMENTS || this.#builder.size >= BUILT_TOKENS) await this.flush()
  }

  /** A message that is not indexed: because no key opens it, or because it is too large. */
  leaveOut(id: number, why: 'unreadable' | 'large'): void {
    if (why === 'large') this.#large.add(id)
    else this.#unreadable.add(id)
  }

  async flush(): Promise<void> {
    const builder = this.#builder
    this.#builder = null
    if (!builder || builder.documents === 0) return
    const whole = await builder.finish()
    const shard = StoredShard.of(rowOf('', whole), whole, this.#files)
    this.#fresh.add(shard)
    this.#set.add(shard)
  }

  /** All of these ids have been seen to: added and flushed, left out, or gone. */
  async cover(first: number, last: number): Promise<void> {
    this.#covered.add(first, last)
    this.#changed = true
    const unwritten = [...this.#fresh].reduce((sum, { row }) => sum + row.documents, 0)
    const octets = [...this.#fresh].reduce((sum, { row }) => sum + row.octets, 0)
    if (unwritten >= UNWRITTEN_DOCUMENTS || octets >= UNWRITTEN_OCTETS) await this.commit()
  }

  /** Writes down what is new. */
  async commit(): Promise<void> {
    if (this.#fresh.size > 0) await this.#merge([...this.#fresh], null)
    if (this.#changed) await this.#writeManifest()
  }

  /** Makes few shards of many, renews what is under an old key, and drops what is not `alive` any more (null: nothing is known). */
  async tidy(alive: ReadonlySet<number> | null, stop: () => boolean): Promise<void> {
    using _ = this.#set.use()
    if (this.#isOld) for (const shard of this.#set.shards) if (!stop()) await this.#rewrite([shard], alive)
    if (alive) {
      await this.#openAll()
      for (const shard of this.#set.shards)
        if (!stop() && hasManyDead(shard, alive)) await this.#rewrite([shard], alive)
    }
    for (let group = this.#similar(); group && !stop(); group = this.#similar()) await this.#rewrite(group, alive)
    if (this.#isOld && !stop()) this.#isOld = false
  }

  async #rewrite(group: readonly StoredShard[], alive: ReadonlySet<number> | null): Promise<void> {
    try {
      await this.#merge(group, alive)
    } catch (error) {
      if (!(error instanceof ShardDamaged)) throw error
      await this.#dropDamaged()
      return
    }
    await this.#writeManifest()
    for (const { row } of group) for (const name of fileNames(row.id)) await this.#files.remove(name)
  }

  #similar(): readonly StoredShard[] | null {
    const small = this.#set.shards.filter(
      (one) => !this.#fresh.has(one) && one.row.documents < CLOSED_DOCUMENTS && one.row.octets < CLOSED_OCTETS,
    )
    const tiers = Map.groupBy(small, ({ row }) => Math.floor(Math.log(Math.max(1, row.documents)) / Math.log(MERGED)))
    for (const group of tiers.values()) if (group.length >= MERGED) return group.slice(0, MERGED)
    return null
  }

  /** Puts one shard, on the disk, in the place of several. */
  async #merge(group: readonly StoredShard[], alive: ReadonlySet<number> | null): Promise<void> {
    using _ = this.#set.use()
    const wholes = []
    for (const shard of group) wholes.push(await shard.whole())
    const seen = new Set<number>()
    const merged = await mergeShards(wholes, (id) => {
      if (seen.has(id) || (alive && !alive.has(id))) return false
      seen.add(id)
      return true
    })
    const put: StoredShard[] = []
    if (merged.head.documents.length > 0) {
      const id = randomBytes(ID_OCTETS).toString('hex')
      await writeShard(this.#files, id, merged)
      put.push(StoredShard.of(rowOf(id, merged), merged, this.#files))
    }
    for (const shard of group) this.#fresh.delete(shard)
    this.#set.exchange(group, put)
    this.#changed = true
  }

  async #writeManifest(): Promise<void> {
    this.#changed = false
    const manifest: Manifest = {
      shards: this.#set.shards.filter((one) => !this.#fresh.has(one)).map(({ row }) => row),
      covered: this.#covered.runs,
      unreadable: [...this.#unreadable],
      generations: this.#generations,
      large: [...this.#large],
    }
    this.#mark = await this.#files.write(MANIFEST, encodeManifest(manifest), this.documents)
  }

  /** Removes old files that are not the index's any more. */
  sweep(): Promise<void> {
    const kept = this.#set.shards.flatMap(({ row }) => fileNames(row.id))
    return this.#files.removeOthers(new Set([MANIFEST, ...kept]))
  }

  /** Of each query, what is known of each id: NO, YES or OPEN. */
  async match(ids: Float64Array, queries: readonly FoldedQuery[]): Promise<readonly Uint8Array[]> {
    using _ = this.#set.use()
    for (;;) {
      await this.#openAll()
      try {
        return await this.#matchNow(ids, queries)
      } catch (error) {
        if (!(error instanceof ShardDamaged)) throw error
        await this.#dropDamaged()
      }
    }
  }

  async #matchNow(ids: Float64Array, queries: readonly FoldedQuery[]): Promise<readonly Uint8Array[]> {
    const shards = [...this.#set.shards]
    const size = this.#set.size
    const slots = this.#set.slotsOf(ids)
    // Now: what is taken in while shards are read is in none of these.
    const elsewhere = this.#elsewhere(ids, slots)
    const isLarge = shards.reduce((sum, { row }) => sum + row.octets, 0) > this.#heldOctets
    if (!isLarge) await settledOr(shards.map((shard) => shard.open()))
    const marks = queries.map(() => new Uint8Array(size))
    let base = 0
    for (const shard of shards) {
      const end = base + shard.row.documents
      const opened = await shard.open()
      for (const [index, query] of queries.entries())
        await markMatching(opened, query, marks[index]!.subarray(base, end))
      // Nobody else is in the middle of it.
      if (isLarge && this.#set.users === 1 && !this.#fresh.has(shard)) await shard.shed()
      base = end
    }
    return marks.map((marked) => answersOf(marked, slots, elsewhere))
  }

  /** Places of messages that are in no shard and have to be looked at. */
  #elsewhere(ids: Float64Array, slots: Int32Array): readonly number[] {
    const open: number[] = []
    for (let index = 0; index < ids.length; index++) {
      if (slots[index]! >= 0) continue
      const id = ids[index]!
      if (!this.#covered.has(id) || this.#large.has(id)) open.push(index)
    }
    return open
  }

  /** The newest first. */
  async #openAll(): Promise<void> {
    for (;;) {
      const closed = this.#set.shards.filter((one) => !one.hasHead)
      if (closed.length === 0) return
      const newest = closed.toSorted((a, b) => b.row.last - a.row.last)
      try {
        await settledOr(newest.map((one) => one.openHead()))
      } catch (error) {
        if (!(error instanceof ShardDamaged)) throw error
        await this.#dropDamaged()
      }
    }
  }

  /** Takes out shards that cannot be opened; what they covered is to be indexed again. Others may have put something else in their place. */
  async #dropDamaged(): Promise<void> {
    if (await this.refresh()) return
    for (const shard of [...this.#set.shards]) {
      const error = await shard.whole().then(
        () => null,
        (reason) => reason as Error,
      )
      if (!error) continue
      if (!(error instanceof ShardDamaged)) throw error
      const { first, last, documents } = shard.row
      this.#logger.warn({ account: this.#account, documents, error }, 'part of the search index is made anew')
      this.#covered.remove(first, last)
      this.#set.exchange([shard], [])
      this.#changed = true
    }
  }

  /** Gives back what memory it can. */
  async release(): Promise<void> {
    if (this.#set.users > 0) return
    for (const shard of this.#set.shards) if (!this.#fresh.has(shard)) await shard.wipe()
  }

  /** Writes nothing. Nobody may be using it any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const shard of this.#set.shards) await shard.wipe()
    this.#files[Symbol.dispose]()
  }
}

/** Of each message, from the marks of the slots. */
function answersOf(marked: Uint8Array, slots: Int32Array, open: readonly number[]): Uint8Array {
  const answers = new Uint8Array(slots.length)
  for (let index = 0; index < slots.length; index++) {
    const slot = slots[index]!
    answers[index] = slot >= 0 && marked[slot] ? YES : NO
  }
  for (const index of open) answers[index] = OPEN
  return answers
}

/** Waits for all of them, and throws what the first one that failed threw. */
async function settledOr(all: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(all)).find((one) => one.status === 'rejected')
  if (failed) throw failed.reason
}

function hasManyDead({ documents }: StoredShard, alive: ReadonlySet<number>): boolean {
  let dead = 0
  for (const id of documents) if (!alive.has(id)) dead++
  return dead > documents.length / 4
}
