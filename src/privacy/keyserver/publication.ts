/** One certificate as it is given to others: cleaned, with the user ids that belong there, and with its revocation. */
import type { StoredCertificate } from '#custody/accounts/directory.ts'
import type { IndexEntry, IndexedKey } from '#formats/hkp/index-entry.ts'
import { type Address, sameAddress } from '#formats/message/address.ts'
import { keysIn, parseCertificate } from '#formats/openpgp/certificate.ts'
import { readComponents, splitCertificate } from '#formats/openpgp/certificate-components.ts'
import { cleanCertificate } from '#formats/openpgp/clean.ts'
import type { PublicKeyPacket } from '#formats/openpgp/key-packet.ts'
import { bitLength } from '#formats/openpgp/octet-reader.ts'
import { MalformedOpenPgp } from '#formats/openpgp/openpgp.ts'
import { withRevocation } from '#formats/openpgp/revocation.ts'
import { addressInUserId } from '#formats/openpgp/user-id.ts'
import type { Bytes } from '#lib/bytes.ts'

export interface Publication {
  /** Binary (RFC 9580 §10.1). */
  readonly octets: Buffer
  readonly entry: IndexEntry
}

/** 64 bits of a fingerprint (RFC 9580 §5.5.4), upper-case hex. */
export const keyIdOf = (fingerprint: string): string =>
  fingerprint.length === 40 ? fingerprint.slice(24) : fingerprint.slice(0, 16)

export function hasKey({ entry }: Publication, fingerprint: string): boolean {
  return [entry, ...entry.subkeys].some((one) => one.fingerprint === fingerprint)
}

/**
 * For those who write to the address: with this one user id, and only while it is not revoked: there must be something to write to.
 * `now`: milliseconds since the epoch.
 */
export function publishedByAddress(stored: StoredCertificate, address: Address, now: number): Publication | null {
  return unlessMalformed(() => {
    const named = parseCertificate(stored.certificate).userIds.find((userId) => names(userId, address))
    if (named === undefined || stored.revocation !== undefined) return null
    const publication = publish(stored, now, (userId) => userId === named)
    return publication.entry.revoked || publication.entry.userIds.length === 0 ? null : publication
  })
}

export interface KeyWish {
  readonly keyId: string
  /** Those of the account: other user ids are nobody's business here. */
  readonly addresses: readonly Address[]
  readonly now: number
}

/** For those who have a key id or fingerprint, such as that of an old signature. null: the key is not in it. */
export function publishedByKey(stored: StoredCertificate, { keyId, addresses, now }: KeyWish): Publication | null {
  return unlessMalformed(() => {
    if (!keysIn(stored.certificate).some((one) => keyIdOf(one.fingerprint) === keyId)) return null
    const publication = publish(stored, now, (userId) => addresses.some((address) => names(userId, address)))
    const { entry } = publication
    return [entry, ...entry.subkeys].some((one) => keyIdOf(one.fingerprint) === keyId) ? publication : null
  })
}

export function unlessMalformed<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    if (error instanceof MalformedOpenPgp) return null
    throw error
  }
}

function names(userId: string, address: Address): boolean {
  const named = addressInUserId(userId)
  return named !== null && sameAddress(named, address)
}

function publish(stored: StoredCertificate, now: number, keepUserIds: (userId: string) => boolean): Publication {
  const clean = cleanCertificate(stored.certificate, now, { keepUserIds })
  const octets = stored.revocation ? withRevocation(clean, stored.revocation) : clean
  return { octets, entry: entryOf(octets) }
}

function entryOf(octets: Bytes): IndexEntry {
  const { expires, revoked, userIds } = parseCertificate(octets)
  const { primary, subkeys } = readComponents(splitCertificate(octets), null)
  return {
    ...indexed(primary, expires),
    revoked,
    userIds,
    subkeys: subkeys.map(({ key, binding }) =>
      indexed(key, binding.keyExpiresAfter === null ? null : key.created + binding.keyExpiresAfter),
    ),
  }
}

function indexed(key: PublicKeyPacket, expires: number | null): IndexedKey {
  const { version, fingerprint, algorithm, created } = key
  return { version, fingerprint, algorithm, bits: bitsOf(key), created, expires }
}

function bitsOf({ material }: PublicKeyPacket): number {
  switch (material.kind) {
    case 'rsa':
      return bitLength(material.n)
    case 'dsa':
    case 'elgamal':
      return bitLength(material.p)
    case 'ec':
      // NIST P-521 is the one whose coordinates do not fill their octets.
      return Math.min(material.curve.size * 8, 521)
    case 'okp':
      return material.point.length === 32 ? 256 : 448
    case 'opaque':
      return 0
  }
}
