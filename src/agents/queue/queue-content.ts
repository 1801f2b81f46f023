import { asBuffer, type Bytes } from '#lib/bytes.ts'

const LF = 10
const CR = 13

/**
 * Whether every CR and LF is part of a CRLF: what may go over SMTP (RFC 5321 §2.3.8). A lone one, passed on, is read by some
 * servers as the end of the message and by others not: that is how mail is smuggled.
 */
export function hasOnlyCrlf(content: Bytes): boolean {
  const octets = asBuffer(content)
  let pairs = 0
  for (let at = octets.indexOf(CR); at >= 0; at = octets.indexOf(CR, at + 2)) {
    if (octets[at + 1] !== LF) return false
    pairs++
  }
  let ends = 0
  for (let at = octets.indexOf(LF); at >= 0; at = octets.indexOf(LF, at + 1)) ends++
  return ends === pairs
}
