/**
 * Rows of a database that say nothing to whoever has the file: what they are found by is an HMAC-SHA-256 of its text, and what is in
 * them is sealed, bound to that name. The keys are derived from one that stands elsewhere.
 */
import { createHmac, createSecretKey, hkdfSync } from 'node:crypto'
import { asBuffer, type Bytes } from './bytes.ts'
import { openOctets, sealOctets } from './sealed-octets.ts'

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
    return createHmac('sha256', createSecretKey(this.#nameKey)).update(text, 'utf8').digest()
  }

  seal(name: Bytes, octets: Bytes): Buffer {
    return sealOctets(this.#sealKey, asBuffer(name).toString('hex'), octets)
  }

  /** null for what was changed, stands under another name, or was sealed under another key. */
  open(name: Bytes, sealed: Bytes): Buffer | null {
    return openOctets(this.#sealKey, asBuffer(name).toString('hex'), sealed)
  }

  [Symbol.dispose](): void {
    this.#nameKey.fill(0)
    this.#sealKey.fill(0)
  }
}
