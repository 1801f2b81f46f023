/**
 * Octets sealed under a symmetric key: AES-256-GCM, bound to what they are for, so that one thing cannot be put in the place
 * of another.
 */
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto'
import type { Bytes } from './bytes.ts'

// Keys go in as key objects: of octets, Node finds out by an exception that they are none, which costs more than the cipher.
const CIPHER = 'aes-256-gcm'
const NONCE = 12
const TAG = 16

/** Nonce, ciphertext, tag. `key` has 32 octets. */
export function sealOctets(key: Bytes, purpose: string, clear: Bytes): Buffer {
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv(CIPHER, createSecretKey(key), nonce).setAAD(Buffer.from(purpose))
  return Buffer.concat([nonce, cipher.update(clear), cipher.final(), cipher.getAuthTag()])
}

/** The inverse of sealOctets. null: it was changed, or sealed under another key or for another purpose. */
export function openOctets(key: Bytes, purpose: string, sealed: Bytes): Buffer | null {
  if (sealed.length < NONCE + TAG) return null
  const decipher = createDecipheriv(CIPHER, createSecretKey(key), sealed.subarray(0, NONCE), { authTagLength: TAG })
  decipher.setAAD(Buffer.from(purpose)).setAuthTag(sealed.subarray(-TAG))
  const clear = decipher.update(sealed.subarray(NONCE, -TAG))
  try {
    decipher.final()
  } catch {
    clear.fill(0)
    return null
  }
  return clear
}
