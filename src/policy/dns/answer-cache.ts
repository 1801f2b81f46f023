import type { Clock } from '#lib/clock.ts'
import type { DnsAnswer } from './resolver.ts'

/** Answers while they live, the newest of them when there are too many. Failures are never kept. */
export class AnswerCache {
  readonly #clock: Clock
  readonly #size: number
  readonly #kept = new Map<string, { readonly answer: DnsAnswer<unknown>; readonly until: number }>()

  constructor(clock: Clock, size: number) {
    this.#clock = clock
    this.#size = size
  }

  /** With what is left of its TTL, or null. */
  get(key: string): DnsAnswer<unknown> | null {
    const found = this.#kept.get(key)
    if (!found) return null
    const left = Math.floor((found.until - this.#clock.now()) / 1000)
    if (left > 0) return { ...found.answer, ttl: left } as DnsAnswer<unknown>
    this.#kept.delete(key)
    return null
  }

  put(key: string, answer: DnsAnswer<unknown>): void {
    if (!('ttl' in answer) || answer.ttl <= 0) return
    this.#kept.delete(key)
    if (this.#kept.size >= this.#size) this.#kept.delete(this.#kept.keys().next().value!)
    this.#kept.set(key, { answer, until: this.#clock.now() + answer.ttl * 1000 })
  }
}
