/**
 * One thread of the store pool: the sealed SQL store of the accounts that fall to it. Keys stay on the main thread; what is
 * asked of them goes there. It must never load the OpenPGP library (formats/openpgp/engine.ts): a thread would cost twice.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { systemClock } from '#lib/clock.ts'
import type { Fields, Logger } from '#lib/log.ts'
import { Settling } from '#lib/settling.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { ChangesMade } from './change-hub.ts'
import type {
  AccountMail,
  ChangeListener,
  FlagsChanged,
  MailboxChanges,
  MailboxOverview,
  MessageRow,
  NewMessage,
  ReadingKeys,
  ReadMessage,
  Sealing,
  TextMatches,
} from './mail-store.ts'
import { packMessages } from './packed-messages.ts'
import { columnBuffers, packFoundRows, packRows } from './row-columns.ts'
import { createSealedMailStore, type SealedStore } from './sealed-mail-store.ts'
import { createSqlMailStore } from './sql-mail-store.ts'
import {
  type AidFacts,
  type Answer,
  type Call,
  type FromWorker,
  handedOver,
  type KeysQuestion,
  ownCopy,
  packError,
  StoreInterrupted,
  type ToWorker,
  unpackError,
  type WorkerSetting,
} from './store-wire.ts'
import type { UnsealingAid } from './unsealing-aid.ts'

interface Value {
  readonly value: unknown
  readonly transfer: ArrayBuffer[]
}

type SealingCall = Extract<Call, { readonly sealing: unknown }>
type AnyMethod = (...args: readonly unknown[]) => Promise<unknown>

class StoreWorker {
  readonly #send: (message: FromWorker, transfer?: ArrayBuffer[]) => void
  readonly #store: SealedStore
  readonly #running = new Set<Promise<void>>()
  readonly #mails = new Map<number, AccountMail>()
  readonly #watches = new Map<AccountId, Disposable>()
  readonly #questions = new Map<number, PromiseWithResolvers<unknown>>()
  #lastQuestion = 0
  /** It came with the call that is being started. */
  #sealing: Sealing | null = null

  constructor(setting: WorkerSetting, send: (message: FromWorker, transfer?: ArrayBuffer[]) => void) {
    this.#send = send
    const logger = forwardingLogger(send)
    const made: ChangesMade = (account, mailbox, change) => send({ from: 'made', account, mailbox, change })
    const sql = { ...setting, clock: systemClock, logger, ...(setting.isShared ? { made } : {}) }
    this.#store = createSealedMailStore(createSqlMailStore(sql), {
      ...(setting.isShared ? { claims: { take: (name) => this.#claim(name) } } : {}),
      logger,
      clock: systemClock,
      sealing: async (account) => this.#sealing ?? this.#askSealing(account),
      indexesTexts: setting.indexesTexts,
    })
  }

  async hear(message: ToWorker): Promise<void> {
    switch (message.to) {
      case 'call':
        return this.#track(this.#answer(message.id, message.call))
      case 'keys':
        return this.#settle(message.id, message.answer)
      case 'watch':
        return this.#watch(message.account, message.watched)
      case 'heard':
        return this.#store.heard(message.account)
      case 'end':
        await Promise.all(this.#running)
        for (const mail of this.#mails.values()) await mail[Symbol.asyncDispose]()
        await this.#store[Symbol.asyncDispose]()
    }
  }

  #track(answer: Promise<void>): Promise<void> {
    const done = answer.finally(() => this.#running.delete(done))
    this.#running.add(done)
    return done
  }

  async #answer(id: number, call: Call): Promise<void> {
    try {
      const { value, transfer } = await this.#run(call)
      this.#send({ from: 'answer', id, answer: { kind: 'value', value } }, transfer)
    } catch (error) {
      this.#send({ from: 'answer', id, answer: { kind: 'error', error: packError(error) } })
    }
  }

  async #run(call: Call): Promise<Value> {
    switch (call.on) {
      case 'store': {
        const method = this.#store[call.method].bind(this.#store) as AnyMethod
        return plain(await this.#withSealing(call, () => method(call.account, ...call.args)))
      }
      case 'open':
        return plain(await this.#open(call))
      case 'close': {
        const opened = this.#mails.get(call.handle)
        this.#mails.delete(call.handle)
        return plain(await opened?.[Symbol.asyncDispose]())
      }
      case 'mail': {
        const opened = this.#mails.get(call.handle)
        if (!opened) throw new StoreInterrupted('the session was opened in a store thread that ended')
        const method = opened[call.method].bind(opened) as AnyMethod
        return packValue(call.method, await this.#withSealing(call, () => method(...call.args)))
      }
    }
  }

  /** The store asks what to seal to before `run` hands back its promise. What was to be sealed came as a copy of our own. */
  async #withSealing({ method, args, sealing }: SealingCall, run: () => Promise<unknown>): Promise<unknown> {
    this.#sealing = sealing
    try {
      const running = run()
      this.#sealing = null
      return await running
    } finally {
      this.#sealing = null
      if (method === 'append') wipeMessage(args[1] as NewMessage)
      if (method === 'appendAll') for (const message of args[1] as readonly NewMessage[]) wipeMessage(message)
    }
  }

  async #open({ account, handle, locked, aid }: Extract<Call, { on: 'open' }>): Promise<void> {
    const keys: ReadingKeys = {
      ...(aid ? { aid: this.#aid(handle, aid) } : {}),
      sessionKeys: (pkesks) => {
        const transfer: ArrayBuffer[] = []
        const copies = pkesks.map((pkesk) => ownCopy(pkesk, transfer))
        return this.#ask(handle, { ask: 'sessionKeys', pkesks: copies }, transfer) as Promise<(Bytes | null)[]>
      },
      indexKey: () => this.#ask(handle, { ask: 'indexKey' }, []) as Promise<Bytes>,
      olderIndexKeys: () => this.#ask(handle, { ask: 'olderIndexKeys' }, []) as Promise<readonly Bytes[]>,
    }
    this.#mails.set(handle, await this.#store.open(account, locked ? null : keys))
  }

  #aid(handle: number, { authservId, scans, now }: AidFacts): UnsealingAid {
    const ahead = now - systemClock.now()
    return {
      authservId,
      scans,
      now: () => systemClock.now() + ahead,
      own: () => this.#ask(handle, { ask: 'own' }, []) as ReturnType<UnsealingAid['own']>,
      signers: (author, issuers) =>
        this.#ask(handle, { ask: 'signers', author, issuers }, []) as ReturnType<UnsealingAid['signers']>,
      scan: (message) => {
        const transfer: ArrayBuffer[] = []
        const question = { ask: 'scan', message: handedOver(message, transfer) } as const
        return this.#ask(handle, question, transfer) as ReturnType<UnsealingAid['scan']>
      },
    }
  }

  #askSealing(account: AccountId): Promise<Sealing> {
    const { id, answer } = this.#question()
    this.#send({ from: 'sealing', id, account })
    return answer as Promise<Sealing>
  }

  async #claim(name: string): Promise<Disposable | null> {
    const { id, answer } = this.#question()
    this.#send({ from: 'claim', id, name })
    if (!(await answer)) return null
    return { [Symbol.dispose]: () => this.#send({ from: 'release', name }) }
  }

  #ask(handle: number, question: KeysQuestion, transfer: ArrayBuffer[]): Promise<unknown> {
    const { id, answer } = this.#question()
    this.#send({ from: 'keys', id, handle, question }, transfer)
    return answer
  }

  #question(): { readonly id: number; readonly answer: Promise<unknown> } {
    const id = ++this.#lastQuestion
    const asked = Promise.withResolvers<unknown>()
    this.#questions.set(id, asked)
    return { id, answer: asked.promise }
  }

  #settle(id: number, answer: Answer): void {
    const asked = this.#questions.get(id)
    this.#questions.delete(id)
    if (answer.kind === 'value') asked?.resolve(answer.value)
    else asked?.reject(unpackError(answer.error))
  }

  #watch(account: AccountId, watched: boolean): void {
    this.#watches.get(account)?.[Symbol.dispose]()
    this.#watches.delete(account)
    if (!watched) return
    const tell: ChangeListener = (mailbox, change) => this.#send({ from: 'change', account, mailbox, change })
    this.#watches.set(account, this.#store.changes.subscribe(account, tell))
  }
}

function wipeMessage({ content, summary }: NewMessage): void {
  wipe(content)
  wipe(summary)
}

function plain(value: unknown): Value {
  return { value, transfer: [] }
}

/** Octets and rows are handed over rather than cloned. */
function packValue(method: string, value: unknown): Value {
  const transfer: ArrayBuffer[] = []
  if (value instanceof Uint8Array) return { value: ownCopy(value, transfer), transfer }
  switch (method) {
    case 'summaries': {
      const copies = (value as readonly (Bytes | null)[]).map((one) => one && ownCopy(one, transfer))
      return { value: copies, transfer }
    }
    case 'messages': {
      const packed = packMessages(value as readonly (ReadMessage | null)[], transfer)
      return { value: packed, transfer }
    }
    case 'list': {
      const packed = packRows(value as readonly MessageRow[])
      return { value: packed, transfer: columnBuffers(packed) }
    }
    case 'rows': {
      const packed = packFoundRows(value as readonly (MessageRow | null)[])
      return { value: packed, transfer: columnBuffers(packed) }
    }
    case 'overview': {
      const { present, vanished } = value as MailboxOverview
      for (const uids of [present, vanished]) if (uids) transfer.push(uids.buffer)
      return { value, transfer }
    }
    case 'textMatches': {
      for (const { yes, open } of value as readonly TextMatches[]) transfer.push(yes.buffer, open.buffer)
      return { value, transfer }
    }
    case 'annotations': {
      const annotations = value as ReadonlyMap<string, Bytes>
      const copies = [...annotations].map(([name, octets]) => [name, ownCopy(octets, transfer)] as const)
      return { value: new Map(copies), transfer }
    }
    case 'changesSince': {
      const changes = value as MailboxChanges
      const changed = packRows(changes.changed)
      return { value: { ...changes, changed }, transfer: [...columnBuffers(changed), changes.vanished.buffer] }
    }
    case 'setFlags': {
      const answer = value as FlagsChanged
      const rows = packRows(answer.rows)
      return { value: { ...answer, rows }, transfer: columnBuffers(rows) }
    }
    default:
      return { value, transfer }
  }
}

function forwardingLogger(send: (message: FromWorker) => void): Logger {
  const at = (level: 'debug' | 'info' | 'warn' | 'error', more: Fields) => (fields: Fields, msg: string) =>
    send({ from: 'log', level, fields: cloneable({ ...more, ...fields }), msg })
  const logger = (more: Fields): Logger => ({
    debug: () => {},
    info: at('info', more),
    warn: at('warn', more),
    error: at('error', more),
    with: (fields) => logger({ ...more, ...fields }),
  })
  return logger({})
}

/** What an error hangs on to may not be cloneable; its name and words are enough. */
function cloneable(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? packError(value) : value]),
  )
}

if (parentPort) {
  const port = parentPort
  const worker = new StoreWorker(workerData as WorkerSetting, (message, transfer) =>
    port.postMessage(message, transfer),
  )
  const settling = new Settling(systemClock)
  port.on('message', (message: ToWorker) => {
    settling.worked()
    void worker.hear(message).finally(() => {
      if (message.to === 'end') port.close()
    })
  })
}
