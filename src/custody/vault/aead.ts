/** AES-256-GCM with a random nonce in front: nonce (12), tag (16), ciphertext. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { asBuffer, type Bytes } from '#lib/bytes.ts'

const NONCE = 12
const TAG = 16

/** What was sealed was changed, or belongs elsewhere, or to another key. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken'
}

/** A key must not seal more than 2^32 times with random nonces (NIST SP 800-38D §8.3); ours seal a handful. */
export function sealOctets(key: Bytes, clear: Bytes, context: Bytes): Buffer {
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(context)
  const sealed = cipher.update(clear)
  cipher.final()
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed])
}

/** The clear octets, in memory of their own. Throws SealBroken. */
export function openOctets(key: Bytes, sealed: Bytes, context: Bytes): Buffer {
  const octets = asBuffer(sealed)
  if (octets.length < NONCE + TAG) throw new SealBroken('cut short')
  const decipher = createDecipheriv('aes-256-gcm', key, octets.subarray(0, NONCE), { authTagLength: TAG })
  decipher.setAAD(context)
  decipher.setAuthTag(octets.subarray(NONCE, NONCE + TAG))
  const clear = decipher.update(octets.subarray(NONCE + TAG))
  try {
    decipher.final()
  } catch {
    clear.fill(0)
    throw new SealBroken('changed')
  }
  return clear
}
