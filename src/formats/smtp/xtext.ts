/** xtext (RFC 3461 §4): printable text that may stand in an ESMTP parameter, other octets as `+` and two hex digits. */

const PLAIN = /[+=\u0000-\u0020\u007f]/g

export function encodeXtext(text: string): string {
  return text.replace(PLAIN, (char) => `+${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

/**
 * null when it is no xtext, or when it hides an octet that must never reach a header (control characters, non-ASCII octets).
 * Characters beyond ASCII that stand there as they are pass: SMTPUTF8 allows them (RFC 6533 §3).
 */
export function decodeXtext(text: string): string | null {
  if (/[=\u0000-\u0020\u007f]/.test(text)) return null
  const first = text.indexOf('+')
  if (first < 0) return text
  let decoded = text.slice(0, first)
  for (let at = first; at < text.length; ) {
    const next = text.indexOf('+', at + 1)
    const end = next < 0 ? text.length : next
    const digits = text.slice(at + 1, at + 3)
    if (!/^[0-9A-Fa-f]{2}$/.test(digits) || end < at + 3) return null
    const octet = Number.parseInt(digits, 16)
    if (octet < 32 || octet > 126) return null
    decoded += String.fromCharCode(octet) + text.slice(at + 3, end)
    at = end
  }
  return decoded
}
