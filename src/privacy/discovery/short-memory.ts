import type { Clock } from '#lib/clock.ts'

/** What is remembered for minutes, for some a day, and in memory alone; the oldest gives way when there is too much. */
export class ShortMemory<T> {
  readonly #clock: Clock
  readonly #size: number
  readonly #kept = new Map<string, { readonly value: T; readonly at: number; readonly until: number }>()

  constructor(clock: Clock, size: number) {
    this.#clock = clock
    this.#size = size
  }

  get(name: string): T | null {
    const found = this.#kept.get(name)
    return found && found.until > this.#clock.now() ? found.value : null
  }

  /** The last one that is not older than `ms`, over or not. */
  last(name: string, ms: number): T | null {
    const found = this.#kept.get(name)
    return found && found.at > this.#clock.now() - ms ? found.value : null
  }

  put(name: string, value: T, ms: number): void {
    this.#kept.delete(name)
    if (this.#kept.size >= this.#size) this.#kept.delete(this.#kept.keys().next().value!)
    const at = this.#clock.now()
    this.#kept.set(name, { value, at, until: at + ms })
  }

  delete(name: string): void {
    this.#kept.delete(name)
  }
}
