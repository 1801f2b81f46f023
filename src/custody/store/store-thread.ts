import { Worker } from 'node:worker_threads'
import { type Bytes, wipe } from '#lib/bytes.ts'
import type { Claims } from '#lib/claims.ts'
import { type Clock, pause } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import { threadEnvironment } from '#lib/thread-environment.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { ChangesMade } from './change-hub.ts'
import type { ReadingKeys, Sealing } from './mail-store.ts'
import {
  type AidFacts,
  type Call,
  type FromWorker,
  type KeysQuestion,
  ownCopy,
  packError,
  StoreInterrupted,
  type ToWorker,
  unpackError,
  type WorkerSetting,
} from './store-wire.ts'
import type { UnsealingAid } from './unsealing-aid.ts'

/** What the stores of several processes over the same data tell each other. */
export interface Sharing {
  readonly claims: Claims
  /** Told of every change that is made here. */
  readonly made: ChangesMade
}

interface ThreadOptions extends Omit<WorkerSetting, 'isShared'> {
  readonly name: string
  readonly clock: Clock
  readonly logger: Logger
  readonly changed: ChangesMade
  /** null: no other process serves this data. */
  readonly sharing: Sharing | null
  readonly sealing: (account: AccountId) => Promise<Sealing>
}

/** A thread that died sooner than this after its start waits as long before it starts again. */
const RESTART_MS = 1000
const END_MS = 30_000
/** V8's room for what is short-lived; the main thread's is kept small, but here it is where the work is. */
const YOUNG_MB = 12
/** A thread that nobody has needed for this long ends, and gives its memory back, until it is needed again. */
const REST_MS = 60_000

/** One worker thread: started when it is needed, and again when it dies. */
export class StoreThread implements AsyncDisposable {
  readonly #options: ThreadOptions
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>()
  readonly #keys = new Map<number, ReadingKeys>()
  readonly #watched = new Set<AccountId>()
  readonly #claimed = new Map<string, Disposable>()
  #worker: Worker | null = null
  #generation = 0
  #lastId = 0
  #lastHandle = 0
  #ended: PromiseWithResolvers<void> | null = null
  /** While a thread that is not needed is ending. */
  #leaving: PromiseWithResolvers<void> | null = null
  /** No thread, because none is needed. */
  #resting = true
  #handles = 0
  #lastUsed = 0

  constructor(options: ThreadOptions) {
    this.#options = options
  }

  /** Handles of an earlier generation mean nothing any more. */
  get generation(): number {
    return this.#generation
  }

  #start(): void {
    const { name, clock, logger, dataDir, openAccounts, indexesTexts, sharing } = this.#options
    const started = clock.now()
    const workerData: WorkerSetting = { dataDir, openAccounts, indexesTexts, isShared: sharing !== null }
    const worker = new Worker(new URL('./store-worker.ts', import.meta.url), {
      name,
      workerData,
      env: threadEnvironment(),
      argv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    })
    this.#worker = worker
    this.#resting = false
    this.#generation++
    worker.on('message', (message: FromWorker) => this.#hear(message))
    worker.on('error', (error) => logger.error({ thread: name, error }, 'a store thread failed'))
    worker.on('exit', () => this.#exited(clock.now() - started))
    for (const account of this.#watched) this.#post({ to: 'watch', account, watched: true })
    this.#lastUsed = started
    clock.after(REST_MS, () => this.#rest(worker))
  }

  #rest(worker: Worker): void {
    const { clock } = this.#options
    if (this.#worker !== worker || this.#ended) return
    const needed = this.#pending.size + this.#handles + this.#watched.size > 0
    const wait = this.#lastUsed + REST_MS - clock.now()
    if (needed || wait > 0) {
      clock.after(needed ? REST_MS : wait, () => this.#rest(worker))
      return
    }
    this.#leaving = Promise.withResolvers()
    this.#post({ to: 'end' })
  }

  #exited(lived: number): void {
    this.#worker = null
    this.#handles = 0
    this.#keys.clear()
    for (const name of [...this.#claimed.keys()]) this.#unclaim(name)
    for (const [id, pending] of this.#pending) {
      this.#pending.delete(id)
      pending.reject(new StoreInterrupted('the store thread ended'))
    }
    const leaving = this.#leaving
    this.#leaving = null
    leaving?.resolve()
    if (this.#ended) this.#ended.resolve()
    else if (!leaving) this.#restart(lived)
    else if (this.#watched.size > 0) this.#start()
    else this.#resting = true
  }

  #restart(lived: number): void {
    const { name, clock, logger } = this.#options
    logger.warn({ thread: name }, 'a store thread ended and is started again')
    if (lived >= RESTART_MS) this.#start()
    else
      clock.after(RESTART_MS, () => {
        if (!this.#ended) this.#start()
      })
  }

  #post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.#worker?.postMessage(message, transfer)
  }

  async call(call: Call, transfer: ArrayBuffer[] = []): Promise<unknown> {
    if (this.#leaving) await this.#leaving.promise
    if (this.#resting && !this.#ended) this.#start()
    if (!this.#worker || this.#ended) throw new StoreInterrupted('the store thread is not running')
    this.#lastUsed = this.#options.clock.now()
    const id = ++this.#lastId
    const pending = Promise.withResolvers<unknown>()
    this.#pending.set(id, pending)
    this.#post({ to: 'call', id, call }, transfer)
    return await pending.promise
  }

  async open(account: AccountId, keys: ReadingKeys | null): Promise<number> {
    // Never used twice, so that a handle of a thread that died is nobody's.
    const handle = ++this.#lastHandle
    if (keys) this.#keys.set(handle, keys)
    try {
      const aid = keys?.aid ? factsOf(keys.aid) : null
      await this.call({ on: 'open', account, handle, locked: keys === null, aid })
      this.#handles++
    } catch (error) {
      this.#keys.delete(handle)
      throw error
    }
    return handle
  }

  async close(handle: number): Promise<void> {
    const generation = this.#generation
    await this.call({ on: 'close', handle }).finally(() => {
      this.#keys.delete(handle)
      if (generation === this.#generation) this.#handles--
    })
  }

  watch(account: AccountId, watched: boolean): void {
    if (watched) this.#watched.add(account)
    else this.#watched.delete(account)
    if (!watched || this.#worker) this.#post({ to: 'watch', account, watched })
    else if (this.#resting) this.#start()
  }

  #hear(message: FromWorker): void {
    switch (message.from) {
      case 'answer': {
        const pending = this.#pending.get(message.id)
        this.#pending.delete(message.id)
        if (message.answer.kind === 'value') pending?.resolve(message.answer.value)
        else pending?.reject(unpackError(message.answer.error))
        return
      }
      case 'keys':
        void this.#answer(message.id, (transfer) => this.#askKeys(message.handle, message.question, transfer))
        return
      case 'sealing':
        void this.#answer(message.id, () => this.#options.sealing(message.account))
        return
      case 'change':
        this.#options.changed(message.account, message.mailbox, message.change)
        return
      case 'made':
        this.#options.sharing?.made(message.account, message.mailbox, message.change)
        return
      case 'claim':
        void this.#answer(message.id, () => this.#claim(message.name))
        return
      case 'release':
        this.#unclaim(message.name)
        return
      case 'log':
        this.#options.logger[message.level](message.fields, message.msg)
    }
  }

  /** Another process changed something in it. */
  heard(account: AccountId): void {
    this.#post({ to: 'heard', account })
  }

  async #claim(name: string): Promise<boolean> {
    const worker = this.#worker
    const claimed = (await this.#options.sharing?.claims.take(name)) ?? null
    if (!claimed) return false
    // The thread that asked may have died meanwhile.
    if (this.#worker === worker) this.#claimed.set(name, claimed)
    else claimed[Symbol.dispose]()
    return true
  }

  #unclaim(name: string): void {
    this.#claimed.get(name)?.[Symbol.dispose]()
    this.#claimed.delete(name)
  }

  async #askKeys(handle: number, question: KeysQuestion, transfer: ArrayBuffer[]): Promise<unknown> {
    const keys = this.#keys.get(handle)
    if (!keys) throw new Error('the session of these keys has ended')
    return answerOf(keys, question, transfer)
  }

  async #answer(id: number, find: (transfer: ArrayBuffer[]) => Promise<unknown>): Promise<void> {
    const transfer: ArrayBuffer[] = []
    try {
      const value = await find(transfer)
      this.#post({ to: 'keys', id, answer: { kind: 'value', value } }, transfer)
    } catch (error) {
      this.#post({ to: 'keys', id, answer: { kind: 'error', error: packError(error) } })
    }
  }

  /** Lets calls under way finish. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return this.#ended.promise
    this.#ended = Promise.withResolvers()
    const worker = this.#worker
    if (!worker) {
      this.#ended.resolve()
      return
    }
    this.#post({ to: 'end' })
    const late = new AbortController()
    const waited = pause(this.#options.clock, END_MS, late.signal).then(
      () => worker.terminate(),
      () => {},
    )
    await this.#ended.promise
    late.abort()
    await waited
  }
}

function factsOf(aid: UnsealingAid): AidFacts {
  return { authservId: aid.authservId, scans: aid.scans ?? true, now: aid.now() }
}

async function answerOf(keys: ReadingKeys, question: KeysQuestion, transfer: ArrayBuffer[]): Promise<unknown> {
  switch (question.ask) {
    case 'indexKey':
      return handOver(await keys.indexKey(), transfer)
    case 'olderIndexKeys':
      return (await (keys.olderIndexKeys?.() ?? [])).map((key) => handOver(key, transfer))
    case 'sessionKeys':
      return (await keys.sessionKeys(question.pkesks)).map((key) => key && handOver(key, transfer))
    case 'own':
      return keys.aid!.own()
    case 'signers': {
      const { certificates, trouble } = await keys.aid!.signers(question.author, question.issuers)
      const copies = certificates.map((one) => ({ ...one, certificate: ownCopy(one.certificate, transfer) }))
      return { certificates: copies, trouble }
    }
    case 'scan':
      return keys.aid!.scan(question.message).finally(() => wipe(question.message))
  }
}

function handOver(key: Bytes, transfer: ArrayBuffer[]): Bytes {
  const copy = ownCopy(key, transfer)
  key.fill(0)
  return copy
}
