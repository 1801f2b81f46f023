/** When to try again, when to warn the sender, when to give up (RFC 5321 §4.5.4.1). */

export interface Schedule {
  /** Milliseconds to wait after the first try, the second ...; the last one counts for all that follow. */
  readonly delays: readonly number[]
  /** Delays are spread by up to this part of them in both directions, so that what failed together does not return together. */
  readonly jitter: number
  /** Milliseconds after arrival. */
  readonly warnAfter: number
  readonly giveUpAfter: number
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Close tries in the first hour, which greylisting and restarts need, then every few hours, for five days. */
export const STANDARD_SCHEDULE: Schedule = {
  delays: [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR],
  jitter: 0.15,
  warnAfter: 4 * HOUR,
  giveUpAfter: 5 * 24 * HOUR,
}

/** Milliseconds to wait after `tries` tries (1 or more); `random` is from 0 to 1. */
export function delayAfter(schedule: Schedule, tries: number, random: number): number {
  const { delays, jitter } = schedule
  const delay = delays[Math.min(tries, delays.length) - 1] ?? HOUR
  return Math.round(delay * (1 + jitter * (2 * random - 1)))
}
