/**
 * PGP/MIME (RFC 3156): how an OpenPGP message travels and rests as a mail message that mail programs open by themselves, with
 * the header protected inside (RFC 9788).
 *
 * `payloadOf` says what to encrypt of a message, `wrapEncrypted` makes the message around the result, `unwrapEncrypted` takes
 * the OpenPGP message out again, `originalOf` gives the message back from the decrypted payload, to the octet. Two forms: `device`
 * for what rests, `travel` for what goes to others.
 *
 * Promises: nothing of the message but a few fields for listing and threading is outside; for every octets an answer, never an
 * exception; the same octets always make the same message. Must never: encrypt, decrypt, or change an octet of the original.
 */

import { decodePart } from '#formats/message/decode-part.ts'
import { scanHeader } from '#formats/message/header.ts'
import { indexMessage, type MimePart } from '#formats/message/mime-index.ts'
import { armorOctets, dearmor } from '#formats/openpgp/armor.ts'
import { MalformedOpenPgp } from '#formats/openpgp/openpgp.ts'
import { splitMessage } from '#formats/openpgp/unseal.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { withDisplay, withoutDisplay } from './legacy-display.ts'
import { type Form, outerFields } from './outer-fields.ts'
import { attached, protectDisplayed, protectHeader, unprotectHeader } from './protected-header.ts'
import { edited } from './type-parameters.ts'

/** No line of armor begins with `--=`, so this stands in no part. */
const BOUNDARY = '=_sealed'

const HEAD = Buffer.from(
  [
    'MIME-Version: 1.0',
    'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted";',
    ` boundary="${BOUNDARY}"`,
    '',
    `--${BOUNDARY}`,
    'Content-Type: application/pgp-encrypted',
    'Content-Description: PGP/MIME version identification',
    '',
    'Version: 1',
    '',
    `--${BOUNDARY}`,
    'Content-Type: application/octet-stream; name="encrypted.asc"',
    'Content-Description: OpenPGP encrypted message',
    'Content-Disposition: inline; filename="encrypted.asc"',
    '',
    '',
  ].join('\r\n'),
)

const TAIL = Buffer.from(`\r\n--${BOUNDARY}--\r\n`)

/**
 * What to encrypt of a message: the message itself, its header announced as the protected one, so that mail programs show it; see
 * protected-header.ts for the form. What travels also has the subject in its text, for programs that know no protected headers; a
 * Bcc field must not be in it.
 */
export function payloadOf(message: Bytes, form: Form = 'device'): Buffer {
  if (form === 'device') return protectHeader(message, form)
  return displayedPayload(message) ?? exactly(message, protectHeader(message, form)) ?? attached(message)
}

function displayedPayload(message: Bytes): Buffer | null {
  const displayed = withDisplay(asBuffer(message))
  const payload = displayed && protectDisplayed(displayed, 'travel')
  displayed?.fill(0)
  return payload && exactly(message, payload)
}

/** The payload, unless it would give another message back. */
function exactly(message: Bytes, payload: Buffer): Buffer | null {
  const original = originalOf(payload)
  const isExact = original.equals(message)
  if (original.buffer !== payload.buffer) original.fill(0)
  if (!isExact) payload.fill(0)
  return isExact ? payload : null
}

/** The message whose payload this is, to the octet; payloads that others made are answered as they are. */
export function originalOf(payload: Bytes): Buffer {
  const { message, hasDisplay } = unprotectHeader(payload)
  return hasDisplay ? withoutDisplay(message) : message
}

/**
 * The message that stands for `message` outside: its fields for listing and threading, and `sealed`, which is the binary OpenPGP
 * message made of `payloadOf(message, form)`. Lines end with CRLF and those we write are short.
 */
export function wrapEncrypted(message: Bytes, sealed: Bytes, form: Form = 'device'): Buffer {
  const fields = outerFields(message, scanHeader(message), form)
  return Buffer.concat([...fields, HEAD, armored(sealed), TAIL])
}

const armored = (sealed: Bytes): Buffer => armorOctets('MESSAGE', sealed, { lineEnd: '\r\n' })

/** The wrapped message with another OpenPGP message in it, everything else as it is. Throws MalformedOpenPgp for what is none. */
export function withMessage(wrapped: Bytes, sealed: Bytes): Buffer {
  const content = encryptedPart(indexMessage(wrapped), wrapped)
  if (content?.encoding !== '7bit') throw new MalformedOpenPgp('not a PGP/MIME message')
  const { start, end } = content.body
  return edited(asBuffer(wrapped), [{ start, end, text: armored(sealed) }])
}

/** The binary OpenPGP message when all of the message is one PGP/MIME encrypted part, else null. */
export function unwrapEncrypted(message: Bytes): Buffer | null {
  const content = encryptedPart(indexMessage(message), message)
  return content && messageIn(decodePart(content, message))
}

/** Text around the parts, such as Enigmail's line for programs that do not know the type. */
const MOST_AROUND = 1024

/** RFC 3156 §4: exactly two parts, the first of which says the version. */
function encryptedPart(root: MimePart, message: Bytes): MimePart | null {
  const protocol = root.parameters.find(([name]) => name === 'protocol')?.[1]
  if (root.type !== 'multipart' || root.subtype !== 'encrypted') return null
  if (protocol?.toLowerCase() !== 'application/pgp-encrypted' || root.children.length !== 2) return null
  const [version, content] = root.children as [MimePart, MimePart]
  if (version.type !== 'application' || version.subtype !== 'pgp-encrypted') return null
  if (!/^Version: *1\s*$/i.test(decodePart(version, message, MOST_AROUND).toString('latin1').trim())) return null
  const around = version.header.start - root.body.start + (root.body.end - content.body.end)
  return around <= MOST_AROUND && content.children.length === 0 ? content : null
}

/** RFC 9580 §6.2: what is only signed or compressed has the same label. */
function messageIn(octets: Bytes): Buffer | null {
  try {
    const { label, octets: found } = dearmor(octets)
    if (label !== 'MESSAGE') return null
    splitMessage(found)
    return found
  } catch (error) {
    if (error instanceof MalformedOpenPgp) return null
    throw error
  }
}

const BEGIN = '-----BEGIN PGP MESSAGE-----'
const END = '-----END PGP MESSAGE-----'

/**
 * The binary OpenPGP message, when all of the message's content is encrypted already: PGP/MIME, or a text that is nothing but an
 * armored message; else null. For whom it is encrypted, and whether it can be decrypted, is another question.
 */
export function encryptedIn(message: Bytes): Buffer | null {
  const root = indexMessage(message)
  if (root.type === 'multipart') {
    const content = encryptedPart(root, message)
    return content && messageIn(decodePart(content, message))
  }
  if (root.type !== 'text' || root.subtype !== 'plain') return null
  // most messages end here, before all of them is decoded
  if (!decodePart(root, message, MOST_AROUND).toString('latin1').trimStart().startsWith(BEGIN)) return null
  const text = decodePart(root, message).toString('latin1').trim()
  const isWhole = text.indexOf(END) === text.length - END.length
  return isWhole ? messageIn(Buffer.from(text, 'latin1')) : null
}

export function isEncrypted(message: Bytes): boolean {
  return encryptedIn(message) !== null
}
