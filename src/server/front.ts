/**
 * A front: serves IMAP and POP3 to the clients that the main process gives it (fronts.ts). It listens nowhere, delivers nothing and sends
 * nothing. Without the main process it ends.
 */
import type { Socket } from 'node:net'
import type { SubmissionAgent } from '#agents/submission/submission.ts'
import type { LoadedConfig } from '#config/load.ts'
import type { Claims } from '#lib/claims.ts'
import { systemClock as clock } from '#lib/clock.ts'
import { settleAfterStart } from '#lib/started.ts'
import { LoginBrakes } from '#session/login-brakes.ts'
import type { Foundation } from './foundation.ts'
import type { FromFront, Question, ToFront } from './front-wire.ts'
import { openFoundation, openOutside } from './open-foundation.ts'
import { createDesk, createReaders } from './readers.ts'

/** Who reads sends nothing. */
const refuses = (): never => {
  throw new Error('a front takes no mail to send')
}
const noSubmission: SubmissionAgent = { checkSender: refuses, checkRecipient: refuses, submit: refuses }

type Say = (message: FromFront) => void
type Readers = ReturnType<typeof createReaders>

/** Claims of the main process. */
class RemoteClaims implements Claims {
  readonly #say: Say
  readonly #asked = new Map<number, (isOurs: boolean) => void>()
  #lastId = 0

  constructor(say: Say) {
    this.#say = say
  }

  async take(name: string): Promise<Disposable | null> {
    const id = ++this.#lastId
    const isOurs = await new Promise<boolean>((resolve) => {
      this.#asked.set(id, resolve)
      this.#say({ from: 'claim', id, name })
    })
    if (!isOurs) return null
    return { [Symbol.dispose]: () => this.#say({ from: 'release', name }) }
  }

  answered(id: number, isOurs: boolean): void {
    this.#asked.get(id)?.(isOurs)
    this.#asked.delete(id)
  }
}

export class Front {
  readonly #say: Say
  readonly #claims: RemoteClaims
  readonly #foundation: Foundation
  readonly #readers: Readers
  readonly #brakes: LoginBrakes
  readonly #open: AsyncDisposableStack
  #stopping: Promise<void> | null = null

  private constructor(parts: {
    readonly say: Say
    readonly claims: RemoteClaims
    readonly foundation: Foundation
    readonly readers: Readers
    readonly brakes: LoginBrakes
    readonly open: AsyncDisposableStack
  }) {
    this.#say = parts.say
    this.#claims = parts.claims
    this.#foundation = parts.foundation
    this.#readers = parts.readers
    this.#brakes = parts.brakes
    this.#open = parts.open
  }

  /** Opens the data. When it fails, everything that was opened is closed again. */
  static async open(config: LoadedConfig, front: number, say: Say): Promise<Front> {
    await using closing = new AsyncDisposableStack()
    const claims = new RemoteClaims(say)
    const foundation = await openFoundation(config, closing, {
      fields: { front },
      sharing: {
        claims,
        made: (account, mailbox, change) => say({ from: 'change', account, mailbox, change }),
        watched: (account, watched) => say({ from: 'watch', account, watched }),
      },
    })
    const { discovery } = openOutside(foundation, closing)
    const brakes = new LoginBrakes(config.limits.failedLogins, (failed) => say({ from: 'failed-login', failed }))
    const desk = createDesk(foundation, { submission: noSubmission, discovery, brakes })
    const readers = createReaders(foundation, { desk, locks: claims })
    settleAfterStart(clock)
    return new Front({ say, claims, foundation, readers, brakes, open: closing.move() })
  }

  hear(message: Exclude<ToFront, { to: 'begin' | 'stop' }>, socket: Socket | undefined): void {
    switch (message.to) {
      case 'client':
        void this.#serve(message, socket)
        return
      case 'change':
        this.#foundation.store.hear(message.account, message.mailbox, message.change)
        return
      case 'failed-login':
        void this.#brakes.learn(message.failed)
        return
      case 'claimed':
        this.#claims.answered(message.id, message.isYours)
        return
      case 'reload':
        this.#foundation.certificates.reload()
        return
      case 'question':
        void this.#answer(message.id, message.question)
        return
    }
  }

  async #serve({ client, service }: Extract<ToFront, { to: 'client' }>, socket: Socket | undefined): Promise<void> {
    this.#say({ from: 'taken', client })
    if (this.#stopping) socket?.destroy()
    else if (socket) await this.#readers[service].serve(socket)
    this.#say({ from: 'left', client })
  }

  async #answer(id: number, question: Question): Promise<void> {
    const { logger } = this.#foundation
    const answer = await this.#answerTo(question).catch((error) => {
      logger.error({ question: question.ask, error }, 'a question of the main process has no answer')
      return null
    })
    this.#say({ from: 'answer', id, answer })
  }

  async #answerTo(question: Question): Promise<string | number> {
    const { keyring, metrics } = this.#foundation
    switch (question.ask) {
      case 'metrics':
        return metrics.text()
      case 'unlocked':
        return (await keyring.status()).accounts
      case 'end-sessions':
        await keyring.endSessions(question.account, question.slots ?? undefined)
        return 0
    }
  }

  /** Lets clients finish for up to `graceMs` milliseconds, and closes everything. */
  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stop(graceMs)
    return this.#stopping
  }

  async #stop(graceMs: number): Promise<void> {
    await Promise.all(Object.values(this.#readers).map((reader) => reader.stop(graceMs)))
    await this.#open.disposeAsync()
  }
}
