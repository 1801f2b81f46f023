/** IP addresses between octets and text. */
import { MalformedDns } from './malformed.ts'

/** RFC 5952: lower case, the longest run of zero groups as `::`. */
export function ipText(octets: Buffer): string {
  if (octets.length === 4) return octets.join('.')
  const groups = Array.from({ length: 8 }, (_, at) => octets.readUInt16BE(2 * at))
  let best = { start: -1, length: 1 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (start + length < 8 && groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  const hex = (some: number[]) => some.map((group) => group.toString(16)).join(':')
  if (best.start < 0) return hex(groups)
  return `${hex(groups.slice(0, best.start))}::${hex(groups.slice(best.start + best.length))}`
}

/** Throws MalformedDns when the text is no address of that family. */
export function ipOctets(text: string, family: 4 | 6): Buffer {
  const octets = family === 4 ? octetsOf4(text) : octetsOf6(text)
  if (!octets) throw new MalformedDns(`no IPv${family} address`)
  return octets
}

function octetsOf4(text: string): Buffer | null {
  const parts = text.split('.')
  const valid = parts.length === 4 && parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256)
  return valid ? Buffer.from(parts.map(Number)) : null
}

/** RFC 4291 §2.2 */
function octetsOf6(text: string): Buffer | null {
  const dotted = text.includes('.') ? text.lastIndexOf(':') + 1 : -1
  const last = dotted < 0 ? null : octetsOf4(text.slice(dotted))
  if (dotted >= 0 && !last) return null
  const whole = last ? `${text.slice(0, dotted)}${last.toString('hex', 0, 2)}:${last.toString('hex', 2)}` : text
  const halves = whole.split('::').map((half) => (half === '' ? [] : half.split(':')))
  const [before = [], after = []] = halves
  const zeros = 8 - before.length - after.length
  if (halves.length > 2 || (halves.length === 2 ? zeros < 1 : zeros !== 0)) return null
  const groups = [...before, ...new Array<string>(zeros).fill('0'), ...after]
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return null
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex')
}
