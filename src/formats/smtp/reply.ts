/** SMTP replies as values (RFC 5321 §4.2, RFC 3463 for the enhanced code), and how they are written. */

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

// RFC 5321 §4.5.3.1.5: 512 octets with code, enhanced code and CRLF.
const TEXT_KEPT = 480
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f]/g

const printable = (text: string): string => text.slice(0, TEXT_KEPT).replace(UNPRINTABLE, '?')

/** The reply as it goes out, CRLF included. Text is cut to what a reply line may hold; octets that are not printable become `?`. */
export function formatReply({ code, enhanced, lines }: Reply): string {
  // RFC 2034 §4: the enhanced code stands on every line.
  const status = enhanced === null ? '' : `${enhanced} `
  if (lines.length <= 1) return `${code} ${status}${printable(lines[0] ?? '')}\r\n`
  const last = lines.length - 1
  return lines.map((line, at) => `${code}${at === last ? ' ' : '-'}${status}${printable(line)}\r\n`).join('')
}
