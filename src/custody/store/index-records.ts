/**
 * What lies under an account's index key: AES-256-GCM under keys derived from it. The additional data binds a page of the index
 * (index-pages.ts) to its account and number, and a record to its account, mailbox and uid: put in another place, neither opens.
 *
 * Version octet 1, nonce (12), ciphertext, tag (16). Plaintext of a record: length (4), entry, zeros, its size rounded up.
 */
import { createCipheriv, createDecipheriv, createHmac, createSecretKey, randomBytes } from 'node:crypto'
import { asBuffer, type Bytes, wipe } from '#lib/bytes.ts'
import type { AccountId } from '../accounts/directory.ts'
import { decodePage, type PageEntry } from './index-pages.ts'
import type { ContentId, PageId, Place } from './indexed-mail-store.ts'
import { KeysNeeded, type MailboxId } from './mail-store.ts'

const VERSION = 1
const NONCE = 12
const TAG = 16
const ROUNDING = 512

const NAME_OCTETS = 8
const MESSAGE_NAME_OCTETS = 16
const NO_SALT = Buffer.alloc(32)

const FIRST_BLOCK = Buffer.of(1)

/**
 * HKDF-SHA256 without salt, its first block (RFC 5869 §2.2, §2.3). Node's own makes a key object of the key, which lives until
 * somebody collects it.
 */
export function derived(key: Bytes, use: string): Buffer {
  const extracted = createHmac('sha256', NO_SALT).update(key).digest()
  const block = createHmac('sha256', extracted).update(use).update(FIRST_BLOCK).digest()
  wipe(extracted)
  return block
}

export interface OpenPage {
  /** What the entries share memory with. */
  readonly plain: Buffer
  readonly entries: ReadonlyMap<ContentId, PageEntry>
  readonly isOld: boolean
}

/** The keys of one generation of the account's index key. */
class Generation {
  readonly #account: AccountId
  readonly #indexKey: Buffer
  readonly #keys = new Map<MailboxId, Buffer>()
  #naming: Buffer | null = null
  #pages: Buffer | null = null

  constructor(account: AccountId, indexKey: Bytes) {
    this.#account = account
    this.#indexKey = Buffer.from(indexKey)
  }

  derive(use: string, octets: number): Buffer {
    return derived(this.#indexKey, use).subarray(0, octets)
  }

  key(mailbox: MailboxId): Buffer {
    let key = this.#keys.get(mailbox)
    if (!key) {
      key = this.derive(`letterlock index record|${this.#account}|${mailbox}`, 32)
      this.#keys.set(mailbox, key)
    }
    return key
  }

  get pageKey(): Buffer {
    this.#pages ??= this.derive(`letterlock index page|${this.#account}`, 32)
    return this.#pages
  }

  messageName(messageId: string): Buffer {
    this.#naming ??= this.derive(`letterlock sealed message name|${this.#account}`, 32)
    return createHmac('sha256', createSecretKey(this.#naming))
      .update(messageId)
      .digest()
      .subarray(0, MESSAGE_NAME_OCTETS)
  }

  wipe(): void {
    wipe(this.#indexKey)
    if (this.#naming) wipe(this.#naming)
    if (this.#pages) wipe(this.#pages)
    for (const key of this.#keys.values()) wipe(key)
    this.#keys.clear()
  }
}

export class IndexRecords implements Disposable {
  readonly #account: AccountId
  /** Newest first. */
  readonly #generations: readonly Generation[]
  #disposed = false

  /** Keeps copies of the keys until disposed. Records are sealed under `indexKey`; what is under an older one opens too. */
  constructor(account: AccountId, indexKey: Bytes, older: readonly Bytes[] = []) {
    this.#account = account
    this.#generations = [indexKey, ...older].map((key) => new Generation(account, key))
  }

  /** For the index of texts, newest first; the caller's to wipe. */
  searchKeys(): readonly Buffer[] {
    this.#newest()
    return this.#generations.map((generation) => generation.derive(`letterlock search|${this.#account}`, 32))
  }

  get hasOlder(): boolean {
    return this.generations > 1
  }

  /** Master keys that the session has: more after a rotation, and after a relink. */
  get generations(): number {
    return this.#generations.length
  }

  /** Tells the newest key from others and says nothing about it. */
  get name(): string {
    return this.#newest().derive(`letterlock index key name|${this.#account}`, NAME_OCTETS).toString('hex')
  }

  /** Tells a message from others to who has the keys, and says nothing of its Message-ID to anybody else. */
  messageName(messageId: string): Buffer {
    return this.#newest().messageName(messageId)
  }

  /** The names that it has under all keys, newest first. */
  messageNames(messageId: string): readonly Buffer[] {
    this.#newest()
    return this.#generations.map((generation) => generation.messageName(messageId))
  }

  #newest(): Generation {
    // Wiped keys are keys that everybody knows.
    if (this.#disposed) throw new KeysNeeded('the session has ended')
    return this.#generations[0]!
  }

  #bound({ mailbox, uid }: Place): string {
    return `${VERSION}|${this.#account}|${mailbox}|${uid}`
  }

  #boundPage(page: PageId): string {
    return `${VERSION}|${this.#account}|page ${page}`
  }

  seal(place: Place, entry: Bytes): Buffer {
    const size = Math.ceil((4 + entry.byteLength) / ROUNDING) * ROUNDING
    const plain = Buffer.alloc(size)
    plain.writeUInt32BE(entry.byteLength)
    plain.set(entry, 4)
    const sealed = sealUnder(this.#newest().key(place.mailbox), this.#bound(place), plain)
    wipe(plain)
    return sealed
  }

  /** null for a record that is damaged or of another place. */
  open(place: Place, record: Bytes): { readonly entry: Buffer; readonly isOld: boolean } | null {
    this.#newest()
    for (const [index, generation] of this.#generations.entries()) {
      const plain = openUnder(generation.key(place.mailbox), this.#bound(place), record)
      if (plain) return { entry: plain.subarray(4, 4 + plain.readUInt32BE()), isOld: index > 0 }
    }
    return null
  }

  sealPage(page: PageId, plain: Bytes): Buffer {
    return sealUnder(this.#newest().pageKey, this.#boundPage(page), plain)
  }

  openPage(page: PageId, octets: Bytes): OpenPage | 'damaged' | 'newer' {
    this.#newest()
    if (octets.byteLength > 0 && octets[0]! > VERSION) return 'newer'
    for (const [index, generation] of this.#generations.entries()) {
      const plain = openUnder(generation.pageKey, this.#boundPage(page), octets)
      const entries = plain && decodePage(plain)
      if (entries) return { plain, entries, isOld: index > 0 }
    }
    return 'damaged'
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    for (const generation of this.#generations) generation.wipe()
  }
}

function sealUnder(key: Bytes, bound: string, plain: Bytes): Buffer {
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(key), nonce).setAAD(Buffer.from(bound))
  const sealed = cipher.update(plain)
  cipher.final()
  return Buffer.concat([Buffer.of(VERSION), nonce, sealed, cipher.getAuthTag()])
}

function openUnder(key: Bytes, bound: string, octets: Bytes): Buffer | null {
  const sealed = asBuffer(octets)
  if (sealed[0] !== VERSION || sealed.byteLength < 1 + NONCE + TAG) return null
  const nonce = sealed.subarray(1, 1 + NONCE)
  const end = sealed.byteLength - TAG
  const decipher = createDecipheriv('aes-256-gcm', createSecretKey(key), nonce, { authTagLength: TAG })
  decipher.setAAD(Buffer.from(bound)).setAuthTag(sealed.subarray(end))
  const plain = decipher.update(sealed.subarray(1 + NONCE, end))
  try {
    decipher.final()
  } catch {
    wipe(plain)
    return null
  }
  return plain
}
