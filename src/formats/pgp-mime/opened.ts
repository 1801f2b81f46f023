/**
 * The incoming half of PGP/MIME (RFC 3156): what a message that its sender encrypted or signed says, whose it claims to be, and the
 * message that is shown in its place.
 *
 * Promises: only the root of a message counts as its protection (RFC 9787 §4.5); signatures are handed out with the exact octets that
 * they are over; what is shown has one author, and nothing from inside stands in front of what was received or of our own results.
 * Must never: judge a signature (judge.ts does), or recurse over what somebody sent.
 */
import { type Address, formatAddress, parseAddress, sameAddress } from '#formats/message/address.ts'
import { decodePart } from '#formats/message/decode-part.ts'
import { scanHeader } from '#formats/message/header.ts'
import { indexMessage } from '#formats/message/mime-index.ts'
import { sealedKind } from '#formats/message/sealed-kind.ts'
import { dearmor, isArmored } from '#formats/openpgp/armor.ts'
import { signatureBodies } from '#formats/openpgp/cleartext.ts'
import { MalformedOpenPgp } from '#formats/openpgp/openpgp.ts'
import type { SessionKey } from '#formats/openpgp/session-key.ts'
import { unsealSigned } from '#formats/openpgp/unseal.ts'
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { authorIn, hasFrom, type Payload, readPayload } from './payload.ts'
import { unwrapEncrypted } from './pgp-mime.ts'
import type { SignatureVerdict } from './protection.ts'
import { decryptedView, signedView, type ViewWish } from './view.ts'

export interface OpenedLayer {
  /** The MIME entity that was protected. */
  readonly payload: Bytes
  /** Bodies of signature packets; nobody has judged them. */
  readonly signatures: readonly Bytes[]
  /** What the signatures are over. */
  readonly signed: Bytes
}

/**
 * Opens a message of the kind `encrypted`. When nothing inside is signed in one pass but the entity is a multipart/signed, then that
 * one's signatures count (RFC 3156 §6.1). Throws MalformedOpenPgp, IntegrityError.
 */
export function openEncrypted(received: Bytes, sessionKey: SessionKey): OpenedLayer {
  const sealed = unwrapEncrypted(received)
  if (!sealed) throw new MalformedOpenPgp('not a PGP/MIME encrypted message')
  return openUnwrapped(sealed, sessionKey)
}

/** What compression may make of a message: texts shrink to a tenth, a flood of zeros to a thousandth, and what is opened is kept. */
const EXPANSION = 40
const EXPANSION_ALWAYS = 1 << 20

/** The same for the OpenPGP message in it, which `unwrapEncrypted` gives. */
export function openUnwrapped(sealed: Bytes, sessionKey: SessionKey): OpenedLayer {
  const largest = EXPANSION_ALWAYS + EXPANSION * sealed.byteLength
  const { content, signatures } = unsealSigned(sealed, sessionKey, largest)
  const inside = signatures.length === 0 ? signedIn(content) : null
  if (inside) return { payload: inside.signed, signatures: inside.signatures, signed: inside.signed }
  return { payload: content, signatures, signed: content }
}

/** What an entity whose root is multipart/signed holds (RFC 3156 §5): the exact octets of its first part, and the signatures. */
export function signedIn(entity: Bytes): { signed: Bytes; signatures: readonly Bytes[] } | null {
  const root = indexMessage(entity)
  const [first, second] = root.children
  if (sealedKind(root) !== 'signed' || !first || !second) return null
  if (second.type !== 'application' || second.subtype !== 'pgp-signature') return null
  const signed = asBuffer(entity).subarray(first.header.start, first.body.end)
  return { signed, signatures: signaturesIn(decodePart(second, entity)) }
}

/** What is no signature packet stays one that holds for nobody: a message with a broken signature is not one without. */
function signaturesIn(octets: Bytes): readonly Bytes[] {
  try {
    return signatureBodies(isArmored(octets) ? signatureArmor(octets) : octets)
  } catch (error) {
    if (error instanceof MalformedOpenPgp) return [octets]
    throw error
  }
}

function signatureArmor(octets: Bytes): Bytes {
  const { label, octets: found } = dearmor(octets)
  if (label !== 'SIGNATURE') throw new MalformedOpenPgp('not a signature')
  return found
}

export interface Authors {
  /** In the protected header; null when there is no such header, or not exactly one author in it. */
  readonly inner: string | null
  readonly outer: string | null
  /** Whom a signature must be by: the author inside where one is named there, else the one outside. */
  readonly author: string | null
}

/**
 * Addresses as `local@domain`; null: the header does not name exactly one author. `payload`: null for a message that is only signed.
 * `read`: the payload, when it has been read already.
 */
export function authorsOf(received: Bytes, payload: Bytes | null, read: Payload | null = null): Authors {
  const entity = payload ?? signedIn(received)?.signed ?? null
  const inside = read ?? (entity && readPayload(entity))
  const outer = spelled(authorIn(received, scanHeader(received)))
  if (!inside || inside.protects === 'none' || !hasFrom(inside.header)) return { inner: null, outer, author: outer }
  const inner = spelled(authorIn(inside.octets, inside.header))
  return { inner, outer, author: inner }
}

const spelled = (address: Address | null) => address && formatAddress(address)

/** RFC 9788 §4.4: the author inside is shown when a signature says that it is them, or when outside it says the same. */
export function trustsInnerFrom({ inner, outer }: Authors, signature: SignatureVerdict): boolean {
  if (signature.kind === 'good' || inner === null) return true
  const [one, other] = [parseAddress(inner), outer === null ? null : parseAddress(outer)]
  return one !== null && other !== null && sameAddress(one, other)
}

/** The message to show in place of the received one: trace fields, our results, what the author wrote. Never throws. */
export function openedView(wish: ViewWish): Buffer {
  if (wish.payload !== null) return decryptedView(wish, wish.payload)
  return signedView(wish, signedIn(wish.received)?.signed ?? null)
}
