/** Text as signatures over text see it (RFC 9580 §5.2.1.2). */
import { asBuffer, type Bytes } from '#lib/bytes.ts'

const [CR, LF] = [13, 10]

/** Every line end becomes CRLF; a CR that ends no line stays. */
export function canonicalText(text: Bytes): Buffer {
  const octets = asBuffer(text)
  let bare = 0
  for (let at = octets.indexOf(LF); at >= 0; at = octets.indexOf(LF, at + 1)) if (octets[at - 1] !== CR) bare++
  if (bare === 0) return octets
  const target = Buffer.allocUnsafe(octets.length + bare)
  let written = 0
  let from = 0
  for (let at = octets.indexOf(LF); at >= 0; at = octets.indexOf(LF, from)) {
    const end = octets[at - 1] === CR ? at - 1 : at
    written += octets.copy(target, written, from, end)
    target[written++] = CR
    target[written++] = LF
    from = at + 1
  }
  octets.copy(target, written, from)
  return target
}
