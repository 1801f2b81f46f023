/** A clock that stands still until a test moves it, so that schedules of days run in milliseconds. */
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '#lib/clock.ts'

export interface FakeClock extends Clock {
  /** Moves on by `ms`, calling back what falls due on the way, in order, and lets each callback's promises settle. */
  advance(ms: number): Promise<void>
  /** Sets the time without calling anything back: what a wall clock does when it is corrected. */
  set(now: number): void
  /** How many callbacks wait. */
  readonly waiting: number
}

interface Timer {
  readonly at: number
  readonly callback: () => void
}

/** Starts at `start` milliseconds since the epoch. */
export function createFakeClock(start = Date.UTC(2026, 10, 2, 12)): FakeClock {
  let now = start
  const timers = new Set<Timer>()
  const nextDue = (until: number): Timer | null => {
    let next: Timer | null = null
    for (const timer of timers) if (timer.at <= until && (!next || timer.at < next.at)) next = timer
    return next
  }
  return {
    now: () => now,
    after(ms, callback) {
      const timer = { at: now + Math.max(0, ms), callback }
      timers.add(timer)
      return { [Symbol.dispose]: () => void timers.delete(timer) }
    },
    async advance(ms) {
      const end = now + ms
      for (let timer = nextDue(end); timer; timer = nextDue(end)) {
        timers.delete(timer)
        now = Math.max(now, timer.at)
        timer.callback()
        await setImmediate()
      }
      now = end
      await setImmediate()
    },
    set(at) {
      now = at
    },
    get waiting() {
      return timers.size
    },
  }
}
