/** Composes the messages that we write ourselves: header fields, text, attached messages, multiparts. 7bit wherever that is possible. */
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { formatField } from './header.ts'
import { encodeQuotedPrintable } from './transfer-encoding.ts'

export type Field = readonly [name: string, value: string]

/** One MIME entity: its Content- fields and its body, as it stands in the message. */
export interface ComposedPart {
  readonly fields: readonly Field[]
  readonly body: readonly Bytes[]
}

/** The whole message. Fields must be ASCII or, for SMTPUTF8, UTF-8. Throws UnsafeField for line ends in a field. */
export function composeMessage(fields: readonly Field[], part: ComposedPart): Buffer {
  const header = [...fields, ['MIME-Version', '1.0'] as const, ...part.fields]
  return Buffer.concat([formatFields(header), ...part.body])
}

/** text/plain of lines that end with LF or CRLF. */
export function textPart(text: string): ComposedPart {
  return encodedText('text/plain', Buffer.from(`${text.trimEnd()}\n`.replace(/\r?\n/g, '\r\n')))
}

/** Text octets with CRLF line ends under their own type, quoted-printable where they are not plain ASCII in short lines. */
export function encodedText(type: string, octets: Bytes): ComposedPart {
  const ascii = isAscii(octets)
  const contentType: Field = ['Content-Type', type.startsWith('text/plain') ? `${type}; charset=utf-8` : type]
  if (ascii && hasShortLines(octets, 78))
    return { fields: [contentType, ['Content-Transfer-Encoding', '7bit']], body: [octets] }
  const encoded = Buffer.from(encodeQuotedPrintable(octets))
  return { fields: [contentType, ['Content-Transfer-Encoding', 'quoted-printable']], body: [encoded] }
}

/** Octets that may not be encoded (RFC 2046 §5.2.1), such as a whole message. */
export function exactPart(type: string, octets: Bytes): ComposedPart {
  const encoding = isAscii(octets) ? '7bit' : '8bit'
  return {
    fields: [
      ['Content-Type', type],
      ['Content-Transfer-Encoding', encoding],
    ],
    body: [octets],
  }
}

/** `type` may carry parameters; the boundary is the caller's random text and must not stand in any part. */
export function multipart(type: string, parts: readonly ComposedPart[], boundary: string): ComposedPart {
  const body: Bytes[] = []
  for (const part of parts) {
    body.push(Buffer.from(`--${boundary}\r\n`), formatFields(part.fields), ...part.body, CRLF)
  }
  body.push(Buffer.from(`--${boundary}--\r\n`))
  const eightBit = parts.some(({ fields }) => fields.some(([, value]) => value === '8bit'))
  const fields: Field[] = [['Content-Type', `${type}; boundary="${boundary}"`]]
  // RFC 2045 §6.4: a multipart says 8bit when a part in it is.
  if (eightBit) fields.push(['Content-Transfer-Encoding', '8bit'])
  return { fields, body }
}

const CRLF = Buffer.from('\r\n')

function formatFields(fields: readonly Field[]): Buffer {
  return Buffer.from(`${fields.map(([name, value]) => formatField(name, value)).join('')}\r\n`)
}

function isAscii(octets: Bytes): boolean {
  return /^[\x01-\x7f]*$/.test(asBuffer(octets).toString('latin1'))
}

function hasShortLines(octets: Bytes, limit: number): boolean {
  return asBuffer(octets)
    .toString('latin1')
    .split('\r\n')
    .every((line) => line.length <= limit)
}
