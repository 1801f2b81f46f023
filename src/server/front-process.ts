/** One front, as the main process sees it: started, given clients, asked, and started again when it dies. */
import { type ChildProcess, fork } from 'node:child_process'
import type { Socket } from 'node:net'
import type { LoadedConfig } from '#config/load.ts'
import type { AccountId } from '#custody/accounts/directory.ts'
import type { Claims } from '#lib/claims.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import type { FromFront, Question, Service, ToFront } from './front-wire.ts'

export interface FrontDuties {
  readonly config: LoadedConfig
  readonly clock: Clock
  readonly logger: Logger
  readonly claims: Claims
  /** It can take clients. */
  readonly onReady: () => void
  /** It died before it had this client. */
  readonly onUntaken: (client: Client) => void
  /** What the others have to hear. */
  readonly onNews: (front: FrontProcess, news: Extract<FromFront, { from: 'change' | 'failed-login' }>) => void
}

/** Who came, for which service. */
export interface Client {
  readonly service: Service
  readonly socket: Socket
  /** Called when it is gone. */
  readonly left: () => void
}

interface Given extends Client {
  /** The front has the socket. */
  isTaken: boolean
}

const RESTART_MS = 1000
/** One that died sooner than this after its start will do so again. */
const BRIEF_MS = 10_000
const RESTART_BRIEF_MS = 5000
/** Who waits for an answer is told by the main process after ten seconds that there is none. */
const ANSWER_MS = 8000
/** What a front needs to close what it has open, besides the time for its clients. */
const CLOSING_MS = 35_000

export class FrontProcess {
  readonly number: number
  readonly #duties: FrontDuties
  readonly #clients = new Map<number, Given>()
  readonly #claims = new Map<string, Disposable>()
  readonly #questions = new Map<number, PromiseWithResolvers<string | number | null>>()
  readonly #watched = new Set<AccountId>()
  #child: ChildProcess | null = null
  #isReady = false
  #startedAt = 0
  #lastId = 0
  #gone: PromiseWithResolvers<void> | null = null
  #stopping = false

  constructor(number: number, duties: FrontDuties) {
    this.number = number
    this.#duties = duties
  }

  get isReady(): boolean {
    return this.#isReady
  }

  get clients(): number {
    return this.#clients.size
  }

  watches(account: AccountId): boolean {
    return this.#watched.has(account)
  }

  /** Resolves when it can take clients; false when it ended before. */
  start(): Promise<boolean> {
    const { config, clock } = this.#duties
    const ready = Promise.withResolvers<boolean>()
    const gone = Promise.withResolvers<void>()
    const child = fork(new URL('./front-main.ts', import.meta.url), [], { stdio: ['ignore', 2, 2, 'ipc'] })
    this.#child = child
    this.#gone = gone
    this.#startedAt = clock.now()
    child.on('message', (message: FromFront) => {
      if (message.from === 'ready') ready.resolve(true)
      this.#hear(message)
    })
    const over = (why: object) => {
      if (this.#child !== child) return
      this.#ended(why)
      ready.resolve(false)
      gone.resolve()
    }
    child.on('exit', (code, signal) => over({ code, signal }))
    child.on('error', (error) => child.pid === undefined && over({ error }))
    this.send({ to: 'begin', config, front: this.number })
    return ready.promise
  }

  send(message: ToFront, socket?: Socket): void {
    // One that is ending hears nothing; its exit says so.
    this.#child?.send(message, socket, { keepOpen: true }, () => {})
  }

  give(client: Client): void {
    const { socket, service } = client
    const id = ++this.#lastId
    this.#clients.set(id, { ...client, isTaken: false })
    this.send({ to: 'client', client: id, service }, socket)
  }

  /** null when there is no answer. One that does not answer is ended, as what it was asked for must be so. */
  async ask(question: Question): Promise<string | number | null> {
    const child = this.#child
    if (!child) return null
    const id = ++this.#lastId
    const asked = Promise.withResolvers<string | number | null>()
    this.#questions.set(id, asked)
    this.send({ to: 'question', id, question })
    using _patience = this.#duties.clock.after(ANSWER_MS, () => {
      this.#duties.logger.error({ front: this.number, question: question.ask }, 'a front does not answer and is ended')
      child.kill('SIGKILL')
    })
    return await asked.promise
  }

  #hear(message: FromFront): void {
    switch (message.from) {
      case 'ready':
        this.#isReady = true
        this.#duties.logger.info({ front: this.number, process: this.#child?.pid ?? null }, 'a front is ready')
        this.#duties.onReady()
        return
      case 'taken': {
        const client = this.#clients.get(message.client)
        if (client) client.isTaken = true
        // Only what this process has of it.
        client?.socket.destroy()
        return
      }
      case 'left':
        this.#clients.get(message.client)?.left()
        this.#clients.delete(message.client)
        return
      case 'watch':
        if (message.watched) this.#watched.add(message.account)
        else this.#watched.delete(message.account)
        return
      case 'claim':
        void this.#claim(message.id, message.name)
        return
      case 'release':
        this.#claims.get(message.name)?.[Symbol.dispose]()
        this.#claims.delete(message.name)
        return
      case 'answer':
        this.#questions.get(message.id)?.resolve(message.answer)
        this.#questions.delete(message.id)
        return
      case 'change':
      case 'failed-login':
        this.#duties.onNews(this, message)
    }
  }

  async #claim(id: number, name: string): Promise<void> {
    const child = this.#child
    const claim = await this.#duties.claims.take(name)
    if (claim && this.#child === child) this.#claims.set(name, claim)
    else claim?.[Symbol.dispose]()
    this.send({ to: 'claimed', id, isYours: claim !== null })
  }

  /** Everything that it had is given back. */
  #ended(why: object): void {
    const { clock, logger } = this.#duties
    this.#child = null
    this.#isReady = false
    const clients = [...this.#clients.values()]
    for (const claim of this.#claims.values()) claim[Symbol.dispose]()
    for (const asked of this.#questions.values()) asked.resolve(null)
    for (const kept of [this.#clients, this.#claims, this.#questions, this.#watched]) kept.clear()
    for (const client of clients) {
      if (client.isTaken) client.left()
      else this.#duties.onUntaken(client)
    }
    if (this.#stopping) return
    const wait = clock.now() - this.#startedAt < BRIEF_MS ? RESTART_BRIEF_MS : RESTART_MS
    logger.error({ front: this.number, ...why, seconds: wait / 1000 }, 'a front ended and is started again')
    clock.after(wait, () => {
      if (!this.#stopping) void this.start()
    })
  }

  /** Lets its clients finish for up to `graceMs` milliseconds. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    const child = this.#child
    if (!child) return
    this.send({ to: 'stop', graceMs })
    using _patience = this.#duties.clock.after(graceMs + CLOSING_MS, () => child.kill('SIGKILL'))
    await this.#gone?.promise
  }
}
