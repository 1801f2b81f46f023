/** Mailbox names on the wire: modified UTF-7 (RFC 3501 §5.1.3), or UTF-8 once the client enabled it (RFC 6855 §3). */
import { isUtf8 } from 'node:buffer'

/** A Unicode name in modified UTF-7. */
export function encodeMailboxName(name: string): string {
  return name.replace(/&|[^\x20-\x7e]+/g, (run) => {
    if (run === '&') return '&-'
    const base64 = Buffer.from(run, 'utf16le').swap16().toString('base64')
    return `&${base64.replace(/=+$/, '').replaceAll('/', ',')}-`
  })
}

/** The Unicode name, or null when the text is not what encodeMailboxName writes for any name. */
export function decodeMailboxName(encoded: string): string | null {
  if (!/^[\x20-\x7e]*$/.test(encoded)) return null
  const name = encoded.replace(/&([^-]*)-/g, (_, base64: string) => {
    if (base64 === '') return '&'
    const octets = Buffer.from(base64.replaceAll(',', '/'), 'base64')
    return octets
      .subarray(0, octets.length & ~1)
      .swap16()
      .toString('utf16le')
  })
  return name.isWellFormed() && encodeMailboxName(name) === encoded ? name : null
}

const NAME_OCTETS = 1_000

/**
 * The name that a client wrote: modified UTF-7, raw UTF-8, or, when it is neither, just its characters; with `utf8`, UTF-8 and
 * nothing else. NFC, INBOX in capitals. Null when it holds control characters or is too long.
 */
export function readMailboxName(octets: Buffer, utf8 = false): string | null {
  if (octets.length > NAME_OCTETS) return null
  const isText = isUtf8(octets)
  if (utf8 && !isText) return null
  const raw = octets.toString(isText ? 'utf8' : 'latin1')
  const name = ((utf8 ? null : decodeMailboxName(raw)) ?? raw).normalize('NFC')
  if (/[\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(name)) return null
  return name.replace(/^inbox(?=\/|$)/i, 'INBOX')
}
