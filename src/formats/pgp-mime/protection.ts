/**
 * What protected a message on its way, as it is kept beside the message and shown to its reader (RFC 9787 §3: one status for a
 * message, from its outermost cryptographic layers alone).
 */

/** How the certificate that a signature was checked with was found, the strongest first. See privacy/discovery. */
export type SignerEvidence = 'local' | 'secure-srv' | 'openpgpkey' | 'wkd' | 'accepted'

export type SignatureVerdict =
  /** There is none. */
  | { readonly kind: 'none' }
  /** By a certificate that the author's address has, or had when it was made. */
  | {
      readonly kind: 'good'
      /** Upper-case hex, of the certificate. */
      readonly fingerprint: string
      readonly evidence: SignerEvidence
      /** false: the author has another one by now. */
      readonly isCurrent: boolean
      /** When it was made, in milliseconds since the epoch. */
      readonly signed: number
    }
  /** It does not hold, or was not made for this reader, or the author's certificate was revoked or expired then. */
  | { readonly kind: 'bad'; readonly why: string }
  /** Nobody publishes a certificate of the author that made it. */
  | { readonly kind: 'unknown'; readonly why: string }
  /** It could not be checked now. */
  | { readonly kind: 'unchecked'; readonly why: string }

export type Encryption =
  /** It came as it was written. */
  | 'none'
  /** It came encrypted and was opened. */
  | 'opened'
  /** It came encrypted to keys that are not here. */
  | 'closed'
  /** It came encrypted to a key of ours and cannot be opened: changed, or without integrity protection. */
  | 'damaged'

export interface Protection {
  readonly encryption: Encryption
  readonly signature: SignatureVerdict
  /** The address that the signature speaks for: the one author. null when the message has not exactly one. */
  readonly author: string | null
  /** When this was found out, in milliseconds since the epoch. */
  readonly at: number
}
