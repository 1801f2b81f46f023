/**
 * Index records: AES-256-GCM under a key for each mailbox, derived from the account's index key. The additional data binds a
 * record to its account, mailbox and uid: put in another place, it does not open. Its size is rounded up.
 *
 * Version octet 1, nonce (12), ciphertext, tag (16). Plaintext: length (4), entry, zeros.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { asBuffer, type Bytes, wipe } from '#lib/bytes.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { MailboxId, Uid } from './mail-store.ts'

const VERSION = 1
const NONCE = 12
const TAG = 16
const ROUNDING = 512

export interface RecordPlace {
  readonly mailbox: MailboxId
  readonly uid: Uid
}

export class IndexRecords implements Disposable {
  readonly #account: AccountId
  readonly #indexKey: Buffer
  readonly #keys = new Map<MailboxId, Buffer>()

  /** Keeps a copy of `indexKey` until disposed. */
  constructor(account: AccountId, indexKey: Bytes) {
    this.#account = account
    this.#indexKey = Buffer.from(indexKey)
  }

  #key(mailbox: MailboxId): Buffer {
    let key = this.#keys.get(mailbox)
    if (!key) {
      const use = `letterlock index record|${this.#account}|${mailbox}`
      key = Buffer.from(hkdfSync('sha256', this.#indexKey, Buffer.alloc(0), use, 32))
      this.#keys.set(mailbox, key)
    }
    return key
  }

  #bound({ mailbox, uid }: RecordPlace): Buffer {
    return Buffer.from(`${VERSION}|${this.#account}|${mailbox}|${uid}`)
  }

  seal(place: RecordPlace, entry: Bytes): Buffer {
    const size = Math.ceil((4 + entry.byteLength) / ROUNDING) * ROUNDING
    const plain = Buffer.alloc(size)
    plain.writeUInt32BE(entry.byteLength)
    plain.set(entry, 4)
    const nonce = randomBytes(NONCE)
    const cipher = createCipheriv('aes-256-gcm', this.#key(place.mailbox), nonce).setAAD(this.#bound(place))
    const sealed = cipher.update(plain)
    cipher.final()
    wipe(plain)
    return Buffer.concat([Buffer.of(VERSION), nonce, sealed, cipher.getAuthTag()])
  }

  /** null for a record that is damaged or of another place. */
  open(place: RecordPlace, record: Bytes): Buffer | null {
    const octets = asBuffer(record)
    if (octets[0] !== VERSION || octets.byteLength < 1 + NONCE + TAG) return null
    const nonce = octets.subarray(1, 1 + NONCE)
    const end = octets.byteLength - TAG
    const key = this.#key(place.mailbox)
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG })
    decipher.setAAD(this.#bound(place)).setAuthTag(octets.subarray(end))
    const plain = decipher.update(octets.subarray(1 + NONCE, end))
    try {
      decipher.final()
    } catch {
      wipe(plain)
      return null
    }
    return plain.subarray(4, 4 + plain.readUInt32BE())
  }

  [Symbol.dispose](): void {
    wipe(this.#indexKey)
    for (const key of this.#keys.values()) wipe(key)
    this.#keys.clear()
  }
}
