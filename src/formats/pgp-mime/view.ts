/** Puts the message together that is shown: what was added on the way, our results, then what the author wrote. */
import { claimsResults } from '#formats/message/authentication-results.ts'
import { editHeader, type Header, type HeaderField, scanHeader } from '#formats/message/header.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { withoutLegacyDisplay } from './foreign-display.ts'
import { isWholeField } from './outer-fields.ts'
import { authorIn, hasFrom, type Payload, readPayload } from './payload.ts'

export interface ViewWish {
  readonly received: Bytes
  /** The decrypted entity; null for a message that is only signed. */
  readonly payload: Bytes | null
  /** A whole Authentication-Results field with its CRLF. */
  readonly results: string
  readonly authservId: string
  /** RFC 9788 §4.4: whether the author inside may be shown in place of the one outside. */
  readonly trustsInnerFrom: boolean
}

/** RFC 9788 §1.1.1: what readers see of a header. Fields of lists and of resending are added on the way and stay. */
const USER_FACING: ReadonlySet<string> = new Set([
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'bcc',
  'date',
  'subject',
  'message-id',
  'in-reply-to',
  'references',
  'comments',
  'keywords',
  'followup-to',
  'mail-followup-to',
  'mail-reply-to',
])

/** Said by servers, so that nothing inside replaces it. */
const TRACE: ReadonlySet<string> = new Set([
  'return-path',
  'received',
  'delivered-to',
  'x-original-to',
  'received-spf',
  'authentication-results',
  'dkim-signature',
  'arc-seal',
  'arc-message-signature',
  'arc-authentication-results',
])

const isTrace = (name: string) => TRACE.has(name) || name.startsWith('resent-')
const isStructural = (name: string) => name === 'mime-version' || name.startsWith('content-')

/** The message in place of one that was decrypted. */
export function decryptedView(wish: ViewWish, payload: Bytes): Buffer {
  const received = asBuffer(wish.received)
  const outer = scanHeader(received)
  const inside = readPayload(payload)
  const showsInnerFrom = wish.trustsInnerFrom && authorIn(inside.octets, inside.header) !== null
  const inner = innerFields(inside, wish.authservId, showsInnerFrom)
  const replaced = new Set(inner.map(({ name }) => name))
  const isKept = (field: HeaderField): boolean => {
    const { name } = field
    if (name === '' || isStructural(name) || claimsResults(received, field, wish.authservId)) return false
    if (isTrace(name)) return true
    if (replaced.has(name)) return false
    return inside.protects !== 'all' || !USER_FACING.has(name) || name === 'from'
  }
  return Buffer.concat([
    ...outer.fields.filter(isKept).map((field) => wholeField(received.subarray(field.start, field.end))),
    Buffer.from(wish.results),
    ...entityOf(inside, inner),
  ])
}

interface InnerField {
  readonly name: string
  readonly octets: Buffer
}

function innerFields(inside: Payload, authservId: string, showsFrom: boolean): readonly InnerField[] {
  const { octets, header, protects } = inside
  const isShown = (field: HeaderField): boolean => {
    const { name } = field
    if (isStructural(name)) return true
    if (name === '' || protects === 'none' || (name === 'from' && !showsFrom)) return false
    if (name === 'hp-outer' && !inside.isMessage) return false
    return !claimsResults(octets, field, authservId)
  }
  return header.fields
    .filter(isShown)
    .map(({ name, start, end }) => ({ name, octets: wholeField(octets.subarray(start, end)) }))
}

const CRLF = Buffer.from('\r\n')
const MIME_VERSION = Buffer.from('MIME-Version: 1.0\r\n')
const PLAIN_TEXT = Buffer.from('Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n')

/** The header fields that it has as a message, the empty line and the body. */
function entityOf(inside: Payload, inner: readonly InnerField[]): readonly Buffer[] {
  const { octets, header, isMessage } = inside
  const fields = inner.map((field) => field.octets)
  const body = octets.subarray(header.range.end)
  if (isMessage) return [...fields, CRLF, body]
  const version = inner.some(({ name }) => name === 'mime-version') ? [] : [MIME_VERSION]
  if (inner.some(({ name }) => name === 'content-type')) {
    return [...fields, ...version, CRLF, inside.mayHaveLegacyDisplay ? withoutLegacyDisplay(octets, header) : body]
  }
  // no MIME entity: people encrypt texts as they are
  const text = header.fields.length === 0 ? body : octets
  return [MIME_VERSION, PLAIN_TEXT, CRLF, text]
}

/** The field so that it is one to everybody: every line ends with CRLF, and nothing else is taken for a line end. */
function wholeField(octets: Buffer): Buffer {
  if (isWholeField(octets)) return octets
  const text = octets.toString('latin1').replace(/\r?\n|[\r\0]/g, (found) => (found.endsWith('\n') ? '\r\n' : ' '))
  return Buffer.from(text.endsWith('\r\n') ? text : `${text}\r\n`, 'latin1')
}

/** The message that is only signed, as it came; with our results, and with the fields that its signature covers. */
export function signedView(wish: ViewWish, signed: Bytes | null): Buffer {
  const received = asBuffer(wish.received)
  const header = scanHeader(received)
  const shown = wish.trustsInnerFrom && signed ? signedFields(signed) : []
  const replaced = new Set(shown.map(({ name }) => name))
  const at = endOfTrace(header)
  const isDropped = (field: HeaderField) => replaced.has(field.name) || claimsResults(received, field, wish.authservId)
  const trace = { ...header, fields: header.fields.filter(({ start }) => start < at) }
  const rest = { ...header, fields: header.fields.filter(({ start }) => start >= at) }
  const top = editHeader(received.subarray(0, at), trace, '', isDropped)
  const added = Buffer.concat([Buffer.from(wish.results), ...shown.map(({ octets }) => octets)])
  const moved = { ...rest, fields: rest.fields.map((field) => shifted(field, at)) }
  const below = editHeader(received.subarray(at), moved, added, (field) => isDropped(shifted(field, -at)))
  return Buffer.concat([top, below])
}

const shifted = ({ name, start, end, value }: HeaderField, by: number): HeaderField => ({
  name,
  start: start - by,
  end: end - by,
  value: value - by,
})

/** RFC 9788 §4.3: what readers see of the header, when the signature covers it. */
function signedFields(signed: Bytes): readonly InnerField[] {
  const inside = readPayload(signed)
  const showsFrom = authorIn(inside.octets, inside.header) !== null
  if (inside.protects === 'none' || (hasFrom(inside.header) && !showsFrom)) return []
  return innerFields(inside, '', showsFrom).filter(({ name }) => USER_FACING.has(name))
}

/** Where the first field stands that no server wrote. */
function endOfTrace({ fields, range }: Header): number {
  const first = fields.find(({ name }) => !isTrace(name))
  return first?.start ?? fields.at(-1)?.end ?? range.start
}
