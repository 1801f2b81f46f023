/** Lets a bounded number of messages be scanned at once, and a bounded amount of mail wait for it, each for as long as its signal says. */
import { Busy, WorkGate } from '#lib/work-gate.ts'

const AT_ONCE = 8
const WAITING_MAX = 256
/** Octets of messages that are being scanned or wait for it. */
const HELD_MAX = 256 * 1024 ** 2

export class Admission {
  readonly #gate = new WorkGate(AT_ONCE, WAITING_MAX)
  #held = 0

  /** Throws Busy, and work is not begun, when there is no room or its turn does not come before the signal. */
  async run<T>(octets: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#held + octets > HELD_MAX) throw new Busy('too much mail waits to be scanned')
    this.#held += octets
    try {
      return await this.#inTurn(signal, work)
    } finally {
      this.#held -= octets
    }
  }

  #inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = () => reject(new Busy('too much mail waits to be scanned'))
      signal.addEventListener('abort', stop)
      this.#gate
        .run(async () => {
          signal.removeEventListener('abort', stop)
          if (!signal.aborted) resolve(await work())
        })
        .catch(reject)
    })
  }
}
