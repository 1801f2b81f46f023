/** Judges signatures over octets: who made them, with which certificate, and whether that counts. */
import type { Bytes } from '#lib/bytes.ts'
import { canonicalText } from './canonical-text.ts'
import type { Certificate } from './certificate.ts'
import { certificateAt, keysOf } from './certificate-times.ts'
import type { PublicKeyPacket } from './key-packet.ts'
import { MalformedOpenPgp } from './openpgp.ts'
import { parseSignature, type Signature, SignatureType, signatureHolds } from './signature.ts'

/** A signature that holds. */
export interface Verification {
  /** Milliseconds since the epoch. */
  readonly created: number
  readonly mode: 'binary' | 'text'
  /** Upper-case hex, of the key that signed. */
  readonly signingKey: string
  /** Upper-case hex, of its certificate. */
  readonly certificate: string
}

/**
 * Those of the signatures (packet bodies) that hold for `content` at `now`: made by a key that one of the certificates
 * (binary, from outside) bound for signing at the time of the signature, with an algorithm that counts, neither expired nor
 * from the future. All others are passed over in silence.
 */
export function verifySignatures(
  signatures: readonly Bytes[],
  content: Bytes,
  certificates: readonly Bytes[],
  now: number,
): readonly Verification[] {
  return signatures.flatMap((body) => {
    const signature = readable(body)
    const found = signature && isAlive(signature, now) && verification(signature, content, certificates)
    return found ? [found] : []
  })
}

export type SignatureCheck =
  | {
      readonly kind: 'holds'
      readonly verification: Verification
      /** User ids of its certificate. */
      readonly userIds: readonly string[]
      /** Upper-case hex, fingerprints of the certificates it was made for; empty when it does not say. */
      readonly recipients: readonly string[]
    }
  /** No key of this certificate made it, as far as it says itself. */
  | { readonly kind: 'not-issuer' }
  /** The certificate, or its key, was revoked when the signature was made, or for a reason that looks back. */
  | { readonly kind: 'revoked'; readonly certificate: string }
  /** The key had expired when the signature was made. */
  | { readonly kind: 'expired' }
  /** The certificate does not bind the key for signing. */
  | { readonly kind: 'not-bound' }
  /** It was not made by this key over this content. */
  | { readonly kind: 'altered' }

/**
 * What one certificate (binary, from outside) says of one signature (packet body) over `content` that is known to be alive, see
 * `readSignature`. The certificate counts as it was when the signature was made. One whose self-signatures are all newer, because
 * its owner renewed it and publishes nothing older, counts as it is at `now`.
 */
export function checkSignature(signature: Signature, content: Bytes, certificate: Bytes, now: number): SignatureCheck {
  if (!keysOf(certificate).some((key) => isIssuer(signature, key))) return { kind: 'not-issuer' }
  const then = checkAt(signature, content, certificateAt(certificate, signature.created!))
  return then.kind === 'not-bound' ? checkAt(signature, content, certificateAt(certificate, now)) : then
}

/** Keys for one signature, which need not say whose it is: each is a pass over the whole content. */
const MOST_TRIED = 4

function checkAt(signature: Signature, content: Bytes, certificate: Certificate | null): SignatureCheck {
  if (!certificate) return { kind: 'not-bound' }
  // judged at the signature's time: hard revocations look back by themselves
  if (certificate.revoked) return { kind: 'revoked', certificate: certificate.fingerprint }
  const created = signature.created!
  const keys = certificate.signingKeys.filter(({ key }) => isIssuer(signature, key) && key.created <= created)
  const live = keys.filter(({ expires }) => expires === null || expires > created)
  if (live.length === 0) return { kind: keys.length > 0 ? 'expired' : 'not-bound' }
  const mode = signature.type === SignatureType.text ? 'text' : 'binary'
  const signed = mode === 'text' ? canonicalText(content) : content
  const found = live.slice(0, MOST_TRIED).find(({ key }) => signatureHolds(signature, key, [signed]))
  if (!found) return { kind: 'altered' }
  const { fingerprint, userIds } = certificate
  const verification: Verification = { created, mode, signingKey: found.key.fingerprint, certificate: fingerprint }
  return { kind: 'holds', verification, userIds, recipients: signature.recipients }
}

/** The user ids that a certificate from outside binds at `now`; none of what is no certificate. */
export function userIdsAt(certificate: Bytes, now: number): readonly string[] {
  return certificateAt(certificate, now)?.userIds ?? []
}

/** A signature over octets or text that is complete and has a time; `null` for everything else. */
export function readSignature(body: Bytes): Signature | null {
  const signature = readable(body)
  return signature && isOverContent(signature) ? signature : null
}

function readable(body: Bytes): Signature | null {
  try {
    return parseSignature(body)
  } catch (error) {
    if (error instanceof MalformedOpenPgp) return null
    throw error
  }
}

function isOverContent({ type, created, hasUnknownCritical }: Signature): boolean {
  return created !== null && !hasUnknownCritical && (type === SignatureType.binary || type === SignatureType.text)
}

function isAlive(signature: Signature, now: number): boolean {
  const { created, expiresAfter } = signature
  if (!isOverContent(signature) || created! > now) return false
  return expiresAfter === null || created! + expiresAfter > now
}

function verification(signature: Signature, content: Bytes, certificates: readonly Bytes[]): Verification | null {
  for (const octets of certificates) {
    const check = checkAt(signature, content, certificateAt(octets, signature.created!))
    if (check.kind === 'holds') return check.verification
  }
  return null
}

function isIssuer({ issuer }: Signature, key: PublicKeyPacket): boolean {
  return issuer === null || issuer === key.fingerprint || issuer === key.keyId.toString('hex').toUpperCase()
}
