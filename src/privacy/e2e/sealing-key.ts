/** Which key of a recipient's certificate a message is sealed to. */
import { hash } from 'node:crypto'
import {
  type Certificate,
  type EncryptionKey,
  encryptionKeysAt,
  parseCertificate,
} from '#formats/openpgp/certificate.ts'
import type { Bytes } from '#lib/bytes.ts'
import { RecentlyUsed } from '#lib/recently-used.ts'

/** It has expired or was revoked, or has no key that mail may be sealed to. Nothing was sealed. */
export class UnusableCertificate extends Error {
  override readonly name = 'UnusableCertificate'
  constructor(fingerprint: string) {
    super(`nothing can be sealed to the certificate ${fingerprint} any more`)
  }
}

export interface SealingKey {
  /** Of the certificate, upper-case hex. */
  readonly fingerprint: string
  readonly key: EncryptionKey
}

const COMMUNICATIONS = 0x04

/** The newest one for communications (RFC 9580 §5.2.3.29), else the newest. Throws UnusableCertificate, MalformedOpenPgp. */
export function sealingKey(certificate: Bytes, now: number): SealingKey {
  const known = parsedCertificate(certificate)
  const keys = encryptionKeysAt(known, now)
  const key = keys.find(({ purposes }) => (purposes & COMMUNICATIONS) !== 0) ?? keys[0]
  if (!key) throw new UnusableCertificate(known.fingerprint)
  return { fingerprint: known.fingerprint, key }
}

/** Correspondents write to the same people again; what is prepared for a key is kept with it. Octets of certificates all together. */
const parsed = new RecentlyUsed<Certificate>(500, 2 << 20)

function parsedCertificate(certificate: Bytes): Certificate {
  const name = hash('sha256', certificate, 'base64')
  const known = parsed.get(name)
  if (known) return known
  const made = parseCertificate(Buffer.from(certificate))
  parsed.set(name, made, certificate.byteLength)
  return made
}
