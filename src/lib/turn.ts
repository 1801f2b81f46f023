/** Long work where others wait: after some milliseconds of it they get their turn. Ask between steps; asking costs next to nothing. */
import { setImmediate } from 'node:timers/promises'
import type { Clock } from './clock.ts'

const TURN_MS = 10

export class Turn {
  readonly #clock: Clock
  #until: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#until = clock.now() + TURN_MS
  }

  get isOver(): boolean {
    return this.#clock.now() >= this.#until
  }

  /** Others first. */
  async next(): Promise<void> {
    await setImmediate()
    this.#until = this.#clock.now() + TURN_MS
  }

  /** Drives work to its end, which is answered; others have their turns between its steps. */
  async over<T>(steps: Generator<void, T, void>): Promise<T> {
    for (;;) {
      const step = steps.next()
      if (step.done) return step.value
      if (this.isOver) await this.next()
    }
  }
}
