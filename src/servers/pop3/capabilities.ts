/** What CAPA tells (RFC 2449 §5, §6), by state. Nothing is named here that is not complete. */

export interface CapabilityState {
  readonly secure: boolean
  readonly loggedIn: boolean
  /** Of AUTH. */
  readonly mechanisms: readonly string[]
}

const ALWAYS = [
  'TOP',
  'UIDL',
  'RESP-CODES',
  // RFC 3206 §6
  'AUTH-RESP-CODE',
  'PIPELINING',
  // Nothing is removed that its owner does not remove (RFC 2449 §6.7).
  'EXPIRE NEVER',
  // RFC 6856 §2; names and passwords are not prepared as its USER argument would promise.
  'UTF8',
  'IMPLEMENTATION Letterlock',
]

export function capabilities({ secure, loggedIn, mechanisms }: CapabilityState): readonly string[] {
  // RFC 2595 §4, §2.3: no password over a wire that anybody can read.
  if (secure) return [...ALWAYS, 'USER', `SASL ${mechanisms.join(' ')}`]
  return loggedIn ? ALWAYS : [...ALWAYS, 'STLS']
}
