/**
 * Key revocations (RFC 9580 §5.2.1.11): made, recognised in whatever file other programs put them, and published with their
 * certificate.
 */
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { armor, dearmorAll, isArmored } from './armor.ts'
import { binaryCertificate } from './certificate.ts'
import { SelfSignatures, splitCertificate } from './certificate-components.ts'
import { canonicalSignature } from './clean.ts'
import { hashedKey } from './key-packet.ts'
import { MalformedOpenPgp, PacketType } from './openpgp.ts'
import { readPackets } from './packets.ts'
import type { SecretKeys } from './secret-key.ts'
import type { SecretKey } from './secret-material.ts'
import { CannotSign } from './sign.ts'
import { parseSignature, type Signature, SignatureType } from './signature.ts'
import { subpacket, writeSignature } from './signature-write.ts'

export interface RevocationWish {
  /** Milliseconds since the epoch. */
  readonly created: number
  /** RFC 9580 §5.2.3.31: 0 no reason, 1 superseded, 2 compromised, 3 retired. 0 and 2 cast doubt on the past as well. */
  readonly reason: 0 | 1 | 2 | 3
  /** For people; up to 1000 octets of UTF-8, more is cut off. */
  readonly text: string
}

const LONGEST_TEXT = 1000
/** What a revocation comes in: a certificate at the most. */
const LARGEST = 4 << 20
/** Revocations that are looked at in one file. */
const MOST_CANDIDATES = 32

/**
 * A revocation of the keys' certificate, armored. Throws CannotSign when the secret of the primary key is not among them.
 */
export function makeRevocation(keys: SecretKeys, wish: RevocationWish): string {
  const primary = keys.keys.find((one) => one.key.fingerprint === keys.certificate.fingerprint)
  if (!primary) throw new CannotSign()
  return revocationBy(primary, wish)
}

export function revocationBy(primary: SecretKey, { created, reason, text }: RevocationWish): string {
  const { key } = primary
  const why = subpacket(29, Buffer.of(reason), cutText(text))
  // GnuPG refuses what is older than the key, which a clock that went back would make it
  const time = Math.max(created, key.created)
  const wish = { type: SignatureType.keyRevocation, created: time, subpackets: [why] }
  return armored(writeSignature(primary, wish, [hashedKey(key.version, key.body)]), key.version)
}

/** Never half a character. */
function cutText(text: string): Buffer {
  const octets = Buffer.from(text, 'utf8')
  let end = Math.min(octets.length, LONGEST_TEXT)
  while (end < octets.length && (octets[end]! & 0xc0) === 0x80) end--
  return octets.subarray(0, end)
}

/** As GnuPG writes and imports it. */
function armored(signature: Bytes, version: number): string {
  const headers = ['Comment: This revokes the key']
  return armor('PUBLIC KEY BLOCK', signature, { headers, checksum: version === 4 })
}

/**
 * The revocation of `certificate` that is in the octets: a revocation signature of its own, as `gpg --gen-revoke` and
 * `sq key revoke` make it, GnuPG's file in openpgp-revocs.d with the colon that keeps it from being imported by accident, or a
 * whole revoked certificate; armored or binary. Answered armored, as `makeRevocation` makes it. null: there is none that this
 * certificate's primary key made, whatever else the octets are. Throws MalformedOpenPgp only for a broken `certificate`.
 */
export function readRevocation(octets: Bytes, certificate: Bytes): Buffer | null {
  const { primary } = splitCertificate(binaryCertificate(certificate))
  const judge = new SelfSignatures(primary, Number.MAX_SAFE_INTEGER)
  const holding = judge.all(candidatesIn(octets), [SignatureType.keyRevocation], [])
  const found = holding.find(isHard) ?? holding[0]
  return found ? Buffer.from(armored(canonicalSignature(found), primary.version)) : null
}

/** RFC 9580 §5.2.3.31: reasons that do not look at the time. */
const isHard = ({ revocationReason }: Signature) => ![1, 3, 32].includes(revocationReason ?? 0)

function candidatesIn(octets: Bytes): readonly Signature[] {
  const found: Signature[] = []
  if (octets.length > LARGEST) return found
  try {
    for (const block of blocksIn(octets)) {
      for (const { type, body } of readPackets(block)) {
        const signature = type === PacketType.signature ? parseSignature(body) : null
        if (signature?.type === SignatureType.keyRevocation && found.push(signature) === MOST_CANDIDATES) return found
      }
    }
  } catch (error) {
    // what was read before the octets broke off may still be the one
    if (!(error instanceof MalformedOpenPgp)) throw error
  }
  return found
}

function blocksIn(octets: Bytes): readonly Bytes[] {
  if (!isArmored(octets)) return [octets]
  const text = asBuffer(octets).toString('latin1').replaceAll('\n:-----BEGIN PGP', '\n-----BEGIN PGP')
  return dearmorAll(Buffer.from(text, 'latin1')).map((one) => one.octets)
}

/**
 * The certificate, binary or armored, with a revocation of it in its place (RFC 9580 §10.1), in binary: what is published when
 * a key is given up. Throws MalformedOpenPgp when the revocation is not this certificate's.
 */
export function withRevocation(certificate: Bytes, revocation: Bytes): Buffer {
  const binary = binaryCertificate(certificate)
  const found = readRevocation(revocation, binary)
  if (!found) throw new MalformedOpenPgp('not a revocation of this certificate')
  const [signature] = blocksIn(found)
  const [primary, ...others] = [...readPackets(binary)].map((one) => one.octets)
  const rest = others.filter((one) => Buffer.compare(one, signature!) !== 0)
  return Buffer.concat([primary!, signature!, ...rest])
}
