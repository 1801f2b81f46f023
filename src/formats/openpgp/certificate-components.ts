/** Takes a certificate's packets apart into keys and user ids, each with the newest self-signature that binds it. */
import type { Bytes } from '#lib/bytes.ts'
import { hashedKey, type PublicKeyPacket, parsePublicKey } from './key-packet.ts'
import { hashName, MalformedOpenPgp, PacketType } from './openpgp.ts'
import { readPackets } from './packets.ts'
import { parseSignature, type Signature, SignatureType, signatureHolds } from './signature.ts'

export interface Component {
  readonly key: PublicKeyPacket
  readonly binding: Signature
  readonly revoked: boolean
}

export interface UserId {
  readonly userId: string
  readonly binding: Signature
  readonly revoked: boolean
}

export interface Components {
  readonly primary: PublicKeyPacket
  /** The newest direct-key signature. */
  readonly direct: Signature | null
  readonly userIds: readonly UserId[]
  readonly subkeys: readonly Component[]
  readonly revoked: boolean
}

/** A packet that something is signed over, and the signature packets that follow it. */
export interface Section {
  readonly type: number
  readonly body: Bytes
  readonly signatures: Signature[]
}

/** Longest certificate and user id that are read. */
const LARGEST = 4 << 20
const LONGEST_USER_ID = 4096

const REVOCATIONS: readonly number[] = [
  SignatureType.keyRevocation,
  SignatureType.subkeyRevocation,
  SignatureType.certificationRevocation,
]

/** Self-signatures made with SHA-1 count when older than this (2020-01-01): chosen-prefix collisions became practical then. */
const SHA1_UNTIL = 1_577_836_800_000

/** A certificate taken apart, nothing of it believed yet. */
export interface Sections {
  readonly primary: PublicKeyPacket
  readonly first: Section
  readonly others: readonly Section[]
}

/** Throws MalformedOpenPgp. */
export function splitCertificate(octets: Bytes): Sections {
  const [first, ...others] = readSections(octets)
  if (first?.type !== PacketType.publicKey) throw new MalformedOpenPgp('not a certificate')
  return { primary: parsePublicKey(first.body), first, others }
}

/** `now` null: the octets are our own, signatures are taken as read; otherwise they are verified, and judged at `now`. */
export function readComponents({ primary, first, others }: Sections, now: number | null): Components {
  const judge = new SelfSignatures(primary, now)
  const direct = judge.newest(first.signatures, SELF_SIGNATURES.direct, [])
  return {
    primary,
    direct,
    userIds: others.flatMap((one) => userId(one, judge)),
    subkeys: others.flatMap((one) => subkey(one, judge)),
    revoked: judge.isRevoked(first.signatures, SignatureType.keyRevocation, [], null),
  }
}

export const SELF_SIGNATURES = {
  direct: [SignatureType.directKey],
  certification: [0x10, 0x11, 0x12, 0x13],
  subkey: [SignatureType.subkeyBinding],
}

function readSections(octets: Bytes): Section[] {
  if (octets.length > LARGEST) throw new MalformedOpenPgp('certificate too large')
  const sections: Section[] = []
  for (const { type, body } of readPackets(octets)) {
    if (type === PacketType.signature) {
      const signature = parseSignature(body)
      if (signature) sections.at(-1)?.signatures.push(signature)
    } else if (type === PacketType.publicKey && sections.length > 0) {
      throw new MalformedOpenPgp('more than one certificate')
    } else if (type !== PacketType.marker && type !== PacketType.padding && type !== PacketType.trust) {
      sections.push({ type, body, signatures: [] })
    }
  }
  return sections
}

/** What is hashed of a user id (RFC 9580 §5.2.4); null for what is none. */
export function userIdContent({ type, body }: Section): readonly Bytes[] | null {
  if (type !== PacketType.userId || body.length > LONGEST_USER_ID) return null
  const prefix = Buffer.of(0xb4, 0, 0, 0, 0)
  prefix.writeUInt32BE(body.length, 1)
  return [prefix, body]
}

function userId(section: Section, judge: SelfSignatures): UserId[] {
  const content = userIdContent(section)
  if (!content) return []
  const binding = judge.newest(section.signatures, SELF_SIGNATURES.certification, content)
  if (!binding) return []
  const revoked = judge.isRevoked(section.signatures, SignatureType.certificationRevocation, content, binding)
  return [{ userId: Buffer.from(section.body).toString('utf8'), binding, revoked }]
}

/** null: no subkey, or of a kind that we do not know, which must not cost the certificate. */
export function subkeyOf({ type, body }: Section, { version }: PublicKeyPacket): PublicKeyPacket | null {
  if (type !== PacketType.publicSubkey) return null
  try {
    const key = parsePublicKey(body)
    return key.version === version ? key : null
  } catch (error) {
    if (error instanceof MalformedOpenPgp) return null
    throw error
  }
}

function subkey(section: Section, judge: SelfSignatures): Component[] {
  const key = subkeyOf(section, judge.primary)
  if (!key) return []
  const content = [hashedKey(key.version, key.body)]
  const binding = judge.newest(section.signatures, SELF_SIGNATURES.subkey, content)
  if (!binding || !judge.acceptsSigner(key, binding, content)) return []
  const revoked = judge.isRevoked(section.signatures, SignatureType.subkeyRevocation, content, binding)
  return [{ key, binding, revoked }]
}

/** Public-key operations for one key or user id and one kind of signature; more would be somebody's attack on time. */
const MOST_TRIES = 12
/** And for a whole certificate: people have a few names and a few subkeys, and a crowd of the one must not hide the other. */
const MOST_OF_A_TYPE = 64

/** Says which signatures of a certificate count. */
export class SelfSignatures {
  readonly primary: PublicKeyPacket
  readonly #now: number | null
  readonly #primaryOctets: Bytes
  readonly #operations = new Map<number, number>()

  constructor(primary: PublicKeyPacket, now: number | null) {
    this.primary = primary
    this.#now = now
    this.#primaryOctets = hashedKey(primary.version, primary.body)
  }

  newest(signatures: readonly Signature[], types: readonly number[], content: readonly Bytes[]): Signature | null {
    const candidates = this.#newestFirst(signatures, types).filter((one) => this.#isCurrent(one))
    return candidates.slice(0, MOST_TRIES).find((one) => this.#holds(one, this.primary, content)) ?? null
  }

  /** All that hold, whenever they count; newest first. */
  all(signatures: readonly Signature[], types: readonly number[], content: readonly Bytes[]): Signature[] {
    const candidates = this.#newestFirst(signatures, types).slice(0, MOST_TRIES)
    return candidates.filter((one) => this.#holds(one, this.primary, content))
  }

  #newestFirst(signatures: readonly Signature[], types: readonly number[]): Signature[] {
    return signatures
      .filter((one) => types.includes(one.type) && one.created !== null && this.#isOwn(one))
      .sort((a, b) => b.created! - a.created!)
  }

  /** `binding`: what the revocation may have been overtaken by, when it is a soft one. */
  isRevoked(
    signatures: readonly Signature[],
    type: number,
    content: readonly Bytes[],
    binding: Signature | null,
  ): boolean {
    const candidates = this.#newestFirst(signatures, [type]).slice(0, MOST_TRIES)
    return candidates.some((one) => {
      // RFC 9580 §5.2.3.31: superseded, retired and no longer valid look forward only
      const soft = one.revocationReason === 1 || one.revocationReason === 3 || one.revocationReason === 32
      if (soft && this.#now !== null && one.created! > this.#now) return false
      if (soft && binding !== null && binding.created! > one.created!) return false
      return this.#holds(one, this.primary, content)
    })
  }

  /** A subkey that signs must itself say that it belongs to the primary (RFC 9580 §5.2.3.34). */
  acceptsSigner(key: PublicKeyPacket, binding: Signature, content: readonly Bytes[]): boolean {
    if (((binding.keyFlags ?? 0) & 0x02) === 0) return true
    const back = binding.embedded ? parseSignature(binding.embedded) : null
    if (!back || back.type !== SignatureType.primaryKeyBinding || !this.#isCurrent(back)) return false
    return this.#holds(back, key, content)
  }

  #isOwn(signature: Signature): boolean {
    const { issuer } = signature
    if (issuer === null) return true
    const { fingerprint, keyId } = this.primary
    return issuer === fingerprint || issuer === keyId.toString('hex').toUpperCase()
  }

  #isCurrent({ created, expiresAfter }: Signature): boolean {
    if (created === null) return false
    if (this.#now === null) return true
    return created <= this.#now && (expiresAfter === null || created + expiresAfter > this.#now)
  }

  #holds(signature: Signature, key: PublicKeyPacket, content: readonly Bytes[]): boolean {
    if (signature.hasUnknownCritical) return false
    if (this.#now === null) return true
    const operations = this.#operations.get(signature.type) ?? 0
    if (operations === MOST_OF_A_TYPE) return false
    this.#operations.set(signature.type, operations + 1)
    // who revokes with SHA-1 means it: what a collision could forge here is a loss of trust, not a gain
    const old = signature.hash === 2 && (signature.created! < SHA1_UNTIL || REVOCATIONS.includes(signature.type))
    return signatureHolds(signature, key, [this.#primaryOctets, ...content], old ? 'sha1' : hashName(signature.hash))
  }
}
