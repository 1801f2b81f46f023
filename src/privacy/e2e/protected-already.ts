/** Mail that its author protected: it is encrypted or signed as a whole before it comes to us. */
import { readContentFields } from '#formats/message/content-fields.ts'
import { decodePart } from '#formats/message/decode-part.ts'
import type { Header } from '#formats/message/header.ts'
import { indexMessage } from '#formats/message/mime-index.ts'
import { isEncrypted } from '#formats/pgp-mime/pgp-mime.ts'
import type { Bytes } from '#lib/bytes.ts'

export type Already = 'encrypted' | 'signed' | null

/** Labels count for nothing where encryption is concerned: what stands in the message does. */
export function protectedAlready(content: Bytes, header: Header): Already {
  const { contentType } = readContentFields(content, header)
  const { type, subtype } = contentType ?? { type: 'text', subtype: 'plain' }
  if (type === 'multipart' && subtype === 'signed') return 'signed' // RFC 3156 §5, RFC 8551 §3.5.3
  if (type === 'application' && (subtype === 'pkcs7-mime' || subtype === 'x-pkcs7-mime')) return cmsKind(content)
  const mayBeOpenPgp = (type === 'multipart' && subtype === 'encrypted') || (type === 'text' && subtype === 'plain')
  return mayBeOpenPgp && isEncrypted(content) ? 'encrypted' : null
}

/** Object identifiers of CMS content types as they stand in a ContentInfo (RFC 5652 §3). */
const SIGNED_DATA = Buffer.from('06092a864886f70d010702', 'hex')
const ENVELOPED_DATA = Buffer.from('06092a864886f70d010703', 'hex')
const AUTH_ENVELOPED_DATA = Buffer.from('060b2a864886f70d0109100117', 'hex') // RFC 5083 §2.1

const SEQUENCE = 0x30
const HEAD = 64

function cmsKind(content: Bytes): Already {
  const head = decodePart(indexMessage(content), content, HEAD)
  if (head[0] !== SEQUENCE || head.length < 2) return null
  const short = head[1]! <= 0x80
  const identifier = head.subarray(short ? 2 : 2 + (head[1]! & 0x7f))
  const names = (known: Buffer) => identifier.subarray(0, known.length).equals(known)
  if (names(ENVELOPED_DATA) || names(AUTH_ENVELOPED_DATA)) return 'encrypted'
  return names(SIGNED_DATA) ? 'signed' : null
}
