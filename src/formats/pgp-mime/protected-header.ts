/**
 * What is encrypted of a wrapped message: the message itself as a MIME entity, its header being the protected one (RFC 9788).
 *
 * Mail programs show the protected subject only when Content-Type says so, and RFC 9788 §2.2 wants a list of what stands outside.
 * So the payload is the message, every octet in its place, with two insertions that are taken out again to the octet:
 *
 *     HP-Outer: From: ...            one for each field outside, in front of the header (RFC 9788 §2.2)
 *     HP-Outer: Subject: [...]
 *     Received: ...                  the message as it came
 *     Content-Type: text/plain; charset=utf-8;
 *      protected-headers="v1"; hp="cipher"
 *
 * `protected-headers` is what Thunderbird and Mutt look for, `hp` is RFC 9788's. They stand the other way round where a legacy
 * display is in the message too (legacy-display.ts), so that it is looked for in nothing else. A message whose header cannot carry
 * that (lines that are no fields, two Content-Types, insertions like ours) is inside as message/rfc822, which is exact as well.
 */

import { scanHeader } from '#formats/message/header.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { type Form, outerFields } from './outer-fields.ts'
import { edited, TypeParameters } from './type-parameters.ts'

const HP_OUTER = Buffer.from('HP-Outer: ')
const AS_WRITTEN = new TypeParameters('protected-headers="v1"; hp="cipher"')
const WITH_DISPLAY = new TypeParameters('hp="cipher"; protected-headers="v1"')
const AS_ATTACHMENT = Buffer.from('Content-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\n')

/** The message with its header announced as the protected one, attached where its header cannot carry that. */
export function protectHeader(message: Bytes, form: Form): Buffer {
  return announced(message, form, AS_WRITTEN) ?? attached(message)
}

/** The same of a message with a legacy display in it; null where its header cannot carry that. */
export function protectDisplayed(message: Bytes, form: Form): Buffer | null {
  return announced(message, form, WITH_DISPLAY)
}

export const attached = (message: Bytes): Buffer => Buffer.concat([AS_ATTACHMENT, message])

function announced(message: Bytes, form: Form, parameters: TypeParameters): Buffer | null {
  const octets = asBuffer(message)
  const header = scanHeader(octets)
  const insertion = parameters.insertion(octets, header)
  if (!insertion || header.fields.some(({ name }) => name === 'hp-outer')) return null
  const outer = outerFields(octets, header, form).flatMap((field) => [HP_OUTER, field])
  return edited(octets, [{ start: 0, end: 0, text: Buffer.concat(outer) }, insertion])
}

export interface Unprotected {
  readonly message: Buffer
  readonly hasDisplay: boolean
}

/** The inverse, to the octet; what was not made here is answered as it is. */
export function unprotectHeader(payload: Bytes): Unprotected {
  const octets = asBuffer(payload)
  if (octets.subarray(0, AS_ATTACHMENT.length).equals(AS_ATTACHMENT))
    return { message: octets.subarray(AS_ATTACHMENT.length), hasDisplay: false }
  const { fields, range } = scanHeader(octets)
  const outer = fields.findIndex(({ name }) => name !== 'hp-outer')
  const start = fields[outer]?.start ?? 0
  if (start === 0) return { message: octets, hasDisplay: false }
  const header = { fields: fields.slice(outer), range: { start, end: range.end } }
  const written = AS_WRITTEN.removal(octets, header)
  const removal = written ?? WITH_DISPLAY.removal(octets, header)
  if (!removal) return { message: octets, hasDisplay: false }
  const message = edited(octets, [{ start: 0, end: start, text: Buffer.alloc(0) }, removal])
  return { message, hasDisplay: removal !== written }
}
