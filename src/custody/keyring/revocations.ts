/**
 * Generic revocations, kept so that a certificate can be revoked when its owner has forgotten everything. Whoever reads one
 * could revoke the certificate, so they are sealed (AES-256-GCM) under the server's own service key, bound to account and
 * fingerprint.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'
import { AccountKeysDamaged } from './keyring.ts'
import type { ServiceKey } from './service-key.ts'

const NONCE = 12
const TAG = 16

/** What is sealed, and for whom. */
export interface RevocationPlace {
  readonly account: string
  readonly fingerprint: string
}

export class RevocationDesk {
  readonly #serviceKey: ServiceKey

  constructor(serviceKey: ServiceKey) {
    this.#serviceKey = serviceKey
  }

  async seal(place: RevocationPlace, revocation: Bytes): Promise<Buffer> {
    const nonce = randomBytes(NONCE)
    const cipher = createCipheriv('aes-256-gcm', await this.#serviceKey.octets(), nonce)
    cipher.setAAD(contextOf(place))
    const sealed = Buffer.concat([cipher.update(revocation), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed])
  }

  /** The armored revocation. Throws AccountKeysDamaged. */
  async open(place: RevocationPlace, sealed: Buffer): Promise<Buffer> {
    const decipher = createDecipheriv('aes-256-gcm', await this.#serviceKey.octets(), sealed.subarray(0, NONCE), {
      authTagLength: TAG,
    })
    decipher.setAAD(contextOf(place))
    try {
      decipher.setAuthTag(sealed.subarray(NONCE, NONCE + TAG))
      return Buffer.concat([decipher.update(sealed.subarray(NONCE + TAG)), decipher.final()])
    } catch {
      throw new AccountKeysDamaged(
        `the stored revocation of ${place.fingerprint} does not open with ${this.#serviceKey.path}: restore both from one backup`,
      )
    }
  }
}

const contextOf = ({ account, fingerprint }: RevocationPlace) =>
  Buffer.from(`letterlock revocation 1|${account}|${fingerprint}`)
