/** The decision, and nothing but it: what becomes of a message for one recipient, of whom so much is known. */
import type { Discovery } from '#privacy/discovery/discovery.ts'
import type { Demand, Fate, WithoutKey } from './e2e.ts'
import type { Already } from './protected-already.ts'

export type Known =
  | Discovery
  /** It is ours and stays here. */
  | { readonly kind: 'here' }
  /** There is nothing to look for, or no answer could count. */
  | { readonly kind: 'keyless'; readonly why: string }

export interface Wish {
  /** What becomes of the message without a key. */
  readonly rule: WithoutKey
  readonly demand: Demand
  readonly already: Already
  /** This provider seals at all. */
  readonly seals: boolean
}

/** Policy and demand together; null: the message asks to go in clear where that is not allowed. */
export function ruleOf(policy: WithoutKey, demand: Demand): WithoutKey | null {
  switch (demand) {
    case 'required':
      return 'refuse'
    case 'pickup':
      return 'pickup'
    case 'automatic':
      return policy
    case 'no':
      return isStrict(policy) ? null : policy
  }
}

/** Nothing leaves in clear. */
export const isStrict = (rule: WithoutKey): boolean => rule === 'refuse' || rule === 'pickup'

/** Whether the decision depends on what is known of a recipient elsewhere. */
export function needsDiscovery({ rule, demand, already, seals }: Wish): boolean {
  if (!seals || already === 'encrypted' || demand === 'no') return false
  return already !== 'signed' || isStrict(rule)
}

/** `wish.rule` is what ruleOf says. */
export function fateOf(known: Known, wish: Wish): Fate {
  const { rule, demand, already, seals } = wish
  if (known.kind === 'here') return { kind: 'kept' }
  if (already === 'encrypted') return { kind: 'already' }
  if (demand === 'no') return { kind: 'plain', why: 'its author wants it so', warns: false }
  if (!seals) {
    const why = 'this provider does not seal outgoing mail'
    // Nobody could ever read it on a page where nothing is sealed.
    return isStrict(rule) ? { kind: 'refused', why } : withoutKey(why, rule)
  }
  if (already === 'signed' && !isStrict(rule))
    return withoutKey('its author signed it, so nothing of it is changed', rule)
  return fateBy(known, rule)
}

function fateBy(known: Exclude<Known, { kind: 'here' }>, rule: WithoutKey): Fate {
  switch (known.kind) {
    case 'found': {
      const { certificate, fingerprint, evidence, isAccepted } = known
      if (evidence === 'local') return { kind: 'kept' }
      // Only the domain's own signed word, or the author's, starts sealing; but a weaker one is better than not sending.
      if (evidence === 'wkd' && !isAccepted && !isStrict(rule)) return withoutKey(UNPROVEN, rule)
      return { kind: 'sealed', certificate, fingerprint, evidence }
    }
    case 'none':
      return withoutKey('no certificate is published for this address', rule)
    case 'unusable':
      return withoutKey(`what is published cannot be used: ${known.why}`, rule)
    case 'keyless':
      return withoutKey(known.why, rule)
    case 'temporary':
      // What could not start sealing cannot hold up mail either.
      if (known.isUnproven && !isStrict(rule)) return withoutKey(`${NOTHING_PROVEN}: ${known.why}`, rule)
      return { kind: 'waits', why: known.why }
  }
}

const NOTHING_PROVEN = 'no certificate is published that DNSSEC vouches for, and its Web Key Directory is in trouble'
const UNPROVEN = 'its certificate is in a Web Key Directory only, which DNSSEC does not vouch for'

function withoutKey(why: string, rule: WithoutKey): Fate {
  switch (rule) {
    case 'plain':
      return { kind: 'plain', why, warns: false }
    case 'warn':
      return { kind: 'plain', why, warns: true }
    case 'refuse':
      return { kind: 'refused', why }
    case 'pickup':
      return { kind: 'pickup', why }
  }
}
