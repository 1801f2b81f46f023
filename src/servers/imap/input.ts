/**
 * What the client says, as commands. Asks for literals, and gives up on clients that never log in, that fall silent, or that
 * take forever over one command.
 */
import type { AccountId } from '#custody/accounts/directory.ts'
import type { FetchCommand, ReaderEvent } from '#formats/imap/command.ts'
import { CommandReader } from '#formats/imap/parser.ts'
import type { Wire } from '#servers/line/wire.ts'
import type { ServerContext } from './context.ts'

/** A command of this size does without a share of the memory: only messages are larger, and whoever sends none is never turned away. */
const SMALL = 65_536

export type Said = Exclude<ReaderEvent, { kind: 'continue' }> | { readonly kind: 'gone' | 'late' }

export class Input {
  /** Nothing is being done but waiting for the client. */
  waiting = false
  readonly #wire: Wire
  readonly #context: ServerContext
  readonly #reader = new CommandReader({ authenticated: false, appendOctets: 0 })
  readonly #loginUntil: number
  /** null before login. */
  #account: AccountId | null = null
  /** What was read ahead of its turn: FETCH commands, and at most one thing else at the end. */
  #ahead: ReaderEvent[] = []
  /** Octets of a command that is not yet whole, and since when. */
  #begun = 0
  #begunAt = 0
  /** Its share of the memory. */
  #shared = 0

  constructor(wire: Wire, context: ServerContext) {
    this.#wire = wire
    this.#context = context
    this.#loginUntil = context.clock.now() + context.limits.loginTime
  }

  /** From now on there is time, and messages may come. */
  loggedIn(account: AccountId): void {
    this.#account = account
    this.#reader.limits = { authenticated: true, appendOctets: this.#context.limits.messageSize }
  }

  /** Mailbox names come in UTF-8 from now on (RFC 6855 §3, RFC 9051 §5.1). */
  readUtf8(): void {
    this.#reader.limits = { authenticated: true, appendOctets: this.#context.limits.messageSize, utf8: true }
  }

  /** Nothing that came so far counts. */
  restart(): void {
    this.#reader.discard()
    this.#ahead = []
    this.#settle()
  }

  /** The next command; the one before it has been done. What is left to send goes out before this waits. */
  async next(): Promise<Said> {
    this.#settle()
    for (;;) {
      const event = this.#ahead.shift() ?? this.#reader.next()
      if (event?.kind === 'continue') this.#wire.send('+ Go ahead\r\n')
      else if (event) return event
      else {
        const octets = await this.#wait()
        if (octets === null) return { kind: 'gone' }
        if (octets === 'late') return { kind: 'late' }
        if (!this.#count(octets.length))
          return { kind: 'fatal', text: '[UNAVAILABLE] The server is busy, try again later' }
        this.#reader.push(octets)
      }
    }
  }

  /** Those FETCH commands that come next and are here already, at most so many. They are still to be done. */
  fetchesAhead(most: number): readonly FetchCommand[] {
    const isLast = () => this.#ahead.length > 0 && fetchOf(this.#ahead.at(-1)!) === null
    while (this.#ahead.length < most && !isLast()) {
      const event = this.#reader.next()
      if (!event) break
      this.#ahead.push(event)
    }
    return this.#ahead.flatMap((event) => fetchOf(event) ?? [])
  }

  /** One line, whatever is in it; null when there will be none, which the client has then been told. Never rejects. */
  async line(): Promise<Buffer | null> {
    this.#reader.expectLine()
    const said = await this.next().catch(() => null)
    if (said?.kind === 'line') return said.line
    if (said && said.kind !== 'gone' && !this.#wire.over) {
      this.#wire.send(
        `* BYE ${said.kind === 'late' ? 'Nothing was heard for too long' : 'This is not what was asked for'}\r\n`,
      )
      this.#wire.finish()
    }
    return null
  }

  async #wait(): Promise<Buffer | null | 'late'> {
    this.waiting = true
    try {
      await this.#wire.flush()
      const patience = this.#patience()
      if (patience <= 0) return 'late'
      return await this.#wire.read(patience)
    } finally {
      this.waiting = false
    }
  }

  /** Milliseconds that the client may stay silent. */
  #patience(): number {
    const { clock, limits } = this.#context
    if (this.#account === null) return this.#loginUntil - clock.now()
    if (this.#begun === 0) return limits.autologout
    const until = this.#begunAt + limits.stall + (this.#begun / limits.pace) * 1000
    return Math.min(limits.stall, until - clock.now())
  }

  /** Takes note of octets that came; false when the clients of the account, or all together, have sent more than fits. */
  #count(octets: number): boolean {
    const { clock, receiving } = this.#context
    if (this.#begun === 0) this.#begunAt = clock.now()
    this.#begun += octets
    const more = Math.max(this.#begun - SMALL, 0) - this.#shared
    if (more <= 0 || this.#account === null) return true
    if (!receiving.take(this.#account, more)) return false
    this.#shared += more
    return true
  }

  #settle(): void {
    this.#begun = 0
    if (this.#shared > 0) this.#context.receiving.give(this.#account!, this.#shared)
    this.#shared = 0
  }
}

const fetchOf = (event: ReaderEvent): FetchCommand | null =>
  event.kind === 'command' && event.command.kind === 'fetch' ? event.command : null
