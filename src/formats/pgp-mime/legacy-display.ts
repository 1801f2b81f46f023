/**
 * The subject once more, in the text itself, for mail programs that decrypt and do not know protected headers: they would show the
 * `[...]` from outside (RFC 9788 §5.2.2). The others leave it out, because the part says `hp-legacy-display="1"` (§4.5.3).
 *
 *     text/plain   a line `Subject: ...` and an empty one before the text
 *     text/html    <div class="header-protection-legacy-display"><pre>Subject: ...</pre></div> right inside the body
 *
 * It stands in the main texts only: the first text/plain and the first text/html that are shown as the message. `withoutDisplay` is
 * the inverse, to the octet, for almost every message; whoever needs it for one has to compare. A part that cannot carry the subject
 * in its own charset and transfer encoding is left as it is.
 */

import { decodeCharset, decodeText, parameterText } from '#formats/message/encoded-word.ts'
import { fieldValues, type Header, scanHeader } from '#formats/message/header.ts'
import { indexWithHeader, type MimePart } from '#formats/message/mime-index.ts'
import { encodeQuotedPrintable } from '#formats/message/transfer-encoding.ts'
import { base64Form } from './base64-form.ts'
import { charsetOctets } from './charset-octets.ts'
import { type Edit, edited, TypeParameters } from './type-parameters.ts'

const PARAMETER = new TypeParameters('hp-legacy-display="1"')
const NOTHING = Buffer.alloc(0)

/** Octets of the display: it is one line wherever that has a limit (RFC 5322 §2.1.1). */
const LONGEST_DISPLAY = 900
/** Encoded octets of a part in base64, which is written anew. */
const LARGEST_BASE64 = 4 << 20

/** The message with its subject in its texts; null where there is no subject, or no text that it can stand in. */
export function withDisplay(message: Buffer): Buffer | null {
  return change(message, (octets, header) => PARAMETER.insertion(octets, header), insertionInto)
}

/** The message as it was before `withDisplay`. */
export function withoutDisplay(message: Buffer): Buffer {
  return change(message, (octets, header) => PARAMETER.removal(octets, header), removalFrom) ?? message
}

function change(
  message: Buffer,
  parameter: (octets: Buffer, header: Header) => Edit | null,
  text: (body: Buffer, display: Display) => Edit | null,
): Buffer | null {
  const { root, header } = indexWithHeader(message)
  const subject = subjectOf(message, header)
  const edits: Edit[] = []
  for (const part of subject === null ? [] : mainTexts(root)) {
    const display = displayIn(part, subject!)
    const announcement = display && parameter(message, scanHeader(message, part.header.start, part.header.end))
    const { start, end } = part.body
    const edit = announcement && text(message.subarray(start, end), display)
    if (edit) edits.push(announcement, { ...edit, start: start + edit.start, end: start + edit.end })
  }
  return edits.length > 0 ? edited(message, edits) : null
}

/** Decoded, in one line; null unless there is exactly one that says something. */
function subjectOf(message: Buffer, header: Header): string | null {
  const [subject, another] = fieldValues(message, header, 'subject')
  if (subject === undefined || another !== undefined) return null
  const line = decodeText(subject)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
  return line === '' ? null : line.toWellFormed()
}

const HOLDERS = ['mixed', 'related', 'alternative']

/** In their order. Of a multipart/mixed or multipart/related the first part is what is shown as the message. */
function mainTexts(root: MimePart): readonly MimePart[] {
  const found: MimePart[] = []
  const open = [root]
  for (let part = open.pop(); part; part = open.pop()) {
    const { type, subtype, children, disposition } = part
    if (type === 'multipart' && HOLDERS.includes(subtype))
      open.push(...(subtype === 'alternative' ? children.toReversed() : children.slice(0, 1)))
    if (type !== 'text' || (subtype !== 'plain' && subtype !== 'html') || disposition?.type === 'attachment') continue
    if (!found.some((one) => one.subtype === subtype)) found.push(part)
  }
  return found
}

interface Display {
  readonly subtype: string
  readonly encoding: string
  /** Before the transfer encoding. */
  readonly octets: Buffer
}

/** null where it cannot be said in the part's charset, or not on one line. */
function displayIn({ subtype, encoding, parameters }: MimePart, subject: string): Display | null {
  const charset = parameterText(parameters, 'charset')?.toLowerCase() ?? 'us-ascii'
  const line = `Subject: ${subject}`
  const octets = subtype === 'html' ? htmlDisplay(charset, line) : charsetOctets(charset, `${line}\r\n\r\n`)
  if (!octets || octets.length > LONGEST_DISPLAY) return null
  // RFC 2045 §2.7
  return encoding === '7bit' && octets.some((octet) => octet > 127) ? null : { subtype, encoding, octets }
}

/** In ASCII, whatever the charset; null for those that have another ASCII. */
function htmlDisplay(charset: string, line: string): Buffer | null {
  const escaped = line.replace(/[&<>"'\u{80}-\u{10ffff}]/gu, (char) => `&#${char.codePointAt(0)};`)
  const html = `\r\n<div class="header-protection-legacy-display"><pre>${escaped}</pre></div>\r\n`
  const octets = Buffer.from(html, 'latin1')
  return decodeCharset(charset, octets) === html ? octets : null
}

function insertionInto(body: Buffer, display: Display): Edit | null {
  return placed(body, display, (_, at, octets) => ({ start: at, end: at, text: octets }))
}

function removalFrom(body: Buffer, display: Display): Edit | null {
  return placed(body, display, (text, at, octets) => {
    const end = at + octets.length
    return text.subarray(at, end).equals(octets) ? { start: at, end, text: NOTHING } : null
  })
}

type Place = (text: Buffer, at: number, octets: Buffer) => Edit | null

/** Asks for an edit of the text, and answers with one of the encoded body. */
function placed(body: Buffer, { subtype, encoding, octets }: Display, place: Place): Edit | null {
  if (encoding === 'base64') {
    const form = body.length <= LARGEST_BASE64 ? base64Form(body) : null
    const at = form && placeIn(form.octets, subtype)
    const edit = at === null ? null : place(form!.octets, at, octets)
    return edit && { start: 0, end: body.length, text: form!.encode(edited(form!.octets, [edit])) }
  }
  if (!['7bit', '8bit', 'binary', 'quoted-printable'].includes(encoding)) return null
  // what HTML is searched for is not encoded by anybody, so it is found in quoted-printable as well
  const at = placeIn(body, subtype)
  const encoded = encoding === 'quoted-printable' ? Buffer.from(encodeQuotedPrintable(octets), 'latin1') : octets
  return at === null ? null : place(body, at, encoded)
}

const placeIn = (text: Buffer, subtype: string): number | null => (subtype === 'html' ? placeInHtml(text) : 0)

/** Octets in which the body is looked for to begin. */
const HTML_HEAD = 256 << 10
const DOCUMENT = /^\s*<(?:[!?]|html[\s>]|head[\s>])/i

/** Right inside the body; the beginning of what is a piece of a body; null where that cannot be told. */
function placeInHtml(text: Buffer): number | null {
  const head = text.toString('latin1', 0, HTML_HEAD).toLowerCase()
  for (let at = head.indexOf('<'); at >= 0; at = head.indexOf('<', at + 1)) {
    if (head.startsWith('<!--', at)) {
      at = head.indexOf('-->', at + 4)
      if (at < 0) return null
    } else if (head.startsWith('<body', at) && /[\s/>]/.test(head[at + 5] ?? '')) return tagEnd(head, at + 5)
  }
  return DOCUMENT.test(head) ? null : 0
}

/** Behind the `>` that ends the tag, none in quotes. */
function tagEnd(head: string, start: number): number | null {
  let quote = ''
  for (let at = start; at < head.length; at++) {
    const char = head[at]!
    if (quote !== '') quote = char === quote ? '' : quote
    else if (char === '"' || char === "'") quote = char
    else if (char === '>') return at + 1
  }
  return null
}
