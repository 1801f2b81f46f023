/** What an account's unlocked keys sign: octets, detached. */
import type { Bytes } from '#lib/bytes.ts'
import { canonicalText } from './canonical-text.ts'
import type { SecretKeys } from './secret-key.ts'
import type { SecretKey } from './secret-material.ts'
import { SignatureType } from './signature.ts'
import { writeSignature } from './signature-write.ts'

/** None of the account's keys may sign now. */
export class CannotSign extends Error {
  override readonly name = 'CannotSign'
  constructor() {
    super('no key that may sign')
  }
}

export type SignatureMode = 'binary' | 'text'

/**
 * A signature packet over `content` by the newest key that may sign. `created` in milliseconds since the epoch. The hash is
 * SHA-256 (`micalg=pgp-sha256`), with Ed448 SHA-512. `text` signs the lines whatever their ends. Throws CannotSign,
 * SignatureFault.
 */
export function signDetached(
  keys: SecretKeys,
  content: Bytes,
  created: number,
  mode: SignatureMode = 'binary',
): Buffer {
  const type = mode === 'text' ? SignatureType.text : SignatureType.binary
  const signed = mode === 'text' ? canonicalText(content) : content
  return writeSignature(signerAt(keys, created), { type, created }, [signed])
}

function signerAt({ certificate, keys }: SecretKeys, now: number): SecretKey {
  const usable = certificate.signingKeys.filter(({ expires }) => expires === null || expires > now)
  for (const { key } of usable.toSorted((a, b) => b.key.created - a.key.created)) {
    const found = keys.find((secret) => secret.key.fingerprint === key.fingerprint)
    if (found) return found
  }
  throw new CannotSign()
}
