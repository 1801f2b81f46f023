/** SMTP replies as values (RFC 5321 §4.2, RFC 3463 for the enhanced code). */

export interface Reply {
  readonly code: number
  /** RFC 3463 status such as `5.1.1`, or null where none belongs (greeting, EHLO, 354). */
  readonly enhanced: string | null
  /** One line per element; printable, no CR or LF. */
  readonly lines: readonly string[]
}

export function reply(code: number, enhanced: string | null, ...lines: string[]): Reply {
  return { code, enhanced, lines }
}

/** A protocol error on its way to the one line that catches it. */
export class SmtpError extends Error {
  override readonly name = 'SmtpError'
  readonly reply: Reply
  constructor(answer: Reply) {
    super(`${answer.code} ${answer.lines[0] ?? ''}`)
    this.reply = answer
  }
}

export const isTemporary = (answer: Reply): boolean => answer.code >= 400 && answer.code < 500
export const isPositive = (answer: Reply): boolean => answer.code < 400
