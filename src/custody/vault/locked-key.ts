/**
 * Secret keys at rest: the transferable secret key (RFC 9580 §10.2), sealed under the AMK and bound to the account, the
 * generation of the AMK and every octet of the public certificate. A certificate that was exchanged or extended by somebody
 * else does not open the key, so nobody is made to use a key other than the one that was published (key-overwriting attacks).
 */
import { type Certificate, parseCertificate } from '#formats/openpgp/certificate.ts'
import { openSecretKeys, type SecretKeys } from '#formats/openpgp/secret-key.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { openOctets, SealBroken, sealOctets } from './aead.ts'
import { label, sha256, withKey } from './key-derivation.ts'
import { type Place, tskKey } from './keyslots.ts'

/** A locked secret key as it is stored, and the certificate that is published for it now. */
export interface LockedKey {
  readonly certificate: Bytes
  readonly locked: Bytes
}

/** The secret key does not open with this certificate, or is not its private half. */
export class KeyMismatch extends Error {
  override readonly name = 'KeyMismatch'
}

function context({ account, generation }: Place, certificate: Certificate): Buffer {
  return label('letterlock secret key 1', account, generation, certificate.fingerprint, sha256(certificate.bytes))
}

export function lockKey(place: Place, secret: Bytes, certificate: Bytes, amk: Bytes): Buffer {
  const bound = context(place, parseCertificate(certificate))
  return withKey(tskKey(amk), (key) => sealOctets(key, secret, bound))
}

/** The transferable secret key, to be wiped by the caller. Throws KeyMismatch. */
export function unlockKey(place: Place, { certificate, locked }: LockedKey, amk: Bytes): Buffer {
  const bound = context(place, parseCertificate(certificate))
  try {
    return withKey(tskKey(amk), (key) => openOctets(key, locked, bound))
  } catch (error) {
    if (error instanceof SealBroken) throw new KeyMismatch('a secret key does not belong to its certificate')
    throw error
  }
}

/** The key ready for use; dispose it when the account's last session has ended. Throws KeyMismatch. */
export function openLockedKey(place: Place, key: LockedKey, amk: Bytes): SecretKeys {
  const secret = unlockKey(place, key, amk)
  try {
    const opened = openSecretKeys(secret)
    if (opened.certificate.fingerprint === parseCertificate(key.certificate).fingerprint) return opened
    opened.wipe()
    throw new KeyMismatch('a secret key is not the private half of its certificate')
  } finally {
    wipe(secret)
  }
}
