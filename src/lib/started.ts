/** The end of a start: what it needed goes, and what it did without begins. */
import { setFlagsFromString } from 'node:v8'
import type { Clock } from './clock.ts'

const SETTLED_MS = 2500

/**
 * Somewhat after a server, or a process of it, has started: the leavings of the start are collected, which an idle server would keep for as
 * long as nothing happens, and from then on the compiler optimizes what runs often, from which bin/letterlock.js kept it.
 */
export function settleAfterStart(clock: Clock): Disposable {
  return clock.after(SETTLED_MS, () => {
    // Twice: what the first time is only let go is freed the second time.
    for (let time = 0; time < 2; time++) globalThis.gc?.({ type: 'major', flavor: 'last-resort' })
    setFlagsFromString('--no-efficiency-mode')
  })
}
