/**
 * The mail store behind worker threads: accounts are spread over them, each thread runs the sealed SQL store of its own. So
 * sealing and waiting for the disk stay off the thread that talks to clients. Keys never go into a thread: it asks for the
 * session keys of the messages that were asked for. A thread that dies interrupts its accounts (StoreInterrupted) and is
 * started again.
 */
import type { Bytes } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import { ChangeHub } from './change-hub.ts'
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
import { PooledAccountMail, packMessage } from './pooled-account-mail.ts'
import { StoreThread } from './store-thread.ts'
import type { StoreArguments, StoreMethod } from './store-wire.ts'

export interface StorePoolOptions {
  readonly dataDir: string
  readonly workers: number
  /** The account's current certificate, binary. An answer is believed for two seconds. */
  readonly certificate: (account: AccountId) => Promise<Bytes>
  readonly clock: Clock
  readonly logger: Logger
  /** Files kept open at most, over all threads. */
  readonly openAccounts?: number
}

const CERTIFICATE_MS = 2000
const CERTIFICATES_KEPT = 10_000

class StorePool implements MailStore {
  readonly #options: StorePoolOptions
  readonly #threads: readonly StoreThread[]
  readonly #hub = new ChangeHub((account, watched) => this.#thread(account).watch(account, watched))
  readonly #certificates = new Map<AccountId, { readonly asked: number; readonly answer: Promise<Bytes> }>()

  constructor(options: StorePoolOptions) {
    this.#options = options
    const { workers, dataDir, clock, logger, openAccounts = 128 } = options
    const changed = (account: AccountId, mailbox: number) => this.#hub.notify(account, mailbox)
    const share = Math.max(8, Math.ceil(openAccounts / workers))
    this.#threads = Array.from(
      { length: workers },
      (_, i) => new StoreThread({ name: `store ${i + 1}`, dataDir, openAccounts: share, clock, logger, changed }),
    )
  }

  get changes(): MailChanges {
    return this.#hub
  }

  #thread(account: AccountId): StoreThread {
    return this.#threads[spread(account) % this.#threads.length]!
  }

  #certificate(account: AccountId): Promise<Bytes> {
    const now = this.#options.clock.now()
    const known = this.#certificates.get(account)
    if (known && now - known.asked < CERTIFICATE_MS) return known.answer
    // A copy of its own: a view into more memory would be cloned with all of it.
    const answer = this.#options.certificate(account).then((certificate) => new Uint8Array(certificate))
    answer.catch(() => this.#certificates.delete(account))
    this.#certificates.delete(account)
    if (this.#certificates.size >= CERTIFICATES_KEPT) this.#certificates.delete(this.#certificates.keys().next().value!)
    this.#certificates.set(account, { asked: now, answer })
    return answer
  }

  #call<M extends StoreMethod>(method: M, account: AccountId, ...args: StoreArguments<M>): Promise<unknown> {
    return this.#thread(account).call({ on: 'store', method, account, args, certificate: null })
  }

  async create(account: AccountId): Promise<void> {
    await this.#call('create', account)
  }

  async append(account: AccountId, mailbox: MailboxName, message: NewMessage): Promise<Appended> {
    const certificate = await this.#certificate(account)
    const { packed, transfer } = packMessage(message)
    const call = { on: 'store', method: 'append', account, args: [mailbox, packed], certificate } as const
    return (await this.#thread(account).call(call, transfer)) as Appended
  }

  open(account: AccountId, keys: ReadingKeys | null): Promise<AccountMail> {
    return new PooledAccountMail(this.#thread(account), account, keys, () => this.#certificate(account)).open()
  }

  async quota(account: AccountId): Promise<Quota> {
    return (await this.#call('quota', account)) as Quota
  }

  async setQuota(account: AccountId, limit: number | null): Promise<void> {
    await this.#call('setQuota', account, limit)
  }

  async remove(account: AccountId): Promise<void> {
    this.#certificates.delete(account)
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

export function createStorePool(options: StorePoolOptions): MailStore {
  return new StorePool(options)
}
