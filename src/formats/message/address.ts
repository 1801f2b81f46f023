/**
 * Mail addresses as the envelope carries them (RFC 5321 §4.1.2, RFC 6531 §3.3): local-part and domain, nothing else.
 */

export interface Address {
  /** As given, unquoted; case kept (RFC 5321 §2.4). */
  readonly local: string
  /** Lower case; U-labels kept as they came, so that SMTPUTF8 round-trips. Address literals keep their brackets. */
  readonly domain: string
}
