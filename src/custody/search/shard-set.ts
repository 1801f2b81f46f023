import type { StoredShard } from './stored-shard.ts'

/** The shards of an index, in an order that only grows until some of them are exchanged; and where in them each message is. */
export class ShardSet {
  #shards: StoredShard[] = []
  #slots = new Map<number, number>()
  /** Shards that the slots are known of, and how many slots they have. */
  #counted = 0
  #size = 0
  #users = 0
  #given: StoredShard[] = []
  /** Slots of the same ids were asked for before. */
  #asked: { readonly ids: Float64Array; readonly slots: Int32Array } | null = null

  get shards(): readonly StoredShard[] {
    return this.#shards
  }

  add(shard: StoredShard): void {
    this.#shards.push(shard)
    this.#asked = null
  }

  /** Takes some out and puts others in; those are wiped once nobody uses them. */
  exchange(taken: readonly StoredShard[], put: readonly StoredShard[]): void {
    this.#shards = [...this.#shards.filter((one) => !taken.includes(one)), ...put]
    this.#slots = new Map()
    this.#counted = 0
    this.#size = 0
    this.#asked = null
    this.#given.push(...taken)
    this.#settle()
  }

  /** The shards stay as they are until this is disposed. */
  use(): Disposable {
    this.#users++
    return {
      [Symbol.dispose]: () => {
        this.#users--
        this.#settle()
      },
    }
  }

  get users(): number {
    return this.#users
  }

  #settle(): void {
    if (this.#users > 0) return
    for (const shard of this.#given.splice(0)) void shard.wipe()
  }

  /** The number of slots, of all documents of all shards, which must be open. */
  get size(): number {
    for (; this.#counted < this.#shards.length; this.#counted++) {
      const { documents } = this.#shards[this.#counted]!
      for (const [index, document] of documents.entries()) this.#slots.set(document, this.#size + index)
      this.#size += documents.length
    }
    return this.#size
  }

  /** As far as shards are open. */
  has(id: number): boolean {
    if (this.#slots.has(id)) return true
    for (let index = this.#counted; index < this.#shards.length; index++) {
      const shard = this.#shards[index]!
      if (shard.hasHead && shard.documents.includes(id)) return true
    }
    return false
  }

  /** Of each id; -1 where it is in no shard. */
  slotsOf(ids: Float64Array): Int32Array {
    if (this.size > 0 && this.#asked?.ids === ids) return this.#asked.slots
    const slots = Int32Array.from(ids, (id) => this.#slots.get(id) ?? -1)
    this.#asked = { ids, slots }
    return slots
  }
}
