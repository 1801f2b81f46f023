/** Octets of messages that may be in memory at the same time, over all connections of a server. */
export class MemoryBudget {
  readonly #limit: number
  #used = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get used(): number {
    return this.#used
  }

  hold(): Hold {
    let held = 0
    return {
      resize: (octets) => {
        if (octets > held && this.#used + octets - held > this.#limit) return false
        this.#used += octets - held
        held = octets
        return true
      },
      [Symbol.dispose]: () => {
        this.#used -= held
        held = 0
      },
    }
  }
}

/** One message's share; given back when disposed. */
export interface Hold extends Disposable {
  /** false: there is no room for that much, and nothing changed. Smaller always fits. */
  resize(octets: number): boolean
}
