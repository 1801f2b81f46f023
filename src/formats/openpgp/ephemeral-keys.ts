/**
 * Ephemeral keys of key agreement. Those for X25519, which nearly every message needs, are made ahead on libuv's pool, so
 * that the thread that seals does not wait for them. Each is handed out once.
 */
import { generateKeyPair, generateKeyPairSync, type KeyObject } from 'node:crypto'

export interface EphemeralKey {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/** As many as a burst of deliveries takes in a turn of the event loop; the rest are made on the spot. */
const KEPT = 32

const ready: EphemeralKey[] = []
let ordered = 0

function ephemeralX25519(): EphemeralKey {
  const taken = ready.pop()
  if (ready.length + ordered <= KEPT / 2) order(KEPT - ready.length - ordered)
  return taken ?? generateKeyPairSync('x25519')
}

function order(count: number): void {
  for (let i = 0; i < count; i++) {
    ordered++
    generateKeyPair('x25519', undefined, (error, publicKey, privateKey) => {
      ordered--
      if (!error) ready.push({ publicKey, privateKey })
    })
  }
}

/** For a recipient's key of any kind that agrees on keys. */
export function ephemeralFor(recipient: KeyObject): EphemeralKey {
  switch (recipient.asymmetricKeyType) {
    case 'x25519':
      return ephemeralX25519()
    case 'x448':
      return generateKeyPairSync('x448')
    default:
      return generateKeyPairSync('ec', { namedCurve: recipient.asymmetricKeyDetails?.namedCurve ?? '' })
  }
}
