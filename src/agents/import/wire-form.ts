/**
 * Line ends. The store holds messages as they travel, with CRLF (RFC 5321 §2.3.8). Files of mail mostly hold LF: then every bare LF
 * becomes CRLF. A message whose header has CRLF throughout is in wire form already and stays as it is, octet for octet, whatever
 * its body holds.
 */
import { asBuffer, type Bytes } from '#lib/bytes.ts'

const LF = 10
const CR = 13

/** Answers `content` itself when nothing is to be changed. */
export function toWireForm(content: Bytes): Bytes {
  const octets = asBuffer(content)
  const bare = bareLineFeeds(octets)
  if (bare === 0) return content
  const wire = Buffer.allocUnsafe(octets.length + bare)
  let kept = 0
  let at = 0
  for (let found = octets.indexOf(LF); found >= 0; found = octets.indexOf(LF, found + 1)) {
    if (found > 0 && octets[found - 1] === CR) continue
    at += octets.copy(wire, at, kept, found)
    wire[at++] = CR
    kept = found
  }
  octets.copy(wire, at, kept)
  return wire
}

/** How many there are; 0 also for a body's when the header has none. */
function bareLineFeeds(octets: Buffer): number {
  let bare = 0
  let line = 0
  for (let found = octets.indexOf(LF); found >= 0; found = octets.indexOf(LF, found + 1)) {
    const isBare = found === 0 || octets[found - 1] !== CR
    if (isBare) bare++
    const isEmpty = found - line === (isBare ? 0 : 1)
    if (isEmpty && bare === 0) return 0
    line = found + 1
  }
  return bare
}
