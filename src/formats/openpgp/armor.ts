/** ASCII armor (RFC 9580 §6). */
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { MalformedOpenPgp } from './openpgp.ts'

export type ArmorLabel = 'MESSAGE' | 'PUBLIC KEY BLOCK' | 'PRIVATE KEY BLOCK' | 'SIGNATURE'

export interface Dearmored {
  readonly label: ArmorLabel
  readonly octets: Buffer
}

const LABELS: readonly string[] = ['MESSAGE', 'PUBLIC KEY BLOCK', 'PRIVATE KEY BLOCK', 'SIGNATURE']
const LINE = 64
/** Text before the armor that is skipped at most. */
const LONGEST_PREAMBLE = 64 << 10

export interface ArmorOptions {
  /** Whole lines such as `Comment: ...`. */
  readonly headers?: readonly string[]
  /** RFC 9580 §6.1: not with version 6; with version 4, because GnuPG 2.2 finds the end of some armor only by it. Default true. */
  readonly checksum?: boolean
  /** LF by default; mail wants CRLF. */
  readonly lineEnd?: '\n' | '\r\n'
}

/** Armors binary packets. Ends with a line end. */
export function armor(label: ArmorLabel, octets: Bytes, options: ArmorOptions = {}): string {
  return armorOctets(label, octets, options).toString('latin1')
}

/** The same in octets, which is quicker for whole messages. */
export function armorOctets(label: ArmorLabel, octets: Bytes, options: ArmorOptions = {}): Buffer {
  const { headers = [], checksum = true, lineEnd = '\n' } = options
  const head = [`-----BEGIN PGP ${label}-----`, ...headers, '', ''].join(lineEnd)
  const sum = checksum ? [`=${crc24(octets).toString('base64')}`] : []
  const tail = [...sum, `-----END PGP ${label}-----`, ''].join(lineEnd)
  const base64 = Buffer.from(asBuffer(octets).toString('base64'), 'latin1')
  const lines = Math.ceil(base64.length / LINE)
  const target = Buffer.allocUnsafe(head.length + base64.length + lines * lineEnd.length + tail.length)
  let at = target.write(head, 'latin1')
  for (let from = 0; from < base64.length; from += LINE) {
    at += base64.copy(target, at, from, from + LINE)
    if (lineEnd === '\r\n') target[at++] = 13
    target[at++] = 10
  }
  target.write(tail, at, 'latin1')
  return target
}

/** RFC 9580 §6.1 */
function crc24(octets: Bytes): Buffer {
  // in the upper 24 bits, where what is shifted out is gone by itself
  let crc = 0xb704ce << 8
  let i = 0
  // four at a time
  for (const end = octets.length - 3; i < end; i += 4) {
    const four = crc ^ ((octets[i]! << 24) | (octets[i + 1]! << 16) | (octets[i + 2]! << 8) | octets[i + 3]!)
    crc =
      CRC_BEFORE_3[four >>> 24]! ^
      CRC_BEFORE_2[(four >>> 16) & 0xff]! ^
      CRC_BEFORE_1[(four >>> 8) & 0xff]! ^
      CRC_TABLE[four & 0xff]!
  }
  for (; i < octets.length; i++) crc = (crc << 8) ^ CRC_TABLE[(crc >>> 24) ^ octets[i]!]!
  return Buffer.of(crc >>> 24, (crc >>> 16) & 0xff, (crc >>> 8) & 0xff)
}

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, index) => {
  let crc = index << 24
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ (0x864cfb << 8) : crc << 1
  return crc
})

/** Of an octet that so many others follow. */
const followed = (table: Int32Array) => table.map((crc) => (crc << 8) ^ CRC_TABLE[crc >>> 24]!)
const CRC_BEFORE_1 = followed(CRC_TABLE)
const CRC_BEFORE_2 = followed(CRC_BEFORE_1)
const CRC_BEFORE_3 = followed(CRC_BEFORE_2)

/** Whether the octets are to be read as armor: binary packets begin with the high bit set. */
export function isArmored(octets: Bytes): boolean {
  return octets.length > 0 && (octets[0]! & 0x80) === 0
}

/** Reads the first armor in the octets. Throws MalformedOpenPgp. */
export function dearmor(octets: Bytes): Dearmored {
  // latin1: armor is ASCII, and one octet stays one character whatever surrounds it
  const { label, octets: found } = armorAt(asBuffer(octets).toString('latin1'), 0)
  return { label, octets: found }
}

/** Reads all that there are, one behind the other; at least one. Throws MalformedOpenPgp. */
export function dearmorAll(octets: Bytes): readonly Dearmored[] {
  const text = asBuffer(octets).toString('latin1')
  const found: Dearmored[] = []
  for (let at = 0; found.length === 0 || text.indexOf(BEGIN, at) >= 0; ) {
    const { label, octets: one, end } = armorAt(text, at)
    found.push({ label, octets: one })
    at = end
  }
  return found
}

const BEGIN = '-----BEGIN PGP '

function armorAt(text: string, from: number): Dearmored & { readonly end: number } {
  const begin = beginning(text, from)
  const first = text.indexOf('\n', begin)
  if (first < 0) throw new MalformedOpenPgp('truncated armor')
  const label = labelOf(text.slice(begin, first).trimEnd())
  const last = `\n-----END PGP ${label}-----`
  const end = text.indexOf(last, first)
  if (end < 0) throw new MalformedOpenPgp('armor without its end')
  return { label, octets: decode(bodyLines(text.slice(first + 1, end + 1))), end: end + last.length }
}

function beginning(text: string, from: number): number {
  if (text.startsWith(BEGIN, from)) return from
  const found = text.indexOf(`\n${BEGIN}`, from)
  if (found < 0 || found - from > LONGEST_PREAMBLE) throw new MalformedOpenPgp('not armored')
  return found + 1
}

function labelOf(line: string): ArmorLabel {
  const label = line.slice(BEGIN.length, -5)
  if (!line.endsWith('-----') || !LABELS.includes(label)) throw new MalformedOpenPgp('armor of an unknown kind')
  return label as ArmorLabel
}

/** The lines behind the headers and the empty line that ends them (RFC 9580 §6.2). */
function bodyLines(inner: string): readonly string[] {
  const lines = inner.split('\n').map((line) => line.trimEnd())
  const blank = lines.indexOf('')
  const headers = blank < 0 ? [] : lines.slice(0, blank)
  if (blank < 0 || !headers.every((line) => line.includes(': ') || line.endsWith(':'))) {
    throw new MalformedOpenPgp('armor without the empty line before its body')
  }
  return lines.slice(blank + 1).filter((line) => line !== '')
}

function decode(lines: readonly string[]): Buffer {
  const last = lines.at(-1)
  // RFC 9580 §6.1: whatever a checksum says, it is not a reason to refuse
  const base64 = (last?.startsWith('=') ? lines.slice(0, -1) : lines).join('')
  const octets = Buffer.from(base64, 'base64')
  // Buffer skips what is not base64; what it read must be all that was there
  if (octets.toString('base64') !== base64) throw new MalformedOpenPgp('armor with a broken body')
  return octets
}
