/** Messages as OpenPGP programs of others make them, with keys of people who are always the same during one run. */
import { armor } from '#formats/openpgp/armor.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { type GeneratedKeys, generateKeys } from '#formats/openpgp/generate.ts'
import { signedFrame } from '#formats/openpgp/one-pass.ts'
import { literalHead, sealPackets } from '#formats/openpgp/seal.ts'
import { openSecretKeys } from '#formats/openpgp/secret-key.ts'
import type { SessionKey } from '#formats/openpgp/session-key.ts'
import { type DetachedWish, signDetached } from '#formats/openpgp/sign.ts'
import type { Bytes } from '#lib/bytes.ts'

export interface Person extends GeneratedKeys {
  readonly fingerprint: string
}

export const KEYS_MADE = 1_700_000_000_000
export const SIGNED = KEYS_MADE + 86_400_000

export async function person(userId: string, created = KEYS_MADE): Promise<Person> {
  const keys = await generateKeys({ userId, algorithm: 'curve25519', created: new Date(created) })
  return { ...keys, fingerprint: parseCertificate(keys.certificate).fingerprint }
}

/** A signature packet. */
export function signatureBy(signer: Person, content: Bytes, created = SIGNED, wish: DetachedWish = {}): Buffer {
  return signDetached(openSecretKeys(signer.secret), content, created, wish)
}

export const crlf = (...all: readonly string[]): Buffer => Buffer.from(`${all.join('\r\n')}\r\n`)

const LINE = { lineEnd: '\r\n' } as const

/** RFC 3156 §4 around an OpenPGP message for `reader`; `signatures` are packets. */
export function encryptedMessage(
  outer: readonly string[],
  payload: Bytes,
  reader: Person,
  signatures: Bytes = Buffer.alloc(0),
): { readonly message: Buffer; readonly sessionKey: SessionKey } {
  const frame =
    signatures.length > 0
      ? signedFrame(signatures, payload.length, 'b')
      : { head: literalHead(payload.length), tail: Buffer.alloc(0) }
  const { message, sessionKey } = sealPackets(parseCertificate(reader.certificate).encryptionKeys, {
    ...frame,
    content: payload,
  })
  const lines = [
    ...outer,
    'MIME-Version: 1.0',
    'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="foo"',
    '',
    '--foo',
    'Content-Type: application/pgp-encrypted',
    '',
    'Version: 1',
    '',
    '--foo',
    'Content-Type: application/octet-stream',
    '',
    armor('MESSAGE', message, LINE),
    '--foo--',
  ]
  return { message: crlf(...lines), sessionKey }
}

/** RFC 3156 §5 around the exact octets of an entity. */
export function signedEntity(fields: readonly string[], entity: Bytes, signatures: Bytes): Buffer {
  const head = crlf(
    ...fields,
    'Content-Type: multipart/signed; micalg=pgp-sha256; protocol="application/pgp-signature"; boundary="bar"',
    '',
    '--bar',
  )
  const tail = crlf(
    '',
    '--bar',
    'Content-Type: application/pgp-signature; name="signature.asc"',
    '',
    armor('SIGNATURE', signatures, LINE),
    '--bar--',
  )
  return Buffer.concat([head, entity, tail])
}
