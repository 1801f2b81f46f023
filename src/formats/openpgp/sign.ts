/** What an account's unlocked keys sign: octets, detached. */
import type { Bytes } from '#lib/bytes.ts'
import { canonicalText } from './canonical-text.ts'
import type { SecretKeys } from './secret-key.ts'
import type { SecretKey } from './secret-material.ts'
import { SignatureType } from './signature.ts'
import { subpacket, writeSignature } from './signature-write.ts'

/** None of the account's keys may sign now. */
export class CannotSign extends Error {
  override readonly name = 'CannotSign'
  constructor() {
    super('no key that may sign')
  }
}

export type SignatureMode = 'binary' | 'text'

export interface DetachedWish {
  /** `text` signs the lines whatever their ends. */
  readonly mode?: SignatureMode
  /** Fingerprints, upper-case hex, of the certificates that the content is encrypted to: it is not meant for anybody else. */
  readonly recipients?: readonly string[]
}

/**
 * A signature packet over `content` by the newest key that may sign. `created` in milliseconds since the epoch. The hash is
 * SHA-256 (`micalg=pgp-sha256`), with Ed448 SHA-512. Throws CannotSign, SignatureFault, RangeError for what is no fingerprint.
 */
export function signDetached(
  keys: SecretKeys,
  content: Bytes,
  created: number,
  { mode = 'binary', recipients = [] }: DetachedWish = {},
): Buffer {
  const type = mode === 'text' ? SignatureType.text : SignatureType.binary
  const signed = mode === 'text' ? canonicalText(content) : content
  return writeSignature(signerAt(keys, created), { type, created, subpackets: recipients.map(intended) }, [signed])
}

/** RFC 9580 §5.2.3.36; not critical, since many programs do not know it. */
function intended(fingerprint: string): Buffer {
  const octets = Buffer.from(fingerprint, 'hex')
  const version = octets.length === 20 ? 4 : octets.length === 32 ? 6 : null
  if (!version || octets.length * 2 !== fingerprint.length) throw new RangeError('not a fingerprint')
  return subpacket(35, Buffer.of(version), octets)
}

function signerAt({ certificate, keys }: SecretKeys, now: number): SecretKey {
  const usable = certificate.signingKeys.filter(({ expires }) => expires === null || expires > now)
  for (const { key } of usable.toSorted((a, b) => b.key.created - a.key.created)) {
    const found = keys.find((secret) => secret.key.fingerprint === key.fingerprint)
    if (found) return found
  }
  throw new CannotSign()
}
