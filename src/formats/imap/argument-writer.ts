/** Arguments of commands, as a client writes them (RFC 3501 §9): what cannot be quoted becomes a literal. */
import { encodeMailboxName } from './mailbox-name.ts'

export class ArgumentWriter {
  readonly #nonSynchronising: boolean
  readonly #chunks: Buffer[] = []
  #pieces: Buffer[] = []

  constructor(nonSynchronising: boolean) {
    this.#nonSynchronising = nonSynchronising
  }

  /** One chunk, and one more for each literal. */
  finish(): Buffer[] {
    this.raw('\r\n')
    this.#chunks.push(Buffer.concat(this.#pieces))
    return this.#chunks
  }

  raw(text: string): this {
    this.#pieces.push(Buffer.from(text))
    return this
  }

  /** `binary`: a literal8 (RFC 3516 §7), which may hold NUL. */
  literal(octets: Buffer, binary = false): this {
    this.raw(`${binary ? '~' : ''}{${octets.length}${this.#nonSynchronising ? '+' : ''}}\r\n`)
    this.#chunks.push(Buffer.concat(this.#pieces))
    this.#pieces = [octets]
    return this
  }

  /** A quoted string where it can be one, otherwise a literal. */
  string(value: string | Buffer): this {
    const octets = Buffer.from(value)
    const text = octets.toString('latin1')
    return /^[\x20-\x7e]*$/.test(text) ? this.raw(`"${text.replace(/["\\]/g, '\\$&')}"`) : this.literal(octets)
  }

  /** With the blank before it. */
  mailbox(name: string): this {
    return this.raw(' ').string(encodeMailboxName(name))
  }

  /** Blanks between them, in parentheses. */
  list<T>(members: readonly T[], write: (member: T) => void): this {
    this.raw('(')
    for (const [index, member] of members.entries()) {
      if (index > 0) this.raw(' ')
      write(member)
    }
    return this.raw(')')
  }
}
