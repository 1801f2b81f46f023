/**
 * Certificates (transferable public keys, RFC 9580 §10.1): which keys to seal to, which to verify with, and until when.
 *
 * Two ways in. `parseCertificate` is for what custody keeps: it reads structure and the newest self-signatures, and runs no
 * public-key operation. `verifyCertificate` is for everything that comes from outside: each binding is verified and what is
 * not bound is dropped.
 */
import type { Bytes } from '#lib/bytes.ts'
import { dearmor, isArmored } from './armor.ts'
import {
  type Component,
  type Components,
  readComponents,
  splitCertificate,
  subkeyOf,
} from './certificate-components.ts'
import type { PublicKeyPacket } from './key-packet.ts'
import { bitLength } from './octet-reader.ts'
import { MalformedOpenPgp, PublicKeyAlgorithm } from './openpgp.ts'
import type { Signature } from './signature.ts'

/** A key that mail can be sealed to. Keep it: what is prepared for it is kept as long as the object lives. */
export interface EncryptionKey {
  /** Upper-case hex. */
  readonly fingerprint: string
  readonly keyId: Bytes
  readonly version: 4 | 6
  readonly algorithm: number
  /** The public-key packet's body. */
  readonly material: Bytes
  /** What for: 04 communications, 08 storage, or both (RFC 9580 §5.2.3.29). */
  readonly purposes: number
  /** The certificate announces that it reads SEIPDv2 (RFC 9580 §5.2.3.32). */
  readonly seipdv2: boolean
  /** Ciphers (RFC 9580 §9.3) it prefers, best first; AES-128 is always understood. */
  readonly ciphers: readonly number[]
  /** cipher << 8 | AEAD (RFC 9580 §9.6), best first; AES-128 with OCB is always understood. */
  readonly ciphersuites: readonly number[]
  /** Milliseconds since the epoch, of this key or of its certificate, whichever ends first; null for never. */
  readonly expires: number | null
}

/** A key whose signatures over messages count. */
export interface SigningKey {
  readonly key: PublicKeyPacket
  readonly expires: number | null
}

export interface Certificate {
  /** Binary. */
  readonly bytes: Bytes
  /** Upper-case hex. */
  readonly fingerprint: string
  readonly version: number
  /** The primary one first; revoked ones are not among them. */
  readonly userIds: readonly string[]
  /** Milliseconds since the epoch. */
  readonly created: number
  readonly expires: number | null
  readonly revoked: boolean
  /** Newest first; without revoked ones, with expired ones: see `encryptionKeysAt`. Empty when the certificate is revoked. */
  readonly encryptionKeys: readonly EncryptionKey[]
  readonly signingKeys: readonly SigningKey[]
}

/** Reads a certificate that custody keeps, binary or armored, without verifying signatures. Throws MalformedOpenPgp. */
export function parseCertificate(octets: Bytes): Certificate {
  return readCertificate(octets, null)
}

/** Reads a certificate from outside and believes only what its own signatures bind at `now`. Throws MalformedOpenPgp. */
export function verifyCertificate(octets: Bytes, now: number): Certificate {
  return readCertificate(octets, now)
}

function readCertificate(octets: Bytes, now: number | null): Certificate {
  const binary = binaryCertificate(octets)
  return assembleCertificate(binary, readComponents(splitCertificate(binary), now))
}

/** Binary packets of what may be armored. Throws MalformedOpenPgp. */
export function binaryCertificate(octets: Bytes): Bytes {
  return isArmored(octets) ? dearmor(octets).octets : octets
}

/** The primary key and the subkeys of a binary certificate, bound or not. Throws MalformedOpenPgp. */
export function keysIn(certificate: Bytes): readonly PublicKeyPacket[] {
  const { primary, others } = splitCertificate(certificate)
  return [primary, ...others.flatMap((one) => subkeyOf(one, primary) ?? [])]
}

/** The keys to seal to at `now`. Empty: nothing may be sealed to this certificate. */
export function encryptionKeysAt(certificate: Certificate, now: number): readonly EncryptionKey[] {
  return certificate.encryptionKeys.filter((key) => key.expires === null || key.expires > now)
}

/** `octets`: binary, what the components were read from. Throws MalformedOpenPgp when no self-signature is among them. */
export function assembleCertificate(octets: Bytes, components: Components): Certificate {
  const { primary, direct, userIds, subkeys, revoked } = components
  const ids = userIds.filter((one) => !one.revoked)
  const main = ids.find((one) => one.binding.primaryUserId) ?? ids[0]
  const facts = primary.version === 6 ? (direct ?? main?.binding) : (main?.binding ?? direct)
  if (!facts) throw new MalformedOpenPgp('no valid self-signature')
  const expires = expiryOf(primary, facts) ?? (direct ? expiryOf(primary, direct) : null)
  const own: Component = { key: primary, binding: facts, revoked: false }
  const live = revoked ? [] : [own, ...subkeys.filter((one) => !one.revoked)]
  const bounded = live.map((one) => ({ ...one, expires: earlier(expires, expiryOf(one.key, one.binding)) }))
  const newestFirst = bounded.toSorted((a, b) => b.key.created - a.key.created)
  return {
    bytes: octets,
    fingerprint: primary.fingerprint,
    version: primary.version,
    userIds: [...(main ? [main.userId] : []), ...ids.filter((one) => one !== main).map((one) => one.userId)],
    created: primary.created,
    expires,
    revoked,
    encryptionKeys: newestFirst.filter(canEncrypt).map((one) => encryptionKey(one, facts, one.expires)),
    signingKeys: bounded.filter(canSign).map(({ key, expires }) => ({ key, expires })),
  }
}

function expiryOf(key: PublicKeyPacket, binding: Signature): number | null {
  return binding.keyExpiresAfter === null ? null : key.created + binding.keyExpiresAfter
}

function earlier(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b)
}

const BOTH_PURPOSES = 0x0c

function encryptionKey({ key, binding }: Component, facts: Signature, expires: number | null): EncryptionKey {
  return {
    fingerprint: key.fingerprint,
    keyId: key.keyId,
    version: key.version,
    algorithm: key.algorithm,
    material: key.body,
    purposes: (binding.keyFlags ?? BOTH_PURPOSES) & BOTH_PURPOSES,
    seipdv2: (facts.features & 0x08) !== 0,
    ciphers: facts.ciphers,
    ciphersuites: facts.ciphersuites,
    expires,
  }
}

/** RFC 9580 §12.4 and §12.5; the floor for ElGamal is this program's own. What is below is neither encrypted to nor believed. */
export function isWeak({ material }: PublicKeyPacket): boolean {
  switch (material.kind) {
    case 'rsa':
      return bitLength(material.n) < 2048
    case 'dsa':
      return bitLength(material.p) < 2048
    case 'elgamal':
      return bitLength(material.p) < 4096
    default:
      return false
  }
}

function canEncrypt({ key, binding }: Component): boolean {
  const { material, algorithm } = key
  if (isWeak(key)) return false
  // RFC 9580 §5.2.3.29. Keys older than the flags have RSA
  if (binding.keyFlags === null ? material.kind !== 'rsa' : (binding.keyFlags & BOTH_PURPOSES) === 0) return false
  if (material.kind === 'rsa') return algorithm !== PublicKeyAlgorithm.rsaSignOnly
  if (material.kind === 'okp') return material.curve === 'X25519' || material.curve === 'X448'
  return material.kind === 'ec' && algorithm === PublicKeyAlgorithm.ecdh
}

function canSign({ key, binding }: Component): boolean {
  const { material, algorithm } = key
  if (isWeak(key)) return false
  if (binding.keyFlags === null ? material.kind !== 'rsa' : (binding.keyFlags & 0x02) === 0) return false
  if (material.kind === 'rsa') return algorithm !== PublicKeyAlgorithm.rsaEncryptOnly
  if (material.kind === 'okp') return material.curve === 'Ed25519' || material.curve === 'Ed448'
  return material.kind === 'ec' && algorithm === PublicKeyAlgorithm.ecdsa
}
