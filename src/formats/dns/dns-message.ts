/**
 * DNS messages as values, both ways (RFC 1035 §4, RFC 6891 for EDNS, RFC 4035 §3 for AD and CD). Pure: who is believed is
 * decided in policy/dns. Reading refuses whatever is not exactly a message, without recursion: every record costs octets, so
 * the length of the message bounds the work.
 */
import { MalformedDns } from './malformed.ts'
import { readName } from './name.ts'
import { readRdata, writeRdata } from './rdata.ts'
import { type ResourceRecord, TYPES } from './record.ts'
import { WireWriter } from './wire-writer.ts'

export const CLASS_IN = 1

export const RCODES = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 } as const

export interface Question {
  readonly name: string
  readonly type: number
  readonly class: number
}

/** The EDNS pseudo-record (RFC 6891 §6.1). */
export interface Edns {
  /** Octets that the sender can take in one datagram. */
  readonly udpSize: number
  /** DO: send DNSSEC records too (RFC 3225). */
  readonly dnssecOk: boolean
  readonly version: number
  readonly options: readonly { readonly code: number; readonly octets: Buffer }[]
}

export interface DnsMessage {
  readonly id: number
  readonly response: boolean
  readonly opcode: number
  readonly authoritative: boolean
  readonly truncated: boolean
  readonly recursionDesired: boolean
  readonly recursionAvailable: boolean
  /** AD */
  readonly authentic: boolean
  /** CD */
  readonly checkingDisabled: boolean
  /** With the upper bits from EDNS. */
  readonly rcode: number
  readonly questions: readonly Question[]
  readonly answers: readonly ResourceRecord[]
  readonly authority: readonly ResourceRecord[]
  /** Without the EDNS record. */
  readonly additional: readonly ResourceRecord[]
  readonly edns: Edns | null
}

const HEADER = 12

/** Throws MalformedDns. Buffers in records are views of the octets. */
export function decodeDns(octets: Uint8Array): DnsMessage {
  const message = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength)
  if (message.length < HEADER) throw new MalformedDns('shorter than a header')
  const flags = message.readUInt16BE(2)
  const bit = (number: number) => (flags & number) !== 0
  const reader = new SectionReader(message)
  const questions = reader.questions(message.readUInt16BE(4))
  const answers = reader.records(message.readUInt16BE(6))
  const authority = reader.records(message.readUInt16BE(8))
  const additional = reader.records(message.readUInt16BE(10))
  if (reader.at !== message.length) throw new MalformedDns('octets after the last record')
  return {
    id: message.readUInt16BE(0),
    response: bit(0x8000),
    opcode: (flags >> 11) & 15,
    authoritative: bit(0x0400),
    truncated: bit(0x0200),
    recursionDesired: bit(0x0100),
    recursionAvailable: bit(0x0080),
    authentic: bit(0x0020),
    checkingDisabled: bit(0x0010),
    rcode: (flags & 15) | (reader.upperRcode << 4),
    questions,
    answers,
    authority,
    additional,
    edns: reader.edns,
  }
}

class SectionReader {
  readonly #message: Buffer
  at = HEADER
  edns: Edns | null = null
  upperRcode = 0

  constructor(message: Buffer) {
    this.#message = message
  }

  #take(length: number): number {
    const from = this.at
    this.at += length
    if (this.at > this.#message.length) throw new MalformedDns('a record ends after the message')
    return from
  }

  #name(): string {
    const { name, end } = readName(this.#message, this.at)
    this.at = end
    return name
  }

  questions(count: number): Question[] {
    const questions: Question[] = []
    for (let left = count; left > 0; left--) {
      const name = this.#name()
      const from = this.#take(4)
      questions.push({ name, type: this.#message.readUInt16BE(from), class: this.#message.readUInt16BE(from + 2) })
    }
    return questions
  }

  records(count: number): ResourceRecord[] {
    const records: ResourceRecord[] = []
    for (let left = count; left > 0; left--) {
      const name = this.#name()
      const from = this.#take(10)
      const type = this.#message.readUInt16BE(from)
      const start = this.#take(this.#message.readUInt16BE(from + 8))
      if (type === TYPES.OPT) {
        this.#readEdns(name, from, start)
        continue
      }
      // RFC 2181 §8: a TTL with the highest bit set counts as zero.
      const ttl = this.#message.readInt32BE(from + 4)
      const content = readRdata(type, { message: this.#message, start, end: this.at })
      records.push({ name, class: this.#message.readUInt16BE(from + 2), ttl: Math.max(0, ttl), content })
    }
    return records
  }

  #readEdns(name: string, from: number, start: number): void {
    // RFC 6891 §6.1.1: one, at the root.
    if (this.edns || name !== '') throw new MalformedDns('more than one EDNS record, or one with a name')
    const message = this.#message
    this.upperRcode = message[from + 4]!
    const options: { code: number; octets: Buffer }[] = []
    for (let at = start; at < this.at; ) {
      if (at + 4 > this.at) throw new MalformedDns('an EDNS option is too short')
      const end = at + 4 + message.readUInt16BE(at + 2)
      if (end > this.at) throw new MalformedDns('an EDNS option ends after its record')
      options.push({ code: message.readUInt16BE(at), octets: message.subarray(at + 4, end) })
      at = end
    }
    this.edns = {
      udpSize: message.readUInt16BE(from + 2),
      version: message[from + 5]!,
      dnssecOk: (message[from + 6]! & 0x80) !== 0,
      options,
    }
  }
}

/** Throws MalformedDns for names and values that cannot be written, and beyond 65,535 octets. */
export function encodeDns(message: DnsMessage): Buffer {
  const writer = new WireWriter()
  writer.u16(message.id)
  writer.u16(flagsOf(message))
  const { questions, answers, authority, additional, edns } = message
  for (const count of [questions.length, answers.length, authority.length, additional.length + (edns ? 1 : 0)])
    writer.u16(count)
  for (const question of questions) {
    writer.name(question.name)
    writer.u16(question.type)
    writer.u16(question.class)
  }
  for (const record of [...answers, ...authority, ...additional]) writeRecord(record, writer)
  if (edns) writeEdns(edns, message.rcode, writer)
  else if (message.rcode > 15) throw new MalformedDns('such an RCODE needs EDNS')
  return writer.finish()
}

function flagsOf(message: DnsMessage): number {
  const { response, opcode, authoritative, truncated, recursionDesired, recursionAvailable } = message
  const { authentic, checkingDisabled, rcode } = message
  const bits: readonly (readonly [boolean, number])[] = [
    [response, 0x8000],
    [authoritative, 0x0400],
    [truncated, 0x0200],
    [recursionDesired, 0x0100],
    [recursionAvailable, 0x0080],
    [authentic, 0x0020],
    [checkingDisabled, 0x0010],
  ]
  return bits.reduce((flags, [set, bit]) => (set ? flags | bit : flags), ((opcode & 15) << 11) | (rcode & 15))
}

function writeRecord({ name, class: klass, ttl, content }: ResourceRecord, writer: WireWriter): void {
  writer.name(name)
  writer.u16(content.type === 'opaque' ? content.number : TYPES[content.type])
  writer.u16(klass)
  writer.u32(ttl)
  writer.counted(() => writeRdata(content, writer))
}

function writeEdns({ udpSize, version, dnssecOk, options }: Edns, rcode: number, writer: WireWriter): void {
  writer.name('')
  writer.u16(TYPES.OPT)
  writer.u16(udpSize)
  writer.octets(Buffer.from([rcode >> 4, version, dnssecOk ? 0x80 : 0, 0]))
  writer.counted(() => {
    for (const { code, octets } of options) {
      writer.u16(code)
      writer.counted(() => writer.octets(octets))
    }
  })
}
