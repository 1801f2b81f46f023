/**
 * The stack of this thread below where its loop runs. Node decrypts TLS into 16 KB of it (TLSWrap::ClearOut), where what a client
 * sent last lies until something else is as deep: a password, when nothing follows it.
 */

/** At some 100 octets each, more than that. */
const CALLS = 600

let isDue = false

function descend(calls: number): number {
  return calls === 0 ? 0 : 1 + descend(calls - 1)
}

/** Overwrites it once everything that runs now is over. */
export function overwriteStackSoon(): void {
  if (isDue) return
  isDue = true
  setImmediate(() => {
    isDue = false
    descend(CALLS)
  })
}
