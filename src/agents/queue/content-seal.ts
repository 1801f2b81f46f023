/**
 * Seals the content of a waiting message: AES-256-GCM under a key of its own, that key under the queue key, both bound to the
 * queue id, so that rows cannot be exchanged.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { type Bytes, wipe } from '#lib/bytes.ts'

export interface SealedContent {
  /** The message's key, sealed. */
  readonly key: Bytes
  readonly content: Bytes
}

/** The row was changed on the disk, or belongs to another queue key. */
export class ContentDamaged extends Error {
  override readonly name = 'ContentDamaged'
}

const CIPHER = 'aes-256-gcm'
const KEY = 32
const NONCE = 12
const TAG = 16

/** `queueKey` has 32 octets. */
export function sealContent(queueKey: Bytes, queueId: string, content: Bytes): SealedContent {
  const key = randomBytes(KEY)
  try {
    return {
      key: encrypt(queueKey, `queue key ${queueId}`, key),
      content: encrypt(key, `queue content ${queueId}`, content),
    }
  } finally {
    wipe(key)
  }
}

/** The inverse of sealContent. Throws ContentDamaged. */
export function unsealContent(queueKey: Bytes, queueId: string, sealed: SealedContent): Buffer {
  const key = decrypt(queueKey, `queue key ${queueId}`, sealed.key)
  try {
    return decrypt(key, `queue content ${queueId}`, sealed.content)
  } finally {
    wipe(key)
  }
}

/** Nonce, ciphertext, tag. */
function encrypt(key: Bytes, purpose: string, clear: Bytes): Buffer {
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(purpose))
  return Buffer.concat([nonce, cipher.update(clear), cipher.final(), cipher.getAuthTag()])
}

function decrypt(key: Bytes, purpose: string, sealed: Bytes): Buffer {
  if (sealed.length < NONCE + TAG) throw new ContentDamaged('queue content is cut short')
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE), { authTagLength: TAG })
  decipher.setAAD(Buffer.from(purpose)).setAuthTag(sealed.subarray(-TAG))
  const clear = decipher.update(sealed.subarray(NONCE, -TAG))
  try {
    decipher.final()
  } catch {
    throw new ContentDamaged('queue content does not open with this queue key')
  }
  return clear
}
