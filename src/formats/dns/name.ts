/**
 * Domain names on the wire and as text (RFC 1035 §3.1, §4.1.4, §5.1). Text has no trailing dot, the root is ``; octets that
 * text could confuse are `\.`, `\\` or `\DDD`. Case is kept.
 */
import { isAscii } from 'node:buffer'
import { MalformedDns } from './malformed.ts'

const LABEL_CAP = 63
const NAME_CAP = 255

/** A name and where the octets after it begin. */
export interface ReadName {
  readonly name: string
  readonly end: number
}

function textOf(label: Uint8Array): string {
  let text = ''
  for (const octet of label) {
    if (octet === 46 || octet === 92) text += `\\${String.fromCharCode(octet)}`
    else if (octet > 32 && octet < 127) text += String.fromCharCode(octet)
    else text += `\\${String(octet).padStart(3, '0')}`
  }
  return text
}

/**
 * Reads the name at `at` in the whole message. A compression pointer must point before everything that was read of the name
 * so far, so that no loop is possible. Throws MalformedDns.
 */
export function readName(message: Buffer, at: number): ReadName {
  const labels: string[] = []
  let length = 1
  let end = -1
  let before = at
  for (let from = at; ; ) {
    const size = message[from]
    if (size === undefined) throw new MalformedDns('a name ends after the message')
    if (size === 0) return { name: labels.join('.'), end: end < 0 ? from + 1 : end }
    if (size >= 0xc0) {
      if (from + 2 > message.length) throw new MalformedDns('a pointer ends after the message')
      const target = message.readUInt16BE(from) & 0x3fff
      if (target >= before) throw new MalformedDns('a pointer does not point backwards')
      if (end < 0) end = from + 2
      before = target
      from = target
      continue
    }
    if (size > LABEL_CAP) throw new MalformedDns('a label of unknown type')
    length += size + 1
    if (length > NAME_CAP) throw new MalformedDns('a name is too long')
    if (from + 1 + size > message.length) throw new MalformedDns('a label ends after the message')
    labels.push(textOf(message.subarray(from + 1, from + 1 + size)))
    from += size + 1
  }
}

/** The labels of a name as octets. Throws MalformedDns when it is no name: an empty or long label, text beyond ASCII. */
export function labelsOf(name: string): Buffer[] {
  if (name === '') return []
  const labels: Buffer[] = []
  let octets: number[] = []
  const close = () => {
    if (octets.length === 0 || octets.length > LABEL_CAP) throw new MalformedDns('an empty or too long label')
    labels.push(Buffer.from(octets))
    octets = []
  }
  if (!isAscii(Buffer.from(name))) throw new MalformedDns('a name that is not ASCII')
  for (let at = 0; at < name.length; at++) {
    const char = name[at]!
    if (char === '.') close()
    else if (char !== '\\') octets.push(char.charCodeAt(0))
    else {
      const digits = /^[0-9]{3}$/.exec(name.slice(at + 1, at + 4))?.[0]
      const octet = digits === undefined ? name.charCodeAt(at + 1) : Number(digits)
      if (!(octet <= 255)) throw new MalformedDns('a bad escape in a name')
      octets.push(octet)
      at += digits === undefined ? 1 : 3
    }
  }
  close()
  if (labels.reduce((sum, label) => sum + label.length + 1, 1) > NAME_CAP) throw new MalformedDns('a name is too long')
  return labels
}
