/** The state of one connection, as commands see it (RFC 1939 §3): who is logged in, with which maildrop, and how to answer. */
import type { Bytes } from '#lib/bytes.ts'
import type { Logger } from '#lib/log.ts'
import type { Admission } from '#servers/line/admission.ts'
import { ConnectionOver } from '#servers/line/connection-over.ts'
import type { Wire } from '#servers/line/wire.ts'
import type { UserSession } from '#session/session.ts'
import type { ServerContext } from './context.ts'
import type { Input } from './input.ts'
import type { Maildrop } from './maildrop.ts'
import { bad } from './refusal.ts'

export interface User {
  readonly session: UserSession
  readonly maildrop: Maildrop
  /** Lets the account's next client in. */
  readonly unlock: () => void
}

/** Figures for the line that is logged at the end. */
export interface Tally {
  commands: number
  retrieved: number
  removed: number
}

export class Conversation {
  readonly context: ServerContext
  readonly wire: Wire
  readonly input: Input
  readonly admission: Admission
  readonly ip: string
  logger: Logger
  /** TLS is on. */
  secure = false
  /** As USER said; PASS comes next. */
  name: string | null = null
  user: User | null = null
  failedLogins = 0
  /** TLS begins once the answer is out. */
  upgrading = false
  /** Close once the answer is out. */
  leaving = false
  #letGone = false
  readonly tally: Tally = { commands: 0, retrieved: 0, removed: 0 }

  constructor(context: ServerContext, wire: Wire, input: Input, admission: Admission, ip: string) {
    this.context = context
    this.wire = wire
    this.input = input
    this.admission = admission
    this.ip = ip
    this.logger = context.logger.with({ protocol: 'pop3', ip })
  }

  get maildrop(): Maildrop {
    if (!this.user) throw bad('Log in first')
    return this.user.maildrop
  }

  /** What AUTH is offered with. */
  get mechanisms(): readonly string[] {
    if (!this.secure) return []
    return this.context.desk.offersScram(this.ip) ? ['PLAIN', 'SCRAM-SHA-256'] : ['PLAIN']
  }

  ok(text: string): void {
    this.wire.send(`+OK ${text}\r\n`)
  }

  /** Sends a response piece by piece, as fast as the client takes it. What breaks in the middle of it ends the connection. */
  async send(pieces: Iterable<Bytes | string> | AsyncIterable<Bytes | string>): Promise<void> {
    try {
      for await (const piece of pieces) {
        this.wire.send(piece)
        if (this.wire.congested) await this.wire.flush()
      }
    } catch (error) {
      if (error instanceof ConnectionOver) throw error
      this.logger.error({ error: error as Error }, 'pop3 response broken off')
      this.wire.destroy()
      throw new ConnectionOver()
    }
  }

  /** The maildrop is another client's from here on. Once. */
  async letGo(): Promise<void> {
    const { user } = this
    if (!user || this.#letGone) return
    this.#letGone = true
    try {
      await user.maildrop.tellRead()
    } catch (error) {
      this.logger.warn({ error: error as Error }, 'what was read could not be marked')
    }
    this.context.sizes.keep(user.session.account.id, user.maildrop.known)
    user.unlock()
  }
}
