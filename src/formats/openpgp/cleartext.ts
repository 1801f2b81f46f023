/** The cleartext signature framework (RFC 9580 §7): text that stays readable, with a signature below it. */
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { armor, dearmor } from './armor.ts'
import { MalformedOpenPgp, PacketType } from './openpgp.ts'
import { readPackets } from './packets.ts'
import { parseSignature } from './signature.ts'

const BEGIN = '-----BEGIN PGP SIGNED MESSAGE-----'
const SIGNATURE = '-----BEGIN PGP SIGNATURE-----'

export interface CleartextMessage {
  /** What was signed: without dash escapes and without blanks at line ends; lines end with LF. */
  readonly text: Buffer
  /** Bodies of the signature packets. */
  readonly signatures: readonly Bytes[]
}

/** Whether the octets begin like a cleartext-signed message. */
export function isCleartext(octets: Bytes): boolean {
  return asBuffer(octets.subarray(0, 4096)).toString('latin1').trimStart().startsWith(BEGIN)
}

/** Throws MalformedOpenPgp for everything that a strict reader would have to guess at. */
export function readCleartext(octets: Bytes): CleartextMessage {
  const lines = asBuffer(octets).toString('latin1').trimStart().split('\n')
  if (lines[0]?.trimEnd() !== BEGIN) throw new MalformedOpenPgp('not a cleartext-signed message')
  const blank = lines.findIndex((line, index) => index > 0 && line.trim() === '')
  // RFC 9580 §7.1: any other header would stand in the signed text's place
  const onlyHash = lines.slice(1, blank).every((line) => /^Hash: [A-Za-z0-9, -]*\r?$/.test(line))
  if (blank < 0 || !onlyHash) throw new MalformedOpenPgp('unexpected headers above the text')
  const end = lines.findIndex((line, index) => index > blank && line.trimEnd() === SIGNATURE)
  if (end < 0) throw new MalformedOpenPgp('text without its signature')
  const text = lines
    .slice(blank + 1, end)
    .map(unescaped)
    .join('\n')
  const { octets: packets } = dearmor(Buffer.from(lines.slice(end).join('\n'), 'latin1'))
  return { text: Buffer.from(text, 'latin1'), signatures: signatureBodies(packets) }
}

/** Bodies of signature packets, when there is nothing else. */
export function signatureBodies(packets: Bytes): readonly Bytes[] {
  const found = [...readPackets(packets)].filter(
    ({ type }) => type !== PacketType.marker && type !== PacketType.padding,
  )
  if (found.length === 0 || found.some(({ type }) => type !== PacketType.signature)) {
    throw new MalformedOpenPgp('not signatures')
  }
  return found.map(({ body }) => body)
}

function unescaped(line: string): string {
  const text = line.startsWith('- ') ? line.slice(2) : line
  if (text === line && line.startsWith('-')) throw new MalformedOpenPgp('a line with an unescaped dash')
  return withoutBlanks(text)
}

/** RFC 9580 §7.2: blanks at line ends are not signed. */
function withoutBlanks(line: string): string {
  let end = line.length
  while (end > 0 && ' \t\r'.includes(line[end - 1]!)) end--
  return line.slice(0, end)
}

/** The octets that are to be signed as text when `text` goes into the framework. */
export function signableText(text: Bytes): Buffer {
  const lines = asBuffer(text).toString('latin1').split('\n')
  return Buffer.from(lines.map(withoutBlanks).join('\n'), 'latin1')
}

const HASH_NAMES = new Map([
  [8, 'SHA256'],
  [9, 'SHA384'],
  [10, 'SHA512'],
])

/** Puts signable text and its signature packets together. */
export function writeCleartext(signable: Bytes, signatures: Bytes): Buffer {
  const parsed = signatureBodies(signatures).map(parseSignature)
  // RFC 9580 §7.1: the header is for readers older than version 6
  const hashes = parsed.flatMap((one) => (one?.version === 4 ? [HASH_NAMES.get(one.hash)] : []))
  const headers = [...new Set(hashes)].map((name) => `Hash: ${name}`)
  const lines = asBuffer(signable).toString('latin1').split('\n')
  const escaped = lines.map((line) => (line.startsWith('-') || line.startsWith('From ') ? `- ${line}` : line))
  const block = armor('SIGNATURE', signatures, { checksum: parsed.every((one) => one?.version === 4) })
  return Buffer.from([BEGIN, ...headers, '', ...escaped, block].join('\n'), 'latin1')
}
