/** Ephemeral keys of key agreement, one for each message. Made on the spot: node:crypto's pool would cost more than it hides. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'

export interface EphemeralKey {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/** For a recipient's key of any kind that agrees on keys. */
export function ephemeralFor(recipient: KeyObject): EphemeralKey {
  switch (recipient.asymmetricKeyType) {
    case 'x25519':
      return generateKeyPairSync('x25519')
    case 'x448':
      return generateKeyPairSync('x448')
    default:
      return generateKeyPairSync('ec', { namedCurve: recipient.asymmetricKeyDetails?.namedCurve ?? '' })
  }
}
