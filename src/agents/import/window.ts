/** What is under way at once: so many appends, so many octets. */
const APPENDS = 64
const OCTETS = 64 * 1024 * 1024

export class Window {
  readonly #under = new Set<Promise<void>>()
  #octets = 0
  #wake: (() => void) | null = null

  /** Waits until there is room for one more of this size; one alone always has it. */
  async room(octets: number): Promise<void> {
    while (this.#under.size > 0 && (this.#under.size >= APPENDS || this.#octets + octets > OCTETS))
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
  }

  /** `appending` never rejects. */
  add(appending: Promise<void>, octets: number): void {
    this.#octets += octets
    const done = appending.then(() => {
      this.#under.delete(done)
      this.#octets -= octets
      this.#wake?.()
      this.#wake = null
    })
    this.#under.add(done)
  }

  async empty(): Promise<void> {
    await Promise.all(this.#under)
  }
}
