/** Which of two choices counts for an account: its own, or that of its domain. */
import type { WithoutKey } from './directory.ts'

/** Whether what should be sealed may leave in clear all the same. */
const letsLeaveInClear = (policy: WithoutKey): boolean => policy === 'plain' || policy === 'warn'

/** Nothing weakens a domain that lets nothing leave in clear. */
export function policyOf(own: WithoutKey | null, shared: WithoutKey | null): WithoutKey | null {
  if (own && shared && letsLeaveInClear(own) && !letsLeaveInClear(shared)) return shared
  return own ?? shared
}
