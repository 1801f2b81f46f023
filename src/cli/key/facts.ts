/** What is told of an account's certificates, and in which words. */
import { usableUntil } from '#agents/notices/expiry-watch.ts'
import type { Account, StoredCertificate } from '#custody/accounts/directory.ts'
import { readCustody } from '#custody/keyring/custody-modes.ts'
import type { CustodyFacts, CustodyMode } from '#custody/keyring/key-wishes.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { type PublicMaterial, parsePublicKey } from '#formats/openpgp/key-packet.ts'
import { bitLength } from '#formats/openpgp/octet-reader.ts'
import { PacketType } from '#formats/openpgp/openpgp.ts'
import { readPackets } from '#formats/openpgp/packets.ts'
import { day } from '../output.ts'
import type { Premises } from '../premises.ts'

export const CUSTODY_WORDS: Readonly<Record<CustodyMode, string>> = {
  none: 'no key yet: mail is put off until there is one',
  managed: 'managed: the provider made the key; it is locked here, and the password opens it',
  own: 'own: the owner brought the key; it is locked here, and the password opens it',
  device: 'device: only the owner has the key; the content of what arrives cannot be read here',
}

export interface KeyFacts {
  readonly fingerprint: string
  /** Such as `Ed25519, X25519` or `RSA 3072`: of the primary key, then of what is encrypted to. */
  readonly algorithm: string
  readonly userIds: readonly string[]
  readonly use: 'both' | 'rest' | 'end-to-end' | 'reading'
  readonly custody: 'managed' | 'own' | 'device'
  readonly current: boolean
  readonly endToEnd: boolean
  readonly revoked: boolean
  readonly since: string
  /** null for never. */
  readonly expires: string | null
  /** In milliseconds since the epoch. */
  readonly expiresAt: number | null
  readonly octets: Uint8Array
}

/** Newest first. */
export async function keyFacts(premises: Premises, account: Account) {
  const custody = await readCustody(premises.config.data, account.id)
  const certificates = await (await premises.directory()).certificates(account.id)
  return { custody, keys: certificates.map((one) => factsOf(one, custody)) }
}

function factsOf(stored: StoredCertificate, { brought }: CustodyFacts): KeyFacts {
  const { fingerprint, certificate, current, endToEnd } = stored
  const parsed = parseCertificate(certificate)
  const expires = usableUntil(certificate)
  return {
    fingerprint,
    algorithm: algorithmText(certificate),
    userIds: parsed.userIds,
    use: current ? (endToEnd ? 'both' : 'rest') : endToEnd ? 'end-to-end' : 'reading',
    custody: stored.custody === 'device' ? 'device' : brought.includes(fingerprint) ? 'own' : 'managed',
    current,
    endToEnd,
    // a key that was imported for old mail brings its revocation in itself
    revoked: stored.revocation !== undefined || parsed.revoked,
    since: day(stored.since),
    expires: expires === null ? null : day(expires),
    expiresAt: expires,
    octets: certificate,
  }
}

function algorithmText(octets: Uint8Array): string {
  const [primary] = readPackets(octets)
  const [used] = parseCertificate(octets).encryptionKeys
  const bodies = [...(primary?.type === PacketType.publicKey ? [primary.body] : []), ...(used ? [used.material] : [])]
  return [...new Set(bodies.map((body) => nameOf(parsePublicKey(body).material)))].join(', ')
}

/** OpenSSL's names, and those that people know. */
const NIST_NAMES: Readonly<Record<string, string>> = {
  prime256v1: 'NIST P-256',
  secp384r1: 'NIST P-384',
  secp521r1: 'NIST P-521',
}

function nameOf(material: PublicMaterial): string {
  switch (material.kind) {
    case 'rsa':
      return `RSA ${bitLength(material.n)}`
    case 'dsa':
      return `DSA ${bitLength(material.p)}`
    case 'elgamal':
      return `ElGamal ${bitLength(material.p)}`
    case 'okp':
      return material.curve
    case 'ec':
      return NIST_NAMES[material.curve.name] ?? material.curve.name
    case 'opaque':
      return 'unknown'
  }
}
