/** Header fields that programs of others repeat in the text for readers who know no protected headers (RFC 9788 §2.1.2, §4.5.3). */
import { decodePart } from '#formats/message/decode-part.ts'
import type { Header } from '#formats/message/header.ts'
import { indexMessage, type MimePart } from '#formats/message/mime-index.ts'
import { encodeBase64, encodeQuotedPrintable } from '#formats/message/transfer-encoding.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { USER_FACING } from './view-fields.ts'

/** The body of the entity without them. Where it is not clear what would be taken out, it stays. */
export function withoutForeignDisplay(entity: Bytes, header: Header): Buffer {
  const octets = asBuffer(entity)
  const pieces: Buffer[] = []
  let from = header.range.end
  for (const part of mainParts(indexMessage(octets))) {
    const text = isDisplay(part) ? withoutDisplay(part, octets) : null
    if (!text) continue
    pieces.push(octets.subarray(from, part.body.start), text)
    from = part.body.end
  }
  const rest = octets.subarray(from)
  return pieces.length === 0 ? rest : Buffer.concat([...pieces, rest])
}

/** RFC 9787 §7.1: the parts that are the message's text, in the order in which they stand. */
function mainParts(root: MimePart): readonly MimePart[] {
  const found: MimePart[] = []
  const open = [root]
  for (let part = open.pop(); part; part = open.pop()) {
    if (part.type === 'text') found.push(part)
    if (part.type !== 'multipart') continue
    const all = part.subtype === 'alternative' ? part.children : part.children.slice(0, 1)
    open.push(...all.toReversed())
  }
  return found
}

/** In these every octet below 128 is the character of ASCII. */
const CHARSETS = /^(?:us-ascii|utf-?8|iso-8859-[0-9]{1,2}|windows-125[0-8]|koi8-[ru])$/

function isDisplay({ parameters, disposition }: MimePart): boolean {
  const parameter = (wanted: string) => parameters.find(([name]) => name === wanted)?.[1]
  const charset = parameter('charset')?.toLowerCase() ?? 'us-ascii'
  return parameter('hp-legacy-display') === '1' && disposition?.type !== 'attachment' && CHARSETS.test(charset)
}

/** The part's body anew; null when there is nothing to take out. */
function withoutDisplay(part: MimePart, octets: Buffer): Buffer | null {
  const decoded = decodePart(part, octets)
  const rest =
    part.subtype === 'html' ? withoutElement(decoded) : part.subtype === 'plain' ? withoutLines(decoded) : null
  if (!rest) return null
  if (part.encoding === 'base64') return Buffer.from(encodeBase64(rest))
  return part.encoding === 'quoted-printable' ? Buffer.from(encodeQuotedPrintable(rest), 'latin1') : rest
}

const LF = 10
const MOST_LINES = 100

/** RFC 9788 §4.5.3.2: the lines up to the first empty one, all of which must be fields that readers see. */
function withoutLines(text: Buffer): Buffer | null {
  let at = 0
  for (let lines = 0; lines < MOST_LINES; lines++) {
    const end = text.indexOf(LF, at)
    if (end < 0) return null
    const line = text.toString('latin1', at, end).replace(/\r$/, '')
    at = end + 1
    if (line === '') return lines > 0 ? text.subarray(at) : null
    const isFolded = lines > 0 && (line.startsWith(' ') || line.startsWith('\t'))
    const colon = line.indexOf(':')
    if (!isFolded && (colon < 0 || !USER_FACING.has(line.slice(0, colon).toLowerCase()))) return null
  }
  return null
}

const CLASS = 'header-protection-legacy-display'
const OPENINGS = [`<div class="${CLASS}">`, `<div class='${CLASS}'>`, `<div class=${CLASS}>`]

/** RFC 9788 §4.5.3.3: the first element of the body, of that class. */
function withoutElement(html: Buffer): Buffer | null {
  const text = html.toString('latin1').toLowerCase()
  const marker = text.indexOf(CLASS)
  const start = marker < 0 ? -1 : text.lastIndexOf('<div', marker)
  const opening = OPENINGS.find((one) => start >= 0 && text.startsWith(one, start))
  if (!opening || text.indexOf(CLASS, marker + 1) >= 0 || !isFirst(text, start)) return null
  const close = text.indexOf('</div>', start)
  if (close < 0 || text.slice(start + 1, close).includes('<div')) return null
  return Buffer.concat([html.subarray(0, start), html.subarray(close + '</div>'.length)])
}

function isFirst(text: string, start: number): boolean {
  const body = text.lastIndexOf('<body', start)
  const begin = body < 0 ? 0 : text.indexOf('>', body) + 1
  return begin <= start && text.slice(begin, start).trim() === ''
}
