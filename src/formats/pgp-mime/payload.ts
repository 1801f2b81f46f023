/** The entity inside the protection: which of its header fields are the message's own, protected ones. */
import type { Address } from '#formats/message/address.ts'
import { certainAddresses } from '#formats/message/certain-addresses.ts'
import { type ContentType, parseContentType } from '#formats/message/content-fields.ts'
import { fieldValue, type Header, scanHeader } from '#formats/message/header.ts'
import { canonicalText } from '#formats/openpgp/canonical-text.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { originalOf } from './pgp-mime.ts'

/**
 * `all`: the header is the whole header of the message, and what it does not have the message does not have (RFC 9788, and messages
 * of ours). `some`: its fields count, others may stand outside (`protected-headers="v1"`, often for the subject alone). `none`: only
 * what MIME needs of it counts.
 */
export type HeaderProtection = 'all' | 'some' | 'none'

export interface Payload {
  /** What `header` is in. */
  readonly octets: Buffer
  readonly header: Header
  readonly protects: HeaderProtection
  /** `original`: a message as its author handed it in. `message`: a whole one too, wrapped by others. `entity`: what MIME calls so. */
  readonly form: 'original' | 'message' | 'entity'
  /** RFC 9788 §2.1.2: its program may have repeated the subject in the text for old readers. */
  readonly mayHaveDisplay: boolean
}

const LF = 10
const CR = 13
const CONTENT_TYPE_LIMIT = 16_384

export function readPayload(payload: Bytes): Payload {
  const original = originalOf(payload)
  if (original.length !== payload.length) return wholeMessage(original, 'original')
  const octets = withCrlf(asBuffer(payload))
  const header = scanHeader(octets)
  const type = contentTypeOf(octets, header)
  const parameter = (wanted: string) => type?.parameters.find(([name]) => name === wanted)?.[1]?.toLowerCase()
  // the form of RFC 8551 §3.1, as it was marked before RFC 9788
  if (type?.type === 'message' && type.subtype === 'rfc822' && parameter('forwarded') === 'no') {
    return wholeMessage(octets.subarray(header.range.end), 'message')
  }
  const hp = parameter('hp')
  const isProtected = hp === 'cipher' || hp === 'clear'
  const protects = isProtected ? 'all' : parameter('protected-headers') === 'v1' ? 'some' : 'none'
  return { octets, header, protects, form: 'entity', mayHaveDisplay: hp === 'cipher' }
}

function wholeMessage(octets: Buffer, form: Payload['form']): Payload {
  return { octets, header: scanHeader(octets), protects: 'all', form, mayHaveDisplay: false }
}

/** Text with the line ends of its writer's system becomes mail; what begins with CRLF lines stays. */
function withCrlf(octets: Buffer): Buffer {
  const first = octets.indexOf(LF)
  return first >= 0 && octets[first - 1] !== CR ? canonicalText(octets) : octets
}

function contentTypeOf(octets: Buffer, header: Header): ContentType | null {
  const field = header.fields.find(({ name }) => name === 'content-type')
  return field ? parseContentType(fieldValue(octets, field, CONTENT_TYPE_LIMIT)) : null
}

const FROM_LIMIT = 16_384

/** The one author that a header names; null when it is not exactly one. */
export function authorIn(octets: Bytes, header: Header): Address | null {
  const fields = header.fields.filter(({ name }) => name === 'from')
  const [field] = fields
  if (!field || fields.length > 1 || field.end - field.value > FROM_LIMIT) return null
  const authors = certainAddresses(fieldValue(octets, field))
  return authors?.length === 1 ? authors[0]! : null
}

export function hasFrom({ fields }: Header): boolean {
  return fields.some(({ name }) => name === 'from')
}
