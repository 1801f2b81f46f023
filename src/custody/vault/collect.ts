/**
 * Secret keys that node:crypto holds cannot be wiped from here: OpenSSL wipes them when they are collected, and an idle vault
 * would not collect for hours. Asked for after keys are let go; the launch flags allow it (keyring/launch.ts).
 */
let isDue = false

export function collectSoon(): void {
  if (isDue) return
  isDue = true
  // Not now: what is being let go is on the stack yet.
  setImmediate(() => {
    isDue = false
    globalThis.gc?.()
  })
}
