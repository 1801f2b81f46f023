/** A tagged NO or BAD on its way to the one line that catches it. */
export class ImapError extends Error {
  override readonly name = 'ImapError'
  readonly status: 'NO' | 'BAD'
  /** RFC 5530 response code with its arguments, without brackets. */
  readonly code: string | null

  constructor(status: 'NO' | 'BAD', code: string | null, text: string) {
    super(text)
    this.status = status
    this.code = code
  }
}

/** The command is understood and cannot be done (RFC 3501 §7.1.2). */
export const no = (code: string | null, text: string): ImapError => new ImapError('NO', code, text)

/** The command is not IMAP, or not in this state (RFC 3501 §7.1.3). */
export const bad = (text: string): ImapError => new ImapError('BAD', null, text)
