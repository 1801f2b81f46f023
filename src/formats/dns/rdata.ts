/** RDATA of each record type, both ways. */
import { ipOctets, ipText } from './ip-text.ts'
import { MalformedDns } from './malformed.ts'
import { labelsOf, readName } from './name.ts'
import { type CertificateAssociation, type RecordContent, TYPES } from './record.ts'
import type { WireWriter } from './wire-writer.ts'

/** Where RDATA stands in the whole message: names in it may point outside (RFC 1035 §4.1.4). */
export interface Place {
  readonly message: Buffer
  readonly start: number
  readonly end: number
}

/** Octets of RDATA taken in order; MalformedDns when there are too few, or when some are left. */
class Taker {
  readonly #place: Place
  #at: number
  constructor(place: Place) {
    this.#place = place
    this.#at = place.start
  }
  octets(length: number): Buffer {
    const { message, end } = this.#place
    if (length < 0 || this.#at + length > end) throw new MalformedDns('RDATA is too short')
    const octets = message.subarray(this.#at, this.#at + length)
    this.#at += length
    return octets
  }
  rest(): Buffer {
    return this.octets(this.#place.end - this.#at)
  }
  u8(): number {
    return this.octets(1)[0]!
  }
  u16(): number {
    return this.octets(2).readUInt16BE()
  }
  u32(): number {
    return this.octets(4).readUInt32BE()
  }
  name(): string {
    const { name, end } = readName(this.#place.message, this.#at)
    if (end > this.#place.end) throw new MalformedDns('a name ends after its RDATA')
    this.#at = end
    return name
  }
  get left(): number {
    return this.#place.end - this.#at
  }
}

function readAssociation(from: Taker): CertificateAssociation {
  return { usage: from.u8(), selector: from.u8(), matching: from.u8(), association: from.rest() }
}

function readStrings(from: Taker): Buffer[] {
  const strings: Buffer[] = []
  while (from.left > 0) strings.push(from.octets(from.u8()))
  return strings
}

function read(number: number, from: Taker): RecordContent {
  switch (number) {
    case TYPES.A:
      return { type: 'A', address: ipText(from.octets(4)) }
    case TYPES.AAAA:
      return { type: 'AAAA', address: ipText(from.octets(16)) }
    case TYPES.NS:
      return { type: 'NS', target: from.name() }
    case TYPES.CNAME:
      return { type: 'CNAME', target: from.name() }
    case TYPES.PTR:
      return { type: 'PTR', target: from.name() }
    case TYPES.DNAME:
      return { type: 'DNAME', target: from.name() }
    case TYPES.SOA: {
      const [primary, mailbox] = [from.name(), from.name()]
      const [serial, refresh, retry, expire, minimum] = [from.u32(), from.u32(), from.u32(), from.u32(), from.u32()]
      return { type: 'SOA', primary, mailbox, serial, refresh, retry, expire, minimum }
    }
    case TYPES.MX:
      return { type: 'MX', preference: from.u16(), exchange: from.name() }
    case TYPES.TXT:
      return { type: 'TXT', strings: readStrings(from) }
    case TYPES.SRV:
      return { type: 'SRV', priority: from.u16(), weight: from.u16(), port: from.u16(), target: from.name() }
    case TYPES.TLSA:
      return { type: 'TLSA', ...readAssociation(from) }
    case TYPES.SMIMEA:
      return { type: 'SMIMEA', ...readAssociation(from) }
    case TYPES.OPENPGPKEY:
      return { type: 'OPENPGPKEY', certificate: from.rest() }
    case TYPES.CAA: {
      const [flags, length] = [from.u8(), from.u8()]
      return { type: 'CAA', flags, tag: from.octets(length).toString('latin1'), value: from.rest() }
    }
    default:
      return { type: 'opaque', number, octets: from.rest() }
  }
}

/** Throws MalformedDns. Buffers in the answer are views of the message. */
export function readRdata(number: number, place: Place): RecordContent {
  const from = new Taker(place)
  const content = read(number, from)
  if (from.left > 0) throw new MalformedDns('RDATA is too long')
  return content
}

/** Names in RDATA are compressed only in the types of RFC 1035 (RFC 3597 §4). */
export function writeRdata(content: RecordContent, to: WireWriter): void {
  switch (content.type) {
    case 'A':
      to.octets(ipOctets(content.address, 4))
      break
    case 'AAAA':
      to.octets(ipOctets(content.address, 6))
      break
    case 'NS':
    case 'CNAME':
    case 'PTR':
      to.name(content.target)
      break
    case 'DNAME':
      writeWholeName(content.target, to)
      break
    case 'SOA':
      to.name(content.primary)
      to.name(content.mailbox)
      for (const number of [content.serial, content.refresh, content.retry, content.expire, content.minimum])
        to.u32(number)
      break
    case 'MX':
      to.u16(content.preference)
      to.name(content.exchange)
      break
    case 'TXT':
      for (const string of content.strings) writeString(string, to)
      break
    case 'SRV':
      for (const number of [content.priority, content.weight, content.port]) to.u16(number)
      writeWholeName(content.target, to)
      break
    case 'TLSA':
    case 'SMIMEA':
      to.octets(Buffer.from([content.usage, content.selector, content.matching]), content.association)
      break
    case 'OPENPGPKEY':
      to.octets(content.certificate)
      break
    case 'CAA':
      to.octets(Buffer.from([content.flags]))
      writeString(Buffer.from(content.tag, 'latin1'), to)
      to.octets(content.value)
      break
    case 'opaque':
      to.octets(content.octets)
      break
  }
}

function writeString(string: Buffer, to: WireWriter): void {
  if (string.length > 255) throw new MalformedDns('a character string is too long')
  to.octets(Buffer.from([string.length]), string)
}

function writeWholeName(name: string, to: WireWriter): void {
  for (const label of labelsOf(name)) to.octets(Buffer.from([label.length]), label)
  to.octets(Buffer.from([0]))
}
