import type { Clock } from '#lib/clock.ts'

/** What is remembered for minutes, and in memory alone; the oldest gives way when there is too much. */
export class ShortMemory<T> {
  readonly #clock: Clock
  readonly #size: number
  readonly #kept = new Map<string, { readonly value: T; readonly until: number }>()

  constructor(clock: Clock, size: number) {
    this.#clock = clock
    this.#size = size
  }

  get(name: string): T | null {
    const found = this.#kept.get(name)
    if (!found) return null
    if (found.until > this.#clock.now()) return found.value
    this.#kept.delete(name)
    return null
  }

  put(name: string, value: T, ms: number): void {
    this.#kept.delete(name)
    if (this.#kept.size >= this.#size) this.#kept.delete(this.#kept.keys().next().value!)
    this.#kept.set(name, { value, until: this.#clock.now() + ms })
  }

  delete(name: string): void {
    this.#kept.delete(name)
  }
}
