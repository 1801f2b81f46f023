/** The steps of sealing, each in one go: seal.ts takes them here for ordinary mail and in a thread (seal-thread.ts) for large one. */
import { scanHeader } from '#formats/message/header.ts'
import { signedFrame } from '#formats/openpgp/one-pass.ts'
import { MalformedOpenPgp } from '#formats/openpgp/openpgp.ts'
import { writePkesk } from '#formats/openpgp/pkesk.ts'
import { sealPackets } from '#formats/openpgp/seal.ts'
import { decodeSessionKey, encodeSessionKey, type SessionKey } from '#formats/openpgp/session-key.ts'
import { unseal } from '#formats/openpgp/unseal.ts'
import { originalOf, unwrapEncrypted, withMessage, wrapEncrypted } from '#formats/pgp-mime/pgp-mime.ts'
import { asBuffer, type Bytes, wipe } from '#lib/bytes.ts'
import { randomOctets } from '#lib/random.ts'
import { sealingKey } from './sealing-key.ts'

/** `now` in milliseconds since the epoch: what has expired by then is no recipient. */
export interface Recipients {
  readonly certificates: readonly Bytes[]
  readonly now: number
}

export interface PayloadToSeal {
  readonly message: Bytes
  /** `payloadOf(message, 'travel')` */
  readonly payload: Bytes
  /** Signature packets over the payload; null for none. */
  readonly signature: Bytes | null
  /** At least one; null for nobody yet. */
  readonly to: Recipients | null
}

export interface SealedForm {
  readonly content: Buffer
  /** As encodeSessionKey makes it; the caller's to wipe. */
  readonly sessionKey: Bytes
}

/** RFC 9580 §9.3: AES-128, in a container of version 1, is read by everybody. */
const FOR_ANYBODY = { cipher: 7, octets: 16 }

/** Throws UnusableCertificate, MalformedOpenPgp. */
export function sealPayload({ message, payload, signature, to }: PayloadToSeal): SealedForm {
  const keys = to ? to.certificates.map((certificate) => sealingKey(certificate, to.now).key) : []
  const frame = signedFrame(signature ?? Buffer.alloc(0), payload.length, 'b')
  const sessionKey = to ? {} : { sessionKey: freshForAnybody() }
  const sealed = sealPackets(keys, { head: frame.head, content: payload, tail: frame.tail }, sessionKey)
  const encoded = encodeSessionKey(sealed.sessionKey)
  wipe(sealed.sessionKey.key)
  return { content: wrapEncrypted(message, sealed.message, 'travel'), sessionKey: encoded }
}

function freshForAnybody(): SessionKey {
  return { cipher: FOR_ANYBODY.cipher, key: randomOctets(FOR_ANYBODY.octets) }
}

/** What was sealed to nobody, with the packets in front that give its session key to these. Throws UnusableCertificate, MalformedOpenPgp. */
export function addressForm(content: Bytes, sessionKey: Bytes, { certificates, now }: Recipients): Buffer {
  const key = decodeSessionKey(sessionKey)
  const pkesks = certificates.map((certificate) => writePkesk(sealingKey(certificate, now).key, key, 3))
  return withMessage(content, Buffer.concat([...pkesks, messageIn(content)]))
}

/** The message as it was written, below the trace fields that were put in front since. Throws IntegrityError, MalformedOpenPgp. */
export function openForm(content: Bytes, sessionKey: Bytes): Buffer {
  const original = originalOf(unseal(messageIn(content), decodeSessionKey(sessionKey)))
  const { fields } = scanHeader(content)
  const trace = fields.findIndex(({ name }) => name !== 'received')
  return Buffer.concat([asBuffer(content).subarray(0, fields[trace]?.start ?? 0), original])
}

function messageIn(content: Bytes): Buffer {
  const message = unwrapEncrypted(content)
  if (!message) throw new MalformedOpenPgp('not a sealed message')
  return message
}
