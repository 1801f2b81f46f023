/** Puts the message together that is shown: what was added on the way, our results, then what the author wrote. */
import { claimsResults } from '#formats/message/authentication-results.ts'
import { type HeaderField, scanHeader } from '#formats/message/header.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { withoutForeignDisplay } from './foreign-display.ts'
import { isWholeField } from './outer-fields.ts'
import { authorIn, hasFrom, type Payload, readPayload } from './payload.ts'
import { isStructural, isTrace, USER_FACING } from './view-fields.ts'

export interface ViewWish {
  readonly received: Bytes
  /** The decrypted entity; null for a message that is only signed. */
  readonly payload: Bytes | null
  /** The payload, when it has been read already. */
  readonly read?: Payload | null
  /** A whole Authentication-Results field with its CRLF. */
  readonly results: string
  readonly authservId: string
  /** RFC 9788 §4.4: whether the author inside may be shown in place of the one outside. */
  readonly trustsInnerFrom: boolean
}

/**
 * The message in place of one that was decrypted. Outer fields go when the author has such a field inside, and those that readers see
 * go too when the header inside is all of the message's header; a message never loses its From by that.
 */
export function decryptedView(wish: ViewWish, payload: Bytes): Buffer {
  const received = asBuffer(wish.received)
  const inside = wish.read ?? readPayload(payload)
  const inner = innerFields(inside, wish.authservId, wish.trustsInnerFrom)
  const replaced = new Set(inner.map(({ name }) => name))
  const isKept = (field: HeaderField): boolean => {
    const { name } = field
    if (name === '' || isStructural(name) || claimsResults(received, field, wish.authservId)) return false
    if (isTrace(name)) return true
    if (replaced.has(name)) return false
    return inside.protects !== 'all' || !USER_FACING.has(name) || name === 'from'
  }
  const outer = scanHeader(received).fields.filter(isKept)
  return Buffer.concat([
    ...outer.map(({ start, end }) => wholeField(received.subarray(start, end))),
    Buffer.from(wish.results),
    ...entityOf(inside, inner),
  ])
}

interface InnerField {
  readonly name: string
  readonly octets: Buffer
}

/** Those that are shown. A From that names nobody for certain is not shown in place of the one outside. */
function innerFields(inside: Payload, authservId: string, trustsFrom: boolean): readonly InnerField[] {
  const { octets, header, protects, form } = inside
  const showsFrom = trustsFrom && authorIn(octets, header) !== null
  const isShown = (field: HeaderField): boolean => {
    const { name } = field
    if (isStructural(name)) return true
    if (name === '' || protects === 'none' || (name === 'from' && !showsFrom)) return false
    // RFC 9788 §2.2: it is for the reader's program, not for the reader
    if (name === 'hp-outer' && form !== 'original') return false
    return !claimsResults(octets, field, authservId)
  }
  const shown = header.fields.filter(isShown)
  return shown.map(({ name, start, end }) => ({ name, octets: wholeField(octets.subarray(start, end)) }))
}

const CRLF = Buffer.from('\r\n')
const MIME_VERSION = Buffer.from('MIME-Version: 1.0\r\n')
const PLAIN_TEXT = Buffer.from('Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n')

/** The fields that it has as a message, the empty line and the body. */
function entityOf(inside: Payload, inner: readonly InnerField[]): readonly Buffer[] {
  const { octets, header, form } = inside
  const fields = inner.map((field) => field.octets)
  const body = octets.subarray(header.range.end)
  if (form !== 'entity') return [...fields, CRLF, body]
  if (inner.some(({ name }) => name === 'content-type')) {
    const version = inner.some(({ name }) => name === 'mime-version') ? [] : [MIME_VERSION]
    return [...fields, ...version, CRLF, inside.mayHaveDisplay ? withoutForeignDisplay(octets, header) : body]
  }
  // no MIME entity: people encrypt texts as they are
  return [MIME_VERSION, PLAIN_TEXT, CRLF, header.fields.length === 0 ? body : octets]
}

/** The field so that it is one to everybody: every line ends with CRLF, and nothing else is taken for a line end. */
function wholeField(octets: Buffer): Buffer {
  if (isWholeField(octets)) return octets
  const text = octets.toString('latin1').replace(/\r?\n|[\r\0]/g, (found) => (found.endsWith('\n') ? '\r\n' : ' '))
  return Buffer.from(text.endsWith('\r\n') ? text : `${text}\r\n`, 'latin1')
}

/**
 * The message that is only signed, as it came, with our results behind the fields that servers put in front. When its author is
 * believed, then fields that readers see are those that the signature covers (RFC 9788 §4.5), and where it covers the whole header
 * (`hp="clear"`) there are no others: what was added outside, a Reply-To for instance, would be taken for the author's.
 */
export function signedView(wish: ViewWish, signed: Bytes | null): Buffer {
  const received = asBuffer(wish.received)
  const { fields, range } = scanHeader(received)
  const { covered, isWhole } = wish.trustsInnerFrom && signed ? coveredFields(signed) : NOTHING_COVERED
  const replaced = new Set(covered.map(({ name }) => name))
  const kept = fields.filter((field) => {
    const { name } = field
    if (name === '' || replaced.has(name) || (isWhole && USER_FACING.has(name) && name !== 'from')) return false
    return !claimsResults(received, field, wish.authservId)
  })
  const octetsOf = ({ start, end }: HeaderField) => received.subarray(start, end)
  const own = kept.findIndex(({ name }) => !isTrace(name))
  const traces = own < 0 ? kept.length : own
  return Buffer.concat([
    ...kept.slice(0, traces).map(octetsOf),
    Buffer.from(wish.results),
    ...covered.map(({ octets }) => octets),
    ...kept.slice(traces).map(octetsOf),
    received.subarray(fields.at(-1)?.end ?? range.start),
  ])
}

interface Covered {
  readonly covered: readonly InnerField[]
  /** Of those that readers see there are no others. */
  readonly isWhole: boolean
}

const NOTHING_COVERED: Covered = { covered: [], isWhole: false }

function coveredFields(signed: Bytes): Covered {
  const inside = readPayload(signed)
  if (inside.form !== 'entity' || inside.protects === 'none') return NOTHING_COVERED
  const { octets, header } = inside
  if (hasFrom(header) && authorIn(octets, header) === null) return NOTHING_COVERED
  const covered = innerFields(inside, '', true).filter(({ name }) => USER_FACING.has(name))
  return { covered, isWhole: inside.protects === 'all' }
}
