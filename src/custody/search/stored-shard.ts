import type { ShardRow } from './manifest.ts'
import type { SealedFiles } from './sealed-files.ts'
import {
  packHead,
  packPlaces,
  packWords,
  type SearchedShard,
  type ShardHead,
  type ShardPlaces,
  type ShardWords,
  unpackHead,
  unpackPlaces,
  unpackWords,
  type WholeShard,
  weightOf,
  wipePart,
} from './shard.ts'

const PARTS = ['head', 'words', 'places'] as const
type Part = (typeof PARTS)[number]

/** A file of a shard is not there, or is not what was written. */
export class ShardDamaged extends Error {
  override readonly name = 'ShardDamaged'
}

export function fileNames(id: string): readonly string[] {
  return PARTS.map((part) => `${id}-${part}`)
}

export function rowOf(id: string, { head, words, places }: WholeShard): ShardRow {
  let first = Number.MAX_SAFE_INTEGER
  let last = 0
  for (const document of head.documents) {
    first = Math.min(first, document)
    last = Math.max(last, document)
  }
  const octets = weightOf(head) + weightOf(words) + weightOf(places)
  return { id, documents: head.documents.length, first, last, octets }
}

/** The head last: a shard without it is none. */
export async function writeShard(files: SealedFiles, id: string, { head, words, places }: WholeShard): Promise<void> {
  await files.write(`${id}-places`, packPlaces(places))
  await files.write(`${id}-words`, packWords(words))
  await files.write(`${id}-head`, packHead(head))
}

/** A shard of the index, in memory as far as it is needed. */
export class StoredShard {
  readonly row: ShardRow
  readonly #files: SealedFiles
  #head: ShardHead | null = null
  #words: ShardWords | null = null
  #places: Promise<ShardPlaces> | null = null
  #opening: Promise<SearchedShard> | null = null
  /** Under an older key. */
  isOld = false
  /** Octets in memory. */
  weight = 0

  constructor(row: ShardRow, files: SealedFiles) {
    this.row = row
    this.#files = files
  }

  /** One that is not on the disk. */
  static of(row: ShardRow, whole: WholeShard, files: SealedFiles): StoredShard {
    const shard = new StoredShard(row, files)
    shard.#head = whole.head
    shard.#words = whole.words
    shard.#places = Promise.resolve(whole.places)
    shard.weight = row.octets
    return shard
  }

  get documents(): Float64Array {
    return this.#head!.documents
  }

  get hasHead(): boolean {
    return this.#head !== null
  }

  /** Throws ShardDamaged. */
  async openHead(): Promise<ShardHead> {
    if (this.#head) return this.#head
    const head = unpackHead(await this.#part('head'))
    if (!this.#head) this.weight += weightOf(head)
    this.#head ??= head
    return this.#head
  }

  /** Throws ShardDamaged. */
  open(): Promise<SearchedShard> {
    this.#opening ??= this.#openNow().catch((error) => {
      this.#opening = null
      throw error
    })
    return this.#opening
  }

  async #openNow(): Promise<SearchedShard> {
    const [head, words] = await Promise.all([this.openHead(), this.#words ?? this.#part('words').then(unpackWords)])
    if (!this.#words) this.weight += weightOf(words)
    this.#words = words
    return { head, words, places: () => this.places() }
  }

  places(): Promise<ShardPlaces> {
    this.#places ??= this.#openPlaces().catch((error) => {
      this.#places = null
      throw error
    })
    return this.#places
  }

  async #openPlaces(): Promise<ShardPlaces> {
    const places = unpackPlaces(await this.#part('places'))
    this.weight += weightOf(places)
    return places
  }

  async whole(): Promise<WholeShard> {
    const { head, words } = await this.open()
    return { head, words, places: await this.places() }
  }

  async #part(part: Part): Promise<Buffer> {
    const opened = await this.#files.open(`${this.row.id}-${part}`)
    if (opened.kind !== 'open') throw new ShardDamaged(`a file of the search index is ${opened.kind}`)
    this.isOld ||= opened.isOld
    return opened.octets
  }

  /** Nobody may be using it. It can be opened again when it is on the disk. */
  async wipe(): Promise<void> {
    const head = this.#head
    this.#head = null
    await this.shed()
    if (head) wipePart(head)
    this.weight = 0
  }

  /** Wipes all but the head; the same counts. */
  async shed(): Promise<void> {
    const [words, places] = [this.#words, this.#places]
    this.#words = null
    this.#places = null
    this.#opening = null
    this.weight = this.#head ? weightOf(this.#head) : 0
    for (const part of [words, await places?.catch(() => null)]) if (part) wipePart(part)
  }
}
