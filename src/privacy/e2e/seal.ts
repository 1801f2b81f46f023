/**
 * Seals mail that leaves: signed by its author, encrypted to its recipients, in the form of PGP/MIME (RFC 3156) with the header
 * protected inside and the subject hidden outside (RFC 9788).
 *
 * The signature is over the payload and within the encryption, and names the certificates it is meant for (RFC 9580 §5.2.3.36), so
 * that a recipient cannot send it on as if its author had. Where the recipient's certificate cannot be looked up yet, the message is
 * sealed to nobody under a session key that is kept apart, and addressed later, when only the certificate is wanted.
 *
 * Promises: nothing is sealed to a certificate that has expired or was revoked; a message that cannot be sealed to all of its recipients
 * is sealed to none; large messages are sealed in a thread of their own, so that nobody waits for them. Must never: hold a secret key
 * (`sign` asks the vault), or hand out anything of a message whose signing failed.
 */
import { MalformedOpenPgp } from '#formats/openpgp/openpgp.ts'
import { payloadOf } from '#formats/pgp-mime/pgp-mime.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { systemClock } from '#lib/clock.ts'
import { addressForm, openForm, type Recipients, type SealedForm, sealPayload } from './sealed-form.ts'
import { sealingKey } from './sealing-key.ts'

/** Makes signature packets over the payload, meant for these certificates: fingerprints in upper-case hex, empty for anybody. */
export type SignPayload = (payload: Bytes, recipients: readonly string[]) => Promise<Bytes>

export interface SealWish {
  /** Of every recipient, binary; at least one. */
  readonly certificates: readonly Bytes[]
  /** null: it is not signed. */
  readonly sign: SignPayload | null
  /** Milliseconds since the epoch; the system's time when left out. What has expired by then is refused. */
  readonly now?: number
}

/** What takes longer than a few milliseconds is done apart. */
const LARGE_OCTETS = 1 << 20

const apart = () => import('./seal-apart.ts')

/**
 * The message as it leaves. It must have no Bcc field any more, nor fields of ours that say how to send it. Throws UnusableCertificate,
 * MalformedOpenPgp, Busy when too many large messages wait, and what `sign` throws.
 */
export async function sealMessage(message: Bytes, wish: SealWish): Promise<Buffer> {
  const { certificates, sign, now = systemClock.now() } = wish
  if (certificates.length === 0) throw new MalformedOpenPgp('nobody to seal to')
  const { content, sessionKey } = await sealed(message, sign, { certificates, now })
  wipe(sessionKey)
  return content
}

/**
 * The message sealed to nobody, and the session key in the form of encodeSessionKey, which opens it: to be kept as a secret, and wiped.
 * Throws as sealMessage does.
 */
export function sealForLater(message: Bytes, sign: SignPayload | null): Promise<SealedForm> {
  return sealed(message, sign, null)
}

async function sealed(message: Bytes, sign: SignPayload | null, to: Recipients | null): Promise<SealedForm> {
  const intended = to ? to.certificates.map((certificate) => sealingKey(certificate, to.now).fingerprint) : []
  const signed = sign && ((payload: Bytes) => sign(payload, intended))
  if (message.byteLength > LARGE_OCTETS) return (await apart()).sealApart(message, signed, to)
  const payload = payloadOf(message, 'travel')
  try {
    const signature = signed && (await signed(payload))
    return sealPayload({ message, payload, signature, to })
  } finally {
    wipe(payload)
  }
}

/**
 * What `sealForLater` made, now for these: the same container with the session key for each in front of it; all other octets, trace
 * fields too, stay. Throws UnusableCertificate, MalformedOpenPgp, Busy.
 */
export async function addressSealed(
  content: Bytes,
  sessionKey: Bytes,
  certificates: readonly Bytes[],
  now: number = systemClock.now(),
): Promise<Buffer> {
  if (content.byteLength <= LARGE_OCTETS) return addressForm(content, sessionKey, { certificates, now })
  for (const certificate of certificates) sealingKey(certificate, now)
  return (await apart()).addressApart(content, sessionKey, { certificates, now })
}

/**
 * The message that `sealForLater` took, for a policy that lets it leave in clear, with the trace fields that were put in front of it
 * since. Throws what says that it cannot be opened, and Busy.
 */
export async function openLater(content: Bytes, sessionKey: Bytes): Promise<Buffer> {
  if (content.byteLength <= LARGE_OCTETS) return openForm(content, sessionKey)
  return (await apart()).openApart(content, sessionKey)
}
