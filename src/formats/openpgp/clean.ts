/**
 * A certificate with nothing in it that its owner did not sign: what others certified, what does not verify and what nobody
 * needs is gone, so that a certificate that strangers filled with junk costs nothing and says nothing of theirs.
 */
import type { Bytes } from '#lib/bytes.ts'
import { binaryCertificate, isWeak } from './certificate.ts'
import {
  SELF_SIGNATURES,
  type Section,
  SelfSignatures,
  splitCertificate,
  subkeyOf,
  userIdContent,
} from './certificate-components.ts'
import { hashedKey, type PublicKeyPacket } from './key-packet.ts'
import { OctetReader } from './octet-reader.ts'
import { MalformedOpenPgp, PacketType } from './openpgp.ts'
import { packet } from './packets.ts'
import { type Signature, SignatureType, subpacketsIn } from './signature.ts'

export interface CleanOptions {
  /** Which user ids to keep; all by default. */
  readonly keepUserIds?: (userId: string) => boolean
}

/**
 * The certificate, binary or armored, in binary: only keys and user ids that a verified self-signature binds, with those
 * signatures and revocations, in one fixed order. Older self-signatures stay, since signatures of their time are judged by
 * them. Weak subkeys and those of unknown algorithms go. Costs a bounded number of public-key operations whatever is in it.
 *
 * Throws MalformedOpenPgp, also when nothing is left that makes a certificate.
 */
export function cleanCertificate(octets: Bytes, now: number, { keepUserIds = () => true }: CleanOptions = {}): Buffer {
  const { primary, first, others } = splitCertificate(binaryCertificate(octets))
  const judge = new SelfSignatures(primary, now)
  const revocations = judge.all(first.signatures, [SignatureType.keyRevocation], [])
  const direct = judge.all(first.signatures, SELF_SIGNATURES.direct, [])
  const userIds = others.flatMap((one) => cleanUserId(one, judge, keepUserIds))
  if (userIds.length === 0 && direct.length === 0) throw new MalformedOpenPgp('no valid self-signature')
  const subkeys = others.flatMap((one) => cleanSubkey(one, judge))
  return Buffer.concat([
    packet(PacketType.publicKey, primary.body),
    ...[...revocations, ...direct].map(canonicalSignature),
    ...once(userIds.sort(inOrder)).flatMap((one) => one.packets),
    ...once(subkeys.sort(inOrder)).flatMap((one) => one.packets),
  ])
}

interface Kept {
  readonly rank: number
  readonly name: Bytes
  readonly packets: readonly Buffer[]
}

const inOrder = (a: Kept, b: Kept) => a.rank - b.rank || Buffer.compare(a.name, b.name)
const once = (kept: readonly Kept[]) => kept.filter((one, i) => i === 0 || Buffer.compare(one.name, kept[i - 1]!.name))

/** The primary user id comes first, as GnuPG shows it; the others by their octets. */
function cleanUserId(section: Section, judge: SelfSignatures, keep: (userId: string) => boolean): Kept[] {
  const content = userIdContent(section)
  if (!content || !keep(Buffer.from(section.body).toString('utf8'))) return []
  const certifications = judge.all(section.signatures, SELF_SIGNATURES.certification, content)
  if (certifications.length === 0) return []
  const revocations = judge.all(section.signatures, [SignatureType.certificationRevocation], content)
  const packets = [packet(section.type, section.body), ...[...revocations, ...certifications].map(canonicalSignature)]
  return [{ rank: certifications[0]!.primaryUserId ? 0 : 1, name: section.body, packets }]
}

/** In the order in which they were made. */
function cleanSubkey(section: Section, judge: SelfSignatures): Kept[] {
  const key = subkeyOf(section, judge.primary)
  if (!key || !isUseful(key)) return []
  const content = [hashedKey(key.version, key.body)]
  const bindings = judge
    .all(section.signatures, SELF_SIGNATURES.subkey, content)
    .filter((one) => judge.acceptsSigner(key, one, content))
  if (bindings.length === 0) return []
  const revocations = judge.all(section.signatures, [SignatureType.subkeyRevocation], content)
  const packets = [packet(section.type, key.body), ...[...revocations, ...bindings].map(canonicalSignature)]
  return [{ rank: key.created, name: key.body, packets }]
}

const isUseful = (key: PublicKeyPacket) => key.material.kind !== 'opaque' && !isWeak(key)

/** What may stand where the signature does not reach: who made it, and the signature of a signing subkey. */
const UNHASHED = [16, 33, 32]

/** The signature in one encoding, without what anybody may have put beside it. Also of a version 6 signature. */
export function canonicalSignature({ body }: Signature): Buffer {
  const reader = new OctetReader(body)
  const width = reader.u8() === 6 ? 4 : 2
  reader.take(3)
  reader.take(reader.take(width).readUIntBE(0, width))
  const hashed = body.subarray(0, reader.position)
  const found = new Map<number, Bytes>()
  for (const { type, octets } of subpacketsIn(reader.take(reader.take(width).readUIntBE(0, width)))) {
    if (UNHASHED.includes(type) && !found.has(type)) found.set(type, octets)
  }
  const kept = Buffer.concat([...found.keys()].sort((a, b) => a - b).map((type) => found.get(type)!))
  const size = Buffer.alloc(width)
  size.writeUIntBE(kept.length, 0, width)
  return packet(PacketType.signature, hashed, size, kept, reader.rest())
}
