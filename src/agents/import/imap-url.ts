/** `imaps://USER@HOST[:PORT]/[MAILBOX]` (RFC 5092; parts percent-encoded where they must be). Never with a password. */
import { SourceFailed } from './import.ts'

export interface ImapPlace {
  /** TLS from the first octet. */
  readonly implicitTls: boolean
  readonly user: string
  readonly host: string
  readonly port: number
  /** null: all of them. */
  readonly mailbox: string | null
}

/** Throws SourceFailed, whose words repeat nothing that could be a password. */
export function parseImapUrl(text: string): ImapPlace {
  const [, scheme, authority = '', path = ''] = /^(imaps?):\/\/([^/]*)\/?(.*)$/is.exec(text) ?? []
  const at = authority.lastIndexOf('@')
  const user = authority.slice(0, Math.max(0, at))
  if (user.includes(':'))
    throw new SourceFailed(
      'leave the password out of the URL: other users of this machine can see it there, and the shell remembers it (change it). It is asked for, or read with --password-stdin',
    )
  const [, bracketed, plain, port] =
    /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::([0-9]{1,5}))?$/i.exec(authority.slice(at + 1)) ?? []
  const host = bracketed ?? plain
  if (scheme === undefined || user === '' || host === undefined || Number(port ?? 1) > 65_535 || port === '0')
    throw new SourceFailed('an IMAP source is written imaps://USER@HOST[:PORT]/[MAILBOX]')
  const implicitTls = scheme.toLowerCase() === 'imaps'
  const mailbox = path === '' ? null : decode(path)
  return { implicitTls, user: decode(user), host, port: Number(port ?? (implicitTls ? 993 : 143)), mailbox }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new SourceFailed('a % in an IMAP URL stands before two hexadecimal digits; write %25 for a % itself')
  }
}

/** RFC 6890 loopback: nobody between. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$/.test(host)
}
