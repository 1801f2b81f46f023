/**
 * Rows of a database that say nothing to whoever has the file: what they are found by is an HMAC-SHA-256 of its text, and what is in
 * them is sealed with AES-256-GCM bound to that name. The keys are derived from one that stands elsewhere.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

const CIPHER = 'aes-256-gcm'
const NONCE = 12
const TAG = 16

export class RowSeal implements Disposable {
  readonly #nameKey: Buffer
  readonly #sealKey: Buffer

  /** `key`: 32 octets, which stay the caller's. `purpose`: different keys come of one key for different purposes. */
  constructor(key: Buffer, purpose: string) {
    const derived = (use: string) => Buffer.from(hkdfSync('sha256', key, '', `letterlock ${purpose} ${use}`, 32))
    this.#nameKey = derived('name')
    this.#sealKey = derived('seal')
  }

  name(text: string): Buffer {
    return createHmac('sha256', this.#nameKey).update(text, 'utf8').digest()
  }

  seal(name: Uint8Array, octets: Uint8Array): Buffer {
    const nonce = randomBytes(NONCE)
    const cipher = createCipheriv(CIPHER, this.#sealKey, nonce).setAAD(name)
    return Buffer.concat([nonce, cipher.update(octets), cipher.final(), cipher.getAuthTag()])
  }

  /** null for what was changed, stands under another name, or was sealed under another key. */
  open(name: Uint8Array, sealed: Uint8Array): Buffer | null {
    if (sealed.length < NONCE + TAG) return null
    const end = sealed.length - TAG
    const decipher = createDecipheriv(CIPHER, this.#sealKey, sealed.subarray(0, NONCE), { authTagLength: TAG })
    decipher.setAAD(name).setAuthTag(sealed.subarray(end))
    try {
      return Buffer.concat([decipher.update(sealed.subarray(NONCE, end)), decipher.final()])
    } catch {
      return null
    }
  }

  [Symbol.dispose](): void {
    this.#nameKey.fill(0)
    this.#sealKey.fill(0)
  }
}
