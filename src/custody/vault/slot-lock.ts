/**
 * The lock of a keyslot: X25519 (RFC 7748 §6.1), its secret half derived from the credential, its public half kept in the slot.
 * So the vault can wrap another AMK for a credential that is not at hand, which lets an account begin a new generation without
 * asking for every password that its owner has; whoever knows an older AMK learns nothing of the newer one.
 *
 * What is wrapped: ephemeral public key (32 octets), then the AMK under HKDF of the shared secret and both public keys.
 */
import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'
import { openOctets, SealBroken, sealOctets } from './aead.ts'
import { KEY_OCTETS, label, subkey, withKey } from './key-derivation.ts'

/** RFC 8410 §7: a private key in PKCS #8 up to its 32 octets. */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')
/** RFC 8410 §4: a public one up to its own. */
const SPKI = Buffer.from('302a300506032b656e032100', 'hex')

const publicOctets = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'spki' }).subarray(-KEY_OCTETS)

function publicKeyOf(octets: Bytes): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI, octets]), format: 'der', type: 'spki' })
}

/** `seed`: 32 octets, the caller's to wipe. */
function privateKeyOf(seed: Bytes): KeyObject {
  return withKey(Buffer.concat([PKCS8, seed]), (key) => createPrivateKey({ key, format: 'der', type: 'pkcs8' }))
}

export const slotPublicKey = (seed: Bytes): Buffer => publicOctets(createPublicKey(privateKeyOf(seed)))

function wrappingKey(secret: KeyObject, other: KeyObject, ephemeral: Bytes, slot: Bytes): Buffer {
  const shared = diffieHellman({ privateKey: secret, publicKey: other })
  return withKey(shared, (key) => subkey(key, label('letterlock slot lock', ephemeral, slot)))
}

/** Wraps the AMK for whoever can derive the secret half of `publicKey`. */
export function wrapFor(publicKey: Bytes, amk: Bytes, context: Bytes): Buffer {
  const { privateKey, publicKey: own } = generateKeyPairSync('x25519')
  const ephemeral = publicOctets(own)
  const key = wrappingKey(privateKey, publicKeyOf(publicKey), ephemeral, publicKey)
  return Buffer.concat([ephemeral, withKey(key, (wrapping) => sealOctets(wrapping, amk, context))])
}

/** The AMK, to be wiped by the caller. Throws SealBroken. */
export function unwrapWith(seed: Bytes, wrapped: Bytes, context: Bytes): Buffer {
  if (wrapped.byteLength <= KEY_OCTETS) throw new SealBroken('cut short')
  const secret = privateKeyOf(seed)
  const ephemeral = wrapped.subarray(0, KEY_OCTETS)
  const slot = publicOctets(createPublicKey(secret))
  let key: Buffer
  try {
    key = wrappingKey(secret, publicKeyOf(ephemeral), ephemeral, slot)
  } catch {
    // a point of small order has no shared secret
    throw new SealBroken('not a point')
  }
  return withKey(key, (wrapping) => openOctets(wrapping, wrapped.subarray(KEY_OCTETS), context))
}
