/**
 * Key agreement and key wrap of PKESK packets: ECDH over the older curve encodings (RFC 9580 §11.4) and X25519/X448
 * (RFC 9580 §5.1.6, §5.1.7). Both sides of each derivation are here, so that they cannot drift apart.
 */
import { createCipheriv, createDecipheriv, createSecretKey, hash, hkdfSync } from 'node:crypto'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import type { Kdf } from './key-packet.ts'
import { cipherKeySize, hashName, MalformedOpenPgp, PublicKeyAlgorithm } from './openpgp.ts'

const ANONYMOUS = Buffer.from('Anonymous Sender    ', 'latin1')
const COUNTER = Buffer.of(0, 0, 0, 1)

/** What the derivation takes in besides the shared point; one per recipient key. */
export function kdfParameters(kdf: Kdf, fingerprint: Bytes): Buffer {
  const fields = Buffer.of(PublicKeyAlgorithm.ecdh, 3, 1, kdf.hash, kdf.cipher)
  return Buffer.concat([kdf.oid, fields, ANONYMOUS, fingerprint])
}

/** RFC 9580 §11.4; wipes `shared`. */
export function deriveEcdhKey(kdf: Kdf, parameters: Bytes, shared: Buffer): Buffer {
  const name = hashName(kdf.hash)
  const size = cipherKeySize(kdf.cipher)
  if (!name || !size) throw new MalformedOpenPgp('key derivation with an algorithm that may not be used')
  const input = Buffer.concat([COUNTER, shared, parameters])
  shared.fill(0)
  const digest = hash(name, input, 'buffer')
  input.fill(0)
  if (digest.length < size) throw new MalformedOpenPgp('key derivation with too short a hash')
  return digest.subarray(0, size)
}

/** RFC 9580 §5.1.6 and §5.1.7; wipes `shared`. */
export function deriveXKey(curve: 'X25519' | 'X448', ephemeral: Bytes, point: Bytes, shared: Buffer): Buffer {
  const input = Buffer.concat([ephemeral, point, shared])
  shared.fill(0)
  const x448 = curve === 'X448'
  const key = hkdfSync(x448 ? 'sha512' : 'sha256', input, '', `OpenPGP ${curve}`, x448 ? 32 : 16)
  input.fill(0)
  return Buffer.from(key)
}

const WRAP_IV = Buffer.alloc(8, 0xa6)
const wrapName = (kek: Bytes) => `id-aes${kek.length * 8}-wrap`

/** AES key wrap (RFC 3394); wipes `kek`. */
export function wrapKey(kek: Buffer, plain: Bytes): Buffer {
  const wrapped = createCipheriv(wrapName(kek), createSecretKey(kek), WRAP_IV).update(plain)
  kek.fill(0)
  return wrapped
}

/** null when the integrity check of the wrap fails; wipes `kek`. */
export function unwrapKey(kek: Buffer, wrapped: Bytes): Buffer | null {
  if (wrapped.length < 24 || wrapped.length % 8 !== 0) return null
  try {
    return createDecipheriv(wrapName(kek), createSecretKey(kek), WRAP_IV).update(asBuffer(wrapped))
  } catch {
    return null
  } finally {
    kek.fill(0)
  }
}
