/**
 * One client's connection from greeting to goodbye: reads a command, has it done, and answers. The only place that turns errors
 * into answers. The server loads this with its first client.
 */
import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { Command } from '#formats/pop3/command.ts'
import type { Admission } from '#servers/line/admission.ts'
import { ConnectionOver } from '#servers/line/connection-over.ts'
import { finishLine, secureLine } from '#servers/line/line-ends.ts'
import type { LineConnection } from '#servers/line/line-server.ts'
import { HTTP_VERBS, PATIENCE_AFTER_LOGIN, TURN } from '#servers/line/manners.ts'
import { Wire } from '#servers/line/wire.ts'
import { perform } from './commands/dispatch.ts'
import type { ServerContext } from './context.ts'
import { Conversation } from './conversation.ts'
import { Input } from './input.ts'
import { refusalOf } from './refusal.ts'

/** A client that vanished without a word would keep the maildrop locked: its host is asked. */
const KEEPALIVE = 60_000

export class Connection implements LineConnection {
  /** Resolves when everything of it is over. */
  readonly done: Promise<void>
  readonly #context: ServerContext
  readonly #wire: Wire
  readonly #input: Input
  readonly #talk: Conversation
  readonly #implicitTls: boolean
  readonly #begun: number
  #finish: () => void = () => {}
  /** Commands that were none, in a row after login. */
  #bad = 0

  constructor(socket: Socket, ip: string, implicitTls: boolean, admission: Admission, context: ServerContext) {
    const { clock, limits } = context
    this.#context = context
    this.#implicitTls = implicitTls
    this.#begun = clock.now()
    socket.setKeepAlive(true, KEEPALIVE)
    this.#wire = new Wire(socket, clock, limits.stall)
    this.#input = new Input(this.#wire, context)
    this.#talk = new Conversation(context, this.#wire, this.#input, admission, ip)
    this.done = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  /** Never rejects. */
  async run(): Promise<void> {
    try {
      if (this.#implicitTls) await secureLine(this.#talk)
      this.#talk.ok('Letterlock is ready')
      await this.#serve()
    } catch (error) {
      if (!(error instanceof ConnectionOver))
        this.#talk.logger.error({ error: error as Error }, 'pop3 connection failed')
    } finally {
      await this.#close()
    }
  }

  /** Ends it: now where the client is waited for, otherwise once its command is done. */
  leave(): void {
    if (this.#input.waiting) this.#wire.finish()
    else this.#talk.leaving = true
  }

  destroy(): void {
    this.#wire.destroy()
  }

  async #serve(): Promise<void> {
    const talk = this.#talk
    for (;;) {
      // Many commands at once must neither pile up answers nor keep others waiting.
      if (this.#wire.congested) await this.#wire.flush()
      if (talk.tally.commands % TURN === TURN - 1) await setImmediate()
      if (talk.leaving) return
      const said = await this.#input.next()
      // RFC 1939 §3: who is silent for too long is left without a word, and nothing is removed.
      if (said.kind === 'gone' || said.kind === 'late') return
      await this.#perform(said)
      if (said.kind === 'quit') return
      const limit = this.#context.limits.badCommands * (talk.user ? PATIENCE_AFTER_LOGIN : 1)
      const isHttp = said.kind === 'unintelligible' && !talk.user && HTTP_VERBS.has(said.verb)
      if (isHttp || this.#bad >= limit) return
    }
  }

  async #perform(command: Command): Promise<void> {
    const talk = this.#talk
    talk.tally.commands++
    try {
      const text = await perform(talk, command)
      if (text !== null) talk.ok(text)
      if (talk.user) this.#bad = 0
    } catch (error) {
      if (error instanceof ConnectionOver) throw error
      const { answer, ours } = refusalOf(error)
      if (ours) talk.logger.error({ error: error as Error, command: command.kind }, 'pop3 command failed')
      if (answer.isBad) this.#bad++
      // RFC 2449 §8
      this.#wire.send(`-ERR ${answer.code === null ? '' : `[${answer.code}] `}${answer.message}\r\n`)
    }
    if (!talk.upgrading) return
    talk.upgrading = false
    await secureLine(this.#talk)
  }

  async #close(): Promise<void> {
    const talk = this.#talk
    this.#input.restart()
    await talk.letGo()
    await finishLine(talk, 'pop3', this.#begun, { ...talk.tally })
    this.#finish()
  }
}
