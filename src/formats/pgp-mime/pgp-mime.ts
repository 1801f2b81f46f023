/**
 * PGP/MIME (RFC 3156): how an OpenPGP message travels and rests as a mail message that mail programs open by themselves, with
 * the header protected inside (RFC 9788).
 *
 * `payloadOf` says what to encrypt of a message, `wrapEncrypted` makes the message around the result, `unwrapEncrypted` takes
 * the OpenPGP message out again, `originalOf` gives the message back from the decrypted payload, to the octet.
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
import type { Bytes } from '#lib/bytes.ts'
import { outerFields } from './outer-fields.ts'
import { protectHeader, unprotectHeader } from './protected-header.ts'

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
 * What to encrypt of a message: the message itself, its header announced as the protected one, so that mail programs show it. See
 * protected-header.ts for the form.
 */
export function payloadOf(message: Bytes): Buffer {
  return protectHeader(message)
}

/** The message whose payload this is, to the octet; payloads that others made are answered as they are. */
export function originalOf(payload: Bytes): Buffer {
  return unprotectHeader(payload)
}

/**
 * The message that stands for `message` outside: its fields for listing and threading, and `sealed`, which is the binary OpenPGP
 * message made of `payloadOf(message)`. Lines end with CRLF and those we write are short.
 */
export function wrapEncrypted(message: Bytes, sealed: Bytes): Buffer {
  const fields = outerFields(message, scanHeader(message))
  return Buffer.concat([...fields, HEAD, armorOctets('MESSAGE', sealed, { lineEnd: '\r\n' }), TAIL])
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
