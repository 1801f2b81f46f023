/** IP addresses between octets and text. */
import { isIP } from 'node:net'
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
  if (isIP(text) !== family || text.includes('%')) throw new MalformedDns(`no IPv${family} address`)
  if (family === 4) return Buffer.from(text.split('.').map(Number))
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  const whole = dotted ? `${dotted[1]}${lastGroups(dotted[2]!)}` : text
  const [head = '', tail] = whole.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  const [before, after] = [groups(head), groups(tail ?? '')]
  const zeros = new Array<number>(8 - before.length - after.length).fill(0)
  const octets = Buffer.alloc(16)
  for (const [at, group] of [...before, ...zeros, ...after].entries()) octets.writeUInt16BE(group, 2 * at)
  return octets
}

function lastGroups(dotted: string): string {
  const octets = Buffer.from(dotted.split('.').map(Number))
  return `${octets.readUInt16BE(0).toString(16)}:${octets.readUInt16BE(2).toString(16)}`
}
