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
interface Section {
  readonly type: number
  readonly body: Bytes
  readonly signatures: Signature[]
}

/** Longest certificate and user id that are read. */
const LARGEST = 4 << 20
const LONGEST_USER_ID = 4096

/** Self-signatures made with SHA-1 count when older than this (2020-01-01): chosen-prefix collisions became practical then. */
const SHA1_UNTIL = 1_577_836_800_000

/** `now` null: the octets are our own, signatures are taken as read; otherwise they are verified, and judged at `now`. */
export function readComponents(octets: Bytes, now: number | null): Components {
  const [first, ...sections] = readSections(octets)
  if (first?.type !== PacketType.publicKey) throw new MalformedOpenPgp('not a certificate')
  const primary = parsePublicKey(first.body)
  const judge = new Judge(primary, now)
  const direct = judge.newest(first.signatures, SELF_SIGNATURES.direct, [])
  return {
    primary,
    direct,
    userIds: sections.flatMap((one) => userId(one, judge)),
    subkeys: sections.flatMap((one) => subkey(one, judge)),
    revoked: judge.isRevoked(first.signatures, SignatureType.keyRevocation, [], null),
  }
}

const SELF_SIGNATURES = {
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

function userId(section: Section, judge: Judge): UserId[] {
  if (section.type !== PacketType.userId || section.body.length > LONGEST_USER_ID) return []
  // RFC 9580 §5.2.4
  const prefix = Buffer.of(0xb4, 0, 0, 0, 0)
  prefix.writeUInt32BE(section.body.length, 1)
  const content = [prefix, section.body]
  const binding = judge.newest(section.signatures, SELF_SIGNATURES.certification, content)
  if (!binding) return []
  const revoked = judge.isRevoked(section.signatures, SignatureType.certificationRevocation, content, binding)
  return [{ userId: Buffer.from(section.body).toString('utf8'), binding, revoked }]
}

function subkey(section: Section, judge: Judge): Component[] {
  if (section.type !== PacketType.publicSubkey) return []
  let key: PublicKeyPacket
  try {
    key = parsePublicKey(section.body)
  } catch (error) {
    // a subkey of a kind that we do not know must not cost the certificate
    if (error instanceof MalformedOpenPgp) return []
    throw error
  }
  if (key.version !== judge.primary.version) return []
  const content = [hashedKey(key.version, key.body)]
  const binding = judge.newest(section.signatures, SELF_SIGNATURES.subkey, content)
  if (!binding || !judge.acceptsSigner(key, binding, content)) return []
  const revoked = judge.isRevoked(section.signatures, SignatureType.subkeyRevocation, content, binding)
  return [{ key, binding, revoked }]
}

/** Says which signatures of a certificate count. */
class Judge {
  readonly primary: PublicKeyPacket
  readonly #now: number | null
  readonly #primaryOctets: Bytes

  constructor(primary: PublicKeyPacket, now: number | null) {
    this.primary = primary
    this.#now = now
    this.#primaryOctets = hashedKey(primary.version, primary.body)
  }

  newest(signatures: readonly Signature[], types: readonly number[], content: readonly Bytes[]): Signature | null {
    const candidates = signatures
      .filter((one) => types.includes(one.type) && this.#isOwn(one) && this.#isCurrent(one))
      .sort((a, b) => b.created! - a.created!)
    return candidates.find((one) => this.#holds(one, this.primary, content)) ?? null
  }

  /** `binding`: what the revocation may have been overtaken by, when it is a soft one. */
  isRevoked(
    signatures: readonly Signature[],
    type: number,
    content: readonly Bytes[],
    binding: Signature | null,
  ): boolean {
    return signatures.some((one) => {
      if (one.type !== type || !this.#isOwn(one) || one.created === null) return false
      // RFC 9580 §5.2.3.31: superseded, retired and no longer valid look forward only
      const soft = one.revocationReason === 1 || one.revocationReason === 3 || one.revocationReason === 32
      if (soft && this.#now !== null && one.created > this.#now) return false
      if (soft && binding !== null && binding.created! > one.created) return false
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
    const old = signature.hash === 2 && signature.created! < SHA1_UNTIL
    return signatureHolds(signature, key, [this.#primaryOctets, ...content], old ? 'sha1' : hashName(signature.hash))
  }
}
