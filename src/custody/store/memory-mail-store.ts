/**
 * The mail store in memory: the reference that the others are compared with. It is written to be read, not to be quick,
 * and forgets everything when the process ends.
 */
import { type Clock, systemClock } from '#lib/clock.ts'
import type { AccountId } from '../accounts/directory.ts'
import { ChangeHub } from './change-hub.ts'
import type { IndexedMailStore, SealedMessage } from './indexed-mail-store.ts'
import { type Appended, type MailboxName, type MailChanges, NoSuchAccount, type Quota } from './mail-store.ts'
import { canonicalNameOrInbox, INBOX } from './mailbox-name.ts'
import { MemoryAccount } from './memory-account.ts'
import { MemoryAccountMail } from './memory-account-mail.ts'

class MemoryMailStore implements IndexedMailStore {
  readonly #accounts = new Map<AccountId, MemoryAccount>()
  readonly #changes = new ChangeHub()
  /** Where the UIDVALIDITY of the next account starts: that of an earlier one with the same address must not come again. */
  #firstUidValidity = 1
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get changes(): MailChanges {
    return this.#changes
  }

  #account(account: AccountId): MemoryAccount {
    const found = this.#accounts.get(account)
    if (!found) throw new NoSuchAccount(`no mail store for ${account}`)
    return found
  }

  async create(account: AccountId): Promise<void> {
    if (this.#accounts.has(account)) return
    const notify: MemoryAccount['notify'] = (mailbox, change) => this.#changes.notify(account, mailbox, change)
    this.#accounts.set(account, new MemoryAccount(this.#firstUidValidity, notify, () => this.#clock.now()))
    this.#firstUidValidity += 1_000_000
  }

  async append(account: AccountId, mailbox: MailboxName, message: SealedMessage): Promise<Appended> {
    const found = this.#account(account)
    return found.append(found.named(canonicalNameOrInbox(mailbox)) ?? found.named(INBOX)!, message)
  }

  async open(account: AccountId): Promise<MemoryAccountMail> {
    return new MemoryAccountMail(this.#account(account))
  }

  async quota(account: AccountId): Promise<Quota> {
    return this.#account(account).quota()
  }

  async setQuota(account: AccountId, limit: number | null): Promise<void> {
    this.#account(account).limit = limit
  }

  async remove(account: AccountId): Promise<void> {
    this.#accounts.delete(account)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#accounts.clear()
  }
}

export function createMemoryMailStore(clock = systemClock): IndexedMailStore {
  return new MemoryMailStore(clock)
}
