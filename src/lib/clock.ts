/**
 * The only door to time. Everything that asks what time it is, or waits, is given a Clock; tests give one that they move.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls back after `ms` milliseconds; dispose to cancel. The timer does not keep the process alive. */
  after(ms: number, callback: () => void): Disposable
}

/** Resolves after `ms` milliseconds of this clock, or rejects with the signal's reason when that comes first. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const timer = clock.after(ms, () => {
      signal?.removeEventListener('abort', stop)
      resolve()
    })
    const stop = () => {
      timer[Symbol.dispose]()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', stop, { once: true })
  })
}

/** Thousands of them wait at once: no closure for each. */
class Timer implements Disposable {
  readonly #timer: NodeJS.Timeout

  constructor(ms: number, callback: () => void) {
    this.#timer = setTimeout(callback, Math.min(ms, 0x7fffffff))
    this.#timer.unref()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, callback) => new Timer(ms, callback),
}
