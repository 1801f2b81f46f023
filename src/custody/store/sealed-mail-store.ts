/**
 * The mail store that seals what it hands on and unseals what it reads: the one place where sealing at rest happens, around
 * any store, so that delivery, APPEND, Sent, drafts and imports are all covered.
 *
 * Content: one OpenPGP message (RFC 9580 §10.3) to the account's current certificate, which `gpg --decrypt` opens to the
 * exact octets. Summary: a second, small one beside it under the same session key, which it also holds; so a message costs one
 * public-key operation when it is sealed and at most one in all its reading. A session that has keys puts an entry in a page of the
 * index in the summary's place (index-pages.ts); from then on listing and reading cost symmetric work only. The index is a cache: what
 * is missing or damaged is made again from the content, with a line in the log; what a newer version wrote is left alone.
 *
 * In device mode a message becomes a PGP/MIME message to the owner's device before anything else, and its summary is made of that:
 * what lies at rest then opens to ciphertext. One that is encrypted already stays as it came, unless to the certificate at rest.
 *
 * Mail that its sender sealed or signed is unsealed before anybody with keys sees it, and rests then as all mail does
 * (sealed-mail-store-unsealing.ts). A delivery changes nothing of it: there are no keys then.
 *
 * After a change of certificate old mail stays as it is, readable, until it is re-sealed (sealed-mail-store-resealing.ts).
 *
 * Annotations of mailboxes lie in records under the index key (sealed-mail-store-annotations.ts).
 *
 * In clear stay exactly: uid, modseq, internal date, flags, the mailbox's id, name and numbers, the padded size, whether a
 * message was unsealed and its signatures are to be checked again, and whether a mailbox has annotations, and their padded size.
 * A message that cannot be sealed is not stored.
 */
import { type Claims, createClaims } from '#lib/claims.ts'
import type { Clock } from '#lib/clock.ts'
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
  Sealing,
} from './mail-store.ts'
import { SealedAccountMail } from './sealed-mail-store-account.ts'
import { Sealers } from './sealed-mail-store-sealer.ts'
import { Searches } from './sealed-mail-store-searches.ts'
import { SharedWork } from './sealed-mail-store-work.ts'

export interface SealedMailStoreOptions {
  /** What the account's mail is sealed to now. Asked first of all by everything that seals. */
  readonly sealing: (account: AccountId) => Promise<Sealing>
  readonly clock: Clock
  readonly logger: Logger
  /** Keeps a sealed index of texts; otherwise searches open every message. */
  readonly indexesTexts?: boolean
  /** What stores of other processes over the same data share with this one. */
  readonly claims?: Claims
}

export interface SealedStore extends MailStore {
  /** Another process changed something in this account. */
  heard(account: AccountId): void
}

class SealedMailStore implements SealedStore {
  readonly #inner: IndexedMailStore
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #sealers: Sealers
  readonly #work: SharedWork
  readonly #searches: Searches | null

  constructor(inner: IndexedMailStore, options: SealedMailStoreOptions) {
    this.#inner = inner
    this.#clock = options.clock
    this.#logger = options.logger
    this.#work = new SharedWork(options.claims ?? createClaims())
    this.#sealers = new Sealers(options.sealing)
    this.#searches = options.indexesTexts ? new Searches(options) : null
  }

  get changes(): MailChanges {
    return this.#inner.changes
  }

  create(account: AccountId): Promise<void> {
    return this.#inner.create(account)
  }

  async append(account: AccountId, mailbox: MailboxName, message: NewMessage): Promise<Appended> {
    const appended = await this.#inner.append(account, mailbox, (await this.#sealers.of(account)).seal(message))
    this.#searches?.changed(account)
    return appended
  }

  async open(account: AccountId, keys: ReadingKeys | null): Promise<AccountMail> {
    const mail = await this.#inner.open(account, keys)
    const sealer = () => this.#sealers.of(account)
    const shared = { work: this.#work, clock: this.#clock, logger: this.#logger, searches: this.#searches }
    return new SealedAccountMail(mail, { account, keys, sealer, ...shared })
  }

  heard(account: AccountId): void {
    this.#searches?.changed(account)
  }

  quota(account: AccountId): Promise<Quota> {
    return this.#inner.quota(account)
  }

  setQuota(account: AccountId, limit: number | null): Promise<void> {
    return this.#inner.setQuota(account, limit)
  }

  async remove(account: AccountId): Promise<void> {
    this.#sealers.forget(account)
    await this.#inner.remove(account)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#searches?.[Symbol.asyncDispose]()
    await this.#inner[Symbol.asyncDispose]()
  }
}

/** `inner` is disposed with it. */
export function createSealedMailStore(inner: IndexedMailStore, options: SealedMailStoreOptions): SealedStore {
  return new SealedMailStore(inner, options)
}
