/**
 * The mail store behind worker threads: accounts are spread over them, each thread runs the sealed SQL store of its own. So
 * sealing and waiting for the disk stay off the thread that talks to clients. Keys never go into a thread: it asks for the
 * session keys of the messages that were asked for. A thread that dies interrupts its accounts (StoreInterrupted) and is
 * started again.
 */
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import { ChangeHub } from './change-hub.ts'
import type {
  AccountMail,
  Appended,
  Change,
  MailboxId,
  MailboxName,
  MailChanges,
  MailStore,
  NewMessage,
  Quota,
  ReadingKeys,
  Sealing,
} from './mail-store.ts'
import { PooledAccountMail, packMessage } from './pooled-account-mail.ts'
import { type Sharing, StoreThread } from './store-thread.ts'
import type { StoreArguments, StoreMethod } from './store-wire.ts'

export interface StorePoolOptions {
  readonly dataDir: string
  readonly workers: number
  /** What the account's mail is sealed to now. Asked for each message: the next one after a change is sealed by it, wherever it was made. */
  readonly sealing: (account: AccountId) => Promise<Sealing>
  readonly clock: Clock
  readonly logger: Logger
  /** Files kept open at most, over all threads. */
  readonly openAccounts?: number
  /** Keeps a sealed index of texts; otherwise searches open every message. */
  readonly indexesTexts?: boolean
  /** Where other processes serve the same data. */
  readonly sharing?: Sharing & {
    /** Told when the first listener to an account comes and the last one goes. */
    readonly watched: (account: AccountId, watched: boolean) => void
  }
}

export interface StorePool extends MailStore {
  /** Another process made this change. */
  hear(account: AccountId, mailbox: MailboxId, change: Change): void
}

class ThreadedStore implements StorePool {
  readonly #options: StorePoolOptions
  readonly #threads: readonly StoreThread[]
  readonly #hub = new ChangeHub((account, watched) => {
    this.#thread(account).watch(account, watched)
    this.#options.sharing?.watched(account, watched)
  })

  constructor(options: StorePoolOptions) {
    this.#options = options
    const { workers, dataDir, clock, logger, openAccounts = 128, indexesTexts = false, sharing = null } = options
    const changed = this.#hub.hear.bind(this.#hub)
    const share = Math.max(8, Math.ceil(openAccounts / workers))
    const sealing = (account: AccountId) => this.#sealing(account)
    const shared = { dataDir, openAccounts: share, indexesTexts, clock, logger, changed, sealing, sharing }
    this.#threads = Array.from({ length: workers }, (_, i) => new StoreThread({ name: `store ${i + 1}`, ...shared }))
  }

  get changes(): MailChanges {
    return this.#hub
  }

  #thread(account: AccountId): StoreThread {
    return this.#threads[spread(account) % this.#threads.length]!
  }

  /** Copies of their own: a view into more memory would be cloned with all of it. */
  async #sealing(account: AccountId): Promise<Sealing> {
    const { certificate, device } = await this.#options.sealing(account)
    return {
      certificate: certificate && new Uint8Array(certificate),
      device: device && new Uint8Array(device),
    }
  }

  hear(account: AccountId, mailbox: MailboxId, change: Change): void {
    this.#hub.hear(account, mailbox, change)
    this.#thread(account).heard(account)
  }

  #call<M extends StoreMethod>(method: M, account: AccountId, ...args: StoreArguments<M>): Promise<unknown> {
    return this.#thread(account).call({ on: 'store', method, account, args, sealing: null })
  }

  async create(account: AccountId): Promise<void> {
    await this.#call('create', account)
  }

  async append(account: AccountId, mailbox: MailboxName, message: NewMessage): Promise<Appended> {
    const sealing = await this.#sealing(account)
    const { packed, transfer } = packMessage(message)
    const call = { on: 'store', method: 'append', account, args: [mailbox, packed], sealing } as const
    return (await this.#thread(account).call(call, transfer)) as Appended
  }

  open(account: AccountId, keys: ReadingKeys | null): Promise<AccountMail> {
    return new PooledAccountMail(this.#thread(account), account, keys, () => this.#sealing(account)).open()
  }

  async quota(account: AccountId): Promise<Quota> {
    return (await this.#call('quota', account)) as Quota
  }

  async setQuota(account: AccountId, limit: number | null): Promise<void> {
    await this.#call('setQuota', account, limit)
  }

  async remove(account: AccountId): Promise<void> {
    await this.#call('remove', account)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread[Symbol.asyncDispose]()))
  }
}

/** FNV-1a. */
function spread(account: AccountId): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < account.length; i++) hash = Math.imul(hash ^ account.charCodeAt(i), 0x01000193) >>> 0
  return hash
}

export function createStorePool(options: StorePoolOptions): StorePool {
  return new ThreadedStore(options)
}
