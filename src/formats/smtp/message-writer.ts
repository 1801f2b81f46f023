import { asBuffer, type Bytes } from '#lib/bytes.ts'

const DOT = Buffer.of(46)
const CRLF = Buffer.of(13, 10)
const END = Buffer.of(46, 13, 10)

/**
 * A message as it follows 354: a dot before every line that begins with one (RFC 5321 §4.5.2), a last CRLF if it is missing,
 * and the line with a dot alone. Pieces to write in order; clean content is not copied. The content must be CRLF lines.
 */
export function dataPieces(content: Bytes): Buffer[] {
  const octets = asBuffer(content)
  const pieces: Buffer[] = []
  if (octets[0] === 46) pieces.push(DOT)
  let from = 0
  for (let at = octets.indexOf('\n.'); at >= 0; at = octets.indexOf('\n.', at + 1)) {
    pieces.push(octets.subarray(from, at + 1), DOT)
    from = at + 1
  }
  pieces.push(octets.subarray(from))
  if (octets.length > 0 && octets[octets.length - 1] !== 10) pieces.push(CRLF)
  pieces.push(END)
  return pieces
}
