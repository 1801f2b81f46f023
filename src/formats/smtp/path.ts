import { type Address, formatAddress, parseAddress } from '#formats/message/address.ts'
import { reply, SmtpError } from './reply.ts'

/** What stood between the angle brackets, and what follows them. */
export interface PathAndRest {
  /** null is `<>`. A bare `<postmaster>` has the domain `` (RFC 5321 §4.1.1.3). */
  readonly address: Address | null
  readonly rest: string
}

/** The index of the `>` that ends a path which begins at 0 with `<`, or -1. A `>` in a quoted local part does not end it. */
function endOfPath(text: string): number {
  let quoted = false
  for (let at = 1; at < text.length; at++) {
    const char = text[at]
    if (quoted && char === '\\') at++
    else if (char === '"') quoted = !quoted
    else if (char === '>' && !quoted) return at
  }
  return -1
}

/** Drops a source route `@a,@b:` (RFC 5321 §4.1.2 and appendix C: accepted and ignored). */
function withoutRoute(mailbox: string): string {
  if (!mailbox.startsWith('@')) return mailbox
  const colon = mailbox.indexOf(':')
  return colon < 0 ? '' : mailbox.slice(colon + 1)
}

/**
 * Reads `<mailbox>` at the start of `text` (RFC 5321 §4.1.2). Throws SmtpError with 501: `5.1.7` for a reverse-path,
 * `5.1.3` for a forward-path.
 */
export function readPath(text: string, kind: 'reverse' | 'forward'): PathAndRest {
  const bad = () =>
    new SmtpError(
      kind === 'reverse'
        ? reply(501, '5.1.7', 'Bad sender address syntax')
        : reply(501, '5.1.3', 'Bad recipient address syntax'),
    )
  const end = text.startsWith('<') ? endOfPath(text) : -1
  if (end < 0) throw bad()
  const mailbox = withoutRoute(text.slice(1, end))
  const rest = text.slice(end + 1)
  if (end === 1 && kind === 'reverse') return { address: null, rest }
  if (kind === 'forward' && /^postmaster$/i.test(mailbox)) return { address: { local: mailbox, domain: '' }, rest }
  const address = parseAddress(mailbox)
  if (!address) throw bad()
  return { address, rest }
}

export function formatPath(address: Address | null): string {
  if (address === null) return '<>'
  return address.domain === '' ? `<${address.local}>` : `<${formatAddress(address)}>`
}
