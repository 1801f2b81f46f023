/** Values that are wanted again soon, the least recently used ones given up when there are too many, or too much of them. */

interface Entry<V> {
  readonly value: V
  readonly weight: number
}

export class RecentlyUsed<V> {
  readonly #most: number
  readonly #heaviest: number
  /** Least recently used first. */
  readonly #kept = new Map<string, Entry<V>>()
  #weight = 0

  /** At most so many values, whose weights are at most so much together. */
  constructor(most: number, heaviest: number) {
    this.#most = most
    this.#heaviest = heaviest
  }

  get(key: string): V | undefined {
    const entry = this.#kept.get(key)
    if (entry === undefined) return undefined
    this.#kept.delete(key)
    this.#kept.set(key, entry)
    return entry.value
  }

  /** One that is heavier than all together may be is not kept. */
  set(key: string, value: V, weight: number): void {
    this.delete(key)
    this.#kept.set(key, { value, weight })
    this.#weight += weight
    while (this.#kept.size > this.#most || this.#weight > this.#heaviest) {
      this.delete(this.#kept.keys().next().value!)
    }
  }

  delete(key: string): void {
    const entry = this.#kept.get(key)
    if (entry === undefined) return
    this.#kept.delete(key)
    this.#weight -= entry.weight
  }

  clear(): void {
    this.#kept.clear()
    this.#weight = 0
  }
}
