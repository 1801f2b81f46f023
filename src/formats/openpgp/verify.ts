/** Judges signatures over octets: who made them, with which certificate, and whether that counts. */
import type { Bytes } from '#lib/bytes.ts'
import { canonicalText } from './canonical-text.ts'
import { type Certificate, verifyCertificate } from './certificate.ts'
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

function readable(body: Bytes): Signature | null {
  try {
    return parseSignature(body)
  } catch (error) {
    if (error instanceof MalformedOpenPgp) return null
    throw error
  }
}

function isAlive({ type, created, expiresAfter, hasUnknownCritical }: Signature, now: number): boolean {
  if (hasUnknownCritical || (type !== SignatureType.binary && type !== SignatureType.text)) return false
  return created !== null && created <= now && (expiresAfter === null || created + expiresAfter > now)
}

function verification(signature: Signature, content: Bytes, certificates: readonly Bytes[]): Verification | null {
  const mode = signature.type === SignatureType.text ? 'text' : 'binary'
  const signed = mode === 'text' ? canonicalText(content) : content
  const created = signature.created!
  for (const octets of certificates) {
    const certificate = certificateAt(octets, created)
    // judged at the signature's time: hard revocations look back by themselves
    if (!certificate || certificate.revoked) continue
    for (const { key, expires } of certificate.signingKeys) {
      if (!isIssuer(signature, key) || (expires !== null && expires <= created) || key.created > created) continue
      if (!signatureHolds(signature, key, [signed])) continue
      return { created, mode, signingKey: key.fingerprint, certificate: certificate.fingerprint }
    }
  }
  return null
}

function isIssuer({ issuer }: Signature, key: PublicKeyPacket): boolean {
  return issuer === null || issuer === key.fingerprint || issuer === key.keyId.toString('hex').toUpperCase()
}

function certificateAt(octets: Bytes, now: number): Certificate | null {
  try {
    return verifyCertificate(octets, now)
  } catch (error) {
    if (error instanceof MalformedOpenPgp) return null
    throw error
  }
}
