/** What the client says, as commands; gives up on clients that never log in, or that fall silent. */
import { AUTH_LINE_CAP, type Command, parseCommand } from '#formats/pop3/command.ts'
import { wipe } from '#lib/bytes.ts'
import { Input as Lines } from '#servers/line/input.ts'
import type { Wire } from '#servers/line/wire.ts'
import type { ServerContext } from './context.ts'

export type Said = Command | { readonly kind: 'gone' } | { readonly kind: 'late' }

export class Input {
  /** Nothing is being done but waiting for the client. */
  waiting = false
  readonly #wire: Wire
  readonly #context: ServerContext
  readonly #lines = new Lines(true)
  readonly #loginUntil: number
  #loggedIn = false

  constructor(wire: Wire, context: ServerContext) {
    this.#wire = wire
    this.#context = context
    this.#loginUntil = context.clock.now() + context.limits.loginTime
  }

  /** From now on there is time. */
  loggedIn(): void {
    this.#loggedIn = true
  }

  /** Nothing that came so far counts. */
  restart(): void {
    this.#lines.clear()
  }

  /** The next command. What is left to send goes out before this waits. */
  async next(): Promise<Said> {
    const line = await this.line()
    if (line === 'gone' || line === 'late') return { kind: line }
    if (line === 'too-long') return { kind: 'unintelligible', verb: '', text: 'The line is too long' }
    const command = parseCommand(line)
    wipe(line)
    return command
  }

  /** One line, whatever is in it, which its user wipes. */
  async line(): Promise<Buffer | 'too-long' | 'gone' | 'late'> {
    const { clock, limits } = this.#context
    const until = this.#loggedIn ? clock.now() + limits.autologout : this.#loginUntil
    for (;;) {
      const line = this.#lines.takeLine(AUTH_LINE_CAP)
      if (line === 'lone-lf') throw new Error('lone LFs are taken')
      if (line !== null) return line
      const octets = await this.#more(until)
      if (octets === null) return 'gone'
      if (octets === 'late') return 'late'
      this.#lines.push(octets)
    }
  }

  async #more(until: number): Promise<Buffer | null | 'late'> {
    this.waiting = true
    try {
      await this.#wire.flush()
      const patience = until - this.#context.clock.now()
      return patience <= 0 ? 'late' : await this.#wire.read(patience)
    } finally {
      this.waiting = false
    }
  }
}
