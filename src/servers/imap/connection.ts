/**
 * One client's connection from greeting to goodbye: reads a command, has it done, tells what happened in the mailbox
 * meanwhile, and answers. The only place that turns errors into answers.
 */
import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { Command } from '#formats/imap/command.ts'
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
import type { Telling } from './selected.ts'

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
  /** Commands refused as BAD, in a row after login. */
  #bad = 0

  constructor(socket: Socket, ip: string, implicitTls: boolean, admission: Admission, context: ServerContext) {
    const { clock, limits } = context
    this.#context = context
    this.#implicitTls = implicitTls
    this.#begun = clock.now()
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
      this.#talk.untagged(`OK [CAPABILITY ${this.#talk.capabilities}] Letterlock is ready`)
      await this.#serve()
    } catch (error) {
      if (!(error instanceof ConnectionOver))
        this.#talk.logger.error({ error: error as Error }, 'imap connection failed')
    } finally {
      await this.#close()
    }
  }

  /** The server stops. Says goodbye: now to a client that waits, otherwise once its command is done. */
  leave(): void {
    const text = 'The server is shutting down'
    if (this.#input.waiting) this.#talk.leave(text)
    else this.#talk.leaveAfter(text)
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
      if (talk.leaving !== null) return talk.leave(talk.leaving)
      const said = await this.#input.next()
      switch (said.kind) {
        case 'gone':
          return
        case 'late':
          return talk.leave(talk.user ? 'Nothing was heard for too long' : 'Login took too long')
        case 'fatal':
          return talk.leave(said.text)
        case 'line':
          throw new Error('a line came that nobody waited for')
        case 'rejected':
          this.#answer(said.tag ?? '*', said.status, said.code, said.text)
          if (!talk.user && HTTP_VERBS.has(said.tag?.toUpperCase() ?? '')) return talk.leave('This is not HTTP')
          break
        case 'command':
          await this.#perform(said.tag, said.command)
          if (said.command.kind === 'logout') return this.#wire.finish()
      }
      if (this.#bad >= this.#context.limits.badCommands * (talk.user ? PATIENCE_AFTER_LOGIN : 1))
        return talk.leave('Too many bad commands')
    }
  }

  async #perform(tag: string, command: Command): Promise<void> {
    const talk = this.#talk
    talk.tag = tag
    talk.tally.commands++
    await talk.notifier?.pause()
    if (command.kind !== 'fetch') talk.forgetContent()
    try {
      const { code, text } = await perform(talk, command)
      await talk.tellNews(tellingAfter(command))
      this.#answer(tag, 'OK', code, text)
    } catch (error) {
      if (error instanceof ConnectionOver) throw error
      const { answer, ours } = refusalOf(error)
      if (ours) talk.logger.error({ error: error as Error, command: command.kind }, 'imap command failed')
      await talk.tellNews(tellingAfter(command))
      this.#answer(tag, answer.status, answer.code, answer.message)
    }
    if (talk.compressing) {
      talk.compressing = false
      await this.#wire.compress()
      this.#input.restart()
    }
    talk.notifier?.resume()
    if (!talk.upgrading) return
    talk.upgrading = false
    await secureLine(this.#talk)
  }

  #answer(tag: string, status: 'OK' | 'NO' | 'BAD', code: string | null, text: string): void {
    this.#bad = status === 'BAD' ? this.#bad + 1 : this.#talk.user ? 0 : this.#bad
    this.#wire.send(`${tag} ${status} ${code === null ? '' : `[${code}] `}${text}\r\n`)
  }

  async #close(): Promise<void> {
    const talk = this.#talk
    talk.notifier?.[Symbol.dispose]()
    talk.deselect()
    await finishLine(talk, 'imap', this.#begun, { client: talk.client, ...talk.tally })
    this.#finish()
  }
}

/** Their answers are read by message sequence number; their UID forms are other commands. */
const BY_NUMBER: ReadonlySet<Command['kind']> = new Set(['fetch', 'store', 'search', 'sort', 'thread'] as const)

/** What may be told at the end of a command. RFC 3501 §7.4.1, RFC 5256 §3: no EXPUNGE after those that are read by number. */
function tellingAfter(command: Command): Telling {
  const uid = 'uid' in command && command.uid
  return { expunge: uid || !BY_NUMBER.has(command.kind), uid }
}
