import { setImmediate as nextTurn } from 'node:timers/promises'

const STEPS = 256

/** In a long run of short steps, lets others on this thread have a turn now and then. */
export async function yieldNow(step: number): Promise<void> {
  if (step % STEPS === STEPS - 1) await nextTurn()
}
