/**
 * The mail store that seals what it hands on and unseals what it reads: the one place where sealing at rest happens, around
 * any store, so that delivery, APPEND, Sent, drafts and imports are all covered.
 *
 * Content: one OpenPGP message (RFC 9580 §10.3) to the account's current certificate, which `gpg --decrypt` opens to the
 * exact octets. Summary: a second, small one beside it under the same session key, which it also holds; so a message costs one
 * public-key operation when it is sealed and at most one in all its reading. A session that has keys puts an index record in the summary's place (index-records.ts);
 * from then on listing and reading cost symmetric work only. The index is a cache: what is missing or damaged is made again
 * from the content, with a line in the log.
 *
 * In clear stay exactly: uid, modseq, internal date, flags, the mailbox's id, name and numbers, and the padded size. A message
 * that cannot be sealed is not stored.
 */
import { type EncryptionKey, parseCertificate } from '#formats/openpgp/certificate.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { encodeSessionKey } from '#formats/openpgp/session-key.ts'
import { asBuffer, type Bytes, wipe } from '#lib/bytes.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { IndexedMailStore } from './indexed-mail-store.ts'
import type {
  AccountMail,
  Appended,
  MailboxName,
  MailChanges,
  MailStore,
  NewMessage,
  Quota,
  ReadingKeys,
} from './mail-store.ts'
import { SealedAccountMail } from './sealed-mail-store-account.ts'
import { SharedWork } from './sealed-mail-store-work.ts'
import { encodeEntry } from './summary-entry.ts'

export interface SealedMailStoreOptions {
  /** The account's current certificate, binary. Asked at every append. */
  readonly certificate: (account: AccountId) => Promise<Bytes>
  readonly logger: Logger
}

const CERTIFICATES_KEPT = 1000

class SealedMailStore implements MailStore {
  readonly #inner: IndexedMailStore
  readonly #options: SealedMailStoreOptions
  readonly #parsed = new Map<AccountId, { readonly certificate: Buffer; readonly key: EncryptionKey }>()
  readonly #work = new SharedWork()

  constructor(inner: IndexedMailStore, options: SealedMailStoreOptions) {
    this.#inner = inner
    this.#options = options
  }

  get changes(): MailChanges {
    return this.#inner.changes
  }

  create(account: AccountId): Promise<void> {
    return this.#inner.create(account)
  }

  async append(account: AccountId, mailbox: MailboxName, message: NewMessage): Promise<Appended> {
    return this.#inner.append(account, mailbox, await this.#seal(account, message))
  }

  async open(account: AccountId, keys: ReadingKeys | null): Promise<AccountMail> {
    const mail = await this.#inner.open(account, keys)
    const sealing = (message: NewMessage) => this.#seal(account, message)
    return new SealedAccountMail(mail, { account, keys, sealing, work: this.#work, logger: this.#options.logger })
  }

  quota(account: AccountId): Promise<Quota> {
    return this.#inner.quota(account)
  }

  setQuota(account: AccountId, limit: number | null): Promise<void> {
    return this.#inner.setQuota(account, limit)
  }

  async remove(account: AccountId): Promise<void> {
    this.#parsed.delete(account)
    await this.#inner.remove(account)
  }

  /** The certificate's newest key. An expired one still seals: its owner can read, and nothing may rest in clear. */
  async #key(account: AccountId): Promise<EncryptionKey> {
    const certificate = asBuffer(await this.#options.certificate(account))
    const known = this.#parsed.get(account)
    if (known?.certificate.equals(certificate)) return known.key
    const [key] = parseCertificate(certificate).encryptionKeys
    if (!key) throw new Error(`the certificate of account ${account} has no key to seal to`)
    if (this.#parsed.size >= CERTIFICATES_KEPT) this.#parsed.delete(this.#parsed.keys().next().value!)
    this.#parsed.set(account, { certificate: Buffer.from(certificate), key })
    return key
  }

  async #seal(account: AccountId, message: NewMessage): Promise<NewMessage> {
    const key = await this.#key(account)
    const content = seal([key], message.content)
    const sessionKey = encodeSessionKey(content.sessionKey)
    const entry = encodeEntry({ sessionKey, summary: message.summary })
    const summary = seal([key], entry, { beside: content })
    for (const secret of [content.sessionKey.key, sessionKey, entry]) wipe(secret)
    return { ...message, content: content.message, summary: summary.message }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]()
  }
}

/** `inner` is disposed with it. */
export function createSealedMailStore(inner: IndexedMailStore, options: SealedMailStoreOptions): MailStore {
  return new SealedMailStore(inner, options)
}
