/**
 * OpenPGP (RFC 9580): the only format in which mail rests here, and the one that travels end to end.
 *
 * Two layers. The native one (everything but engine.ts and what imports it) is small, synchronous and stands on node:crypto
 * alone; it seals and unseals each mail and runs inside the vault process. engine.ts is the one importer of the OpenPGP
 * library, loaded when first needed: it makes keys and serves `letterlock sop`, and is on no path that an idle server or
 * ordinary mail takes.
 *
 * Promises: no plaintext octet is handed out before the integrity of all of it is checked; a message without integrity
 * protection (packet type 9) is refused; every length, count and depth that a message can choose has a cap; for one secret
 * key every cause of a failed decryption looks the same; own signatures are verified before they are handed out.
 *
 * Must never: do I/O, ask the time, log, or put key material or plaintext into an error.
 *
 * v4 certificates with Curve25519 by default, because GnuPG 2.2 must read all of it; v6 and AEAD (SEIPDv2) are read always
 * and written when the certificate asks for it. Terms and numbers are those of RFC 9580.
 */

/** The octets do not have the form they claim to have, or use something that nobody may use. */
export class MalformedOpenPgp extends Error {
  override readonly name: string = 'MalformedOpenPgp'
}

/** An encrypted container was changed, truncated, has no integrity protection, or the session key is not its own. */
export class IntegrityError extends Error {
  override readonly name = 'IntegrityError'
  constructor() {
    super('the message is damaged or was not encrypted with this session key')
  }
}

/** A session key that is for one of our keys could not be taken out. One error for every cause. */
export class UndecryptableSessionKey extends Error {
  override readonly name = 'UndecryptableSessionKey'
  constructor() {
    super('the session key for this key cannot be decrypted')
  }
}

/** RFC 9580 §9.1. */
export const PublicKeyAlgorithm = {
  rsa: 1,
  rsaEncryptOnly: 2,
  rsaSignOnly: 3,
  elgamal: 16,
  dsa: 17,
  ecdh: 18,
  ecdsa: 19,
  eddsaLegacy: 22,
  x25519: 25,
  x448: 26,
  ed25519: 27,
  ed448: 28,
} as const

/** RFC 9580 §5, Table 3. */
export const PacketType = {
  pkesk: 1,
  signature: 2,
  skesk: 3,
  onePass: 4,
  secretKey: 5,
  publicKey: 6,
  secretSubkey: 7,
  compressed: 8,
  sed: 9,
  marker: 10,
  literal: 11,
  trust: 12,
  userId: 13,
  publicSubkey: 14,
  userAttribute: 17,
  seipd: 18,
  mdc: 19,
  padding: 21,
} as const

/** RFC 9580 §9.3: octets of a key for the ciphers that may be used; others are refused. */
export function cipherKeySize(cipher: number): 16 | 24 | 32 | null {
  return cipher === 9 ? 32 : cipher === 8 ? 24 : cipher === 7 ? 16 : null
}

/** RFC 9580 §9.5: node:crypto names of the hash algorithms that may be used; MD5, RIPEMD-160 and SHA-1 are not among them. */
export function hashName(hash: number): string | null {
  return HASHES.get(hash) ?? null
}

const HASHES = new Map([
  [8, 'sha256'],
  [9, 'sha384'],
  [10, 'sha512'],
  [11, 'sha224'],
  [12, 'sha3-256'],
  [14, 'sha3-512'],
])
