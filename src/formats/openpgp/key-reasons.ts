/** Why a key is refused or warned about: a code for programs, and sentences for people that say what to do. */
import { type Certificate, isWeak } from './certificate.ts'
import type { Component, Components, Sections } from './certificate-components.ts'
import type { PublicKeyPacket } from './key-packet.ts'
import { bitLength } from './octet-reader.ts'
import type { MalformedOpenPgp } from './openpgp.ts'

export type KeyReasonCode =
  | 'unreadable'
  | 'unknown-algorithm'
  | 'too-short'
  | 'too-long'
  | 'no-self-signature'
  | 'old-self-signature'
  | 'not-yet-valid'
  | 'no-address'
  | 'revoked'
  | 'expired'
  | 'encryption-key-expired'
  | 'old-algorithm'
  | 'no-encryption-key'
  | 'secret-missing'
  | 'short'
  | 'subkey-left-out'
  | 'no-signing-key'

export interface KeyReason {
  readonly code: KeyReasonCode
  /** Whole sentences, with what to do. */
  readonly text: string
}

/** Whether mail can have been encrypted to the key, and is decrypted here. */
export function canRead({ key, binding }: Component): boolean {
  const { material } = key
  if (isWeak(key) || (binding.keyFlags !== null && (binding.keyFlags & ENCRYPTS) === 0)) return false
  if (material.kind === 'okp') return material.curve === 'X25519' || material.curve === 'X448'
  if (material.kind === 'ec') return material.kdf !== null
  return material.kind === 'rsa' || material.kind === 'elgamal'
}

/** RFC 9580 §5.2.3.29 */
const ENCRYPTS = 0x0c

export const unreadable = ({ message }: MalformedOpenPgp): KeyReason => ({
  code: 'unreadable',
  text: `This is not an OpenPGP certificate of version 4 or 6 that can be read (${message}). Export one key: gpg --export FINGERPRINT`,
})

export function primaryRefusal(key: PublicKeyPacket): KeyReason | null {
  if (key.material.kind === 'opaque' || key.material.kind === 'elgamal') {
    return {
      code: 'unknown-algorithm',
      text: `The primary key uses ${describe(key)}, which is not known here. Make a new key, such as Ed25519 with X25519.`,
    }
  }
  if (!isWeak(key)) return null
  return {
    code: 'too-short',
    text: `The primary key is ${describe(key)}; at least 2048 bits are needed. Make a new key, such as Ed25519 with X25519.`,
  }
}

/** One operation with a longer RSA key takes so long that others would wait for it. */
const RSA_BITS_MAX = 8192

export function lengthRefusals(keys: readonly PublicKeyPacket[]): KeyReason[] {
  const long = keys.find(({ material }) => material.kind === 'rsa' && bitLength(material.n) > RSA_BITS_MAX)
  if (!long) return []
  const text = `The key has ${describe(long)}; more than ${RSA_BITS_MAX} are not accepted. Make a new key, such as Ed25519 with X25519.`
  return [{ code: 'too-long', text }]
}

const NAMES = { rsa: 'RSA', dsa: 'DSA', elgamal: 'ElGamal' } as const

export function describe({ material, algorithm }: PublicKeyPacket): string {
  switch (material.kind) {
    case 'rsa':
      return `${NAMES.rsa} of ${bitLength(material.n)} bits`
    case 'dsa':
    case 'elgamal':
      return `${NAMES[material.kind]} of ${bitLength(material.p)} bits`
    case 'okp':
      return material.curve
    case 'ec':
      return material.curve.name
    case 'opaque':
      return `an unknown algorithm or curve (number ${algorithm})`
  }
}

/** RFC 9580 §9.5: MD5, SHA-1, RIPEMD-160 */
export const OLD_HASHES: readonly number[] = [1, 2, 3]

export const RENEW =
  'Renew its signatures with GnuPG 2.2 or newer: gpg --quick-set-expire FINGERPRINT 2y, ' +
  "then gpg --quick-set-expire FINGERPRINT 2y '*', and export it again."

/** Why nothing in the certificate holds. */
export function selfSignatureRefusal({ first, others, primary }: Sections, now: number): KeyReason {
  const own = [first, ...others]
    .flatMap((one) => one.signatures)
    .filter(({ issuer }) => issuer !== null && primary.fingerprint.endsWith(issuer))
  if (own.some(({ hash }) => OLD_HASHES.includes(hash))) {
    const text = `The key's own signatures were made with SHA-1 or MD5, which can be forged. ${RENEW}`
    return { code: 'old-self-signature', text }
  }
  if (own.length > 0 && own.every(({ created }) => created === null || created > now)) {
    const text = 'The key was made in the future. Check the clock of the computer it was made on, or wait.'
    return { code: 'not-yet-valid', text }
  }
  const text = `No user id is signed by the key itself, or every such signature is damaged, expired or revoked. ${RENEW}`
  return { code: 'no-self-signature', text }
}

export const day = (time: number) => new Date(time).toISOString().slice(0, 10)

export function lifeRefusals({ revoked, expires }: Certificate, now: number): KeyReason[] {
  if (revoked) {
    return [{ code: 'revoked', text: 'The key was revoked by its owner. It can only be kept to read old mail.' }]
  }
  if (expires === null || expires > now) return []
  const text =
    `The key expired on ${day(expires)}. It can be kept to read old mail. ` +
    'To go on with it, extend it and export it again: gpg --quick-set-expire FINGERPRINT 2y'
  return [{ code: 'expired', text }]
}

export function noEncryptionKey({ subkeys }: Components): KeyReason {
  const elgamal = subkeys.find(({ key }) => key.material.kind === 'elgamal' && !isWeak(key))
  if (elgamal) {
    const text =
      `The key can only be encrypted to with ${describe(elgamal.key)}, which is kept for reading old mail. ` +
      'Let a Curve25519 subkey be added here, or add one: gpg --quick-add-key FINGERPRINT cv25519 encr'
    return { code: 'old-algorithm', text }
  }
  const weak = subkeys.find(({ key }) => isWeak(key))
  if (weak) {
    const floor = weak.key.material.kind === 'elgamal' ? 4096 : 2048
    const text =
      `The encryption subkey is ${describe(weak.key)}; at least ${floor} bits are needed. ` +
      'Add a better one: gpg --quick-add-key FINGERPRINT cv25519 encr'
    return { code: 'too-short', text }
  }
  const revoked = subkeys.some((one) => one.revoked && canRead(one))
  if (revoked) {
    const text =
      'All encryption subkeys of the key are revoked. Add a new one: gpg --quick-add-key FINGERPRINT cv25519 encr'
    return { code: 'encryption-key-expired', text }
  }
  const text =
    'The key has no subkey to encrypt to that is known here. ' +
    'Let a Curve25519 subkey be added here, or add one: gpg --quick-add-key FINGERPRINT cv25519 encr'
  return { code: 'no-encryption-key', text }
}

export function leftOutWarning(key: PublicKeyPacket, bound: readonly Component[]): KeyReason[] {
  const name = `The subkey ${key.keyId.toString('hex').toUpperCase()}`
  const isBound = bound.some((one) => one.key.fingerprint === key.fingerprint)
  const why = !isBound
    ? 'its binding signature is missing, damaged, or made with SHA-1 or MD5'
    : isWeak(key)
      ? `it is ${describe(key)}`
      : key.material.kind === 'opaque'
        ? `it uses ${describe(key)}`
        : null
  return why === null ? [] : [{ code: 'subkey-left-out', text: `${name} is left out: ${why}.` }]
}
