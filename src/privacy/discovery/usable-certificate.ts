/** What somebody gave us as the certificate of an address: the one that may be used, or why none may. */

import { type Address, formatAddress } from '#formats/message/address.ts'
import { dearmorAll, isArmored } from '#formats/openpgp/armor.ts'
import { encryptionKeysAt, parseCertificate } from '#formats/openpgp/certificate.ts'
import { cleanCertificate } from '#formats/openpgp/clean.ts'
import { type Judgement, judgeKey } from '#formats/openpgp/key-policy.ts'
import type { KeyReasonCode } from '#formats/openpgp/key-reasons.ts'
import { MalformedOpenPgp, PacketType } from '#formats/openpgp/openpgp.ts'
import { readPackets } from '#formats/openpgp/packets.ts'
import { isEncryptable } from '#formats/openpgp/pkesk.ts'
import type { Bytes } from '#lib/bytes.ts'

export type Choice =
  | {
      readonly kind: 'usable'
      /** Binary, cleaned. */
      readonly certificate: Buffer
      readonly fingerprint: string
      /** Milliseconds since the epoch; null for never. */
      readonly expires: number | null
    }
  /** `revoked`: the fingerprints of those that their owners revoked. */
  | { readonly kind: 'refused'; readonly why: string; readonly revoked: readonly string[] }
  /** The octets are no certificates. */
  | { readonly kind: 'nothing' }

export const MOST_CERTIFICATES = 8

/** Of all that is there exactly one must be usable; old ones beside it do not count. */
export function chooseCertificate(offers: readonly Bytes[], address: Address, now: number): Choice {
  const certificates = offers.flatMap(certificatesIn)
  if (certificates.length === 0) return { kind: 'nothing' }
  if (certificates.length > MOST_CERTIFICATES) return refused(`${certificates.length} certificates are given`)
  const options = { addresses: [formatAddress(address)], now, held: null }
  const judged = certificates.map((octets) => ({ octets, judgement: judgeKey(octets, options) }))
  const revoked = judged.flatMap(({ judgement }) => (isRevoked(judgement) ? (judgement.fingerprint ?? []) : []))
  const current = judged.filter(({ judgement }) => judgement.verdict === 'current')
  const [only, another] = current
  if (another) return refused(`${current.length} certificates are current, and one must be`, revoked)
  if (!only) return refused(judged.map(({ judgement }) => whyNot(judgement)).join('; '), revoked)
  const { fingerprint, expires } = only.judgement
  const certificate = cleanCertificate(only.octets, now)
  // One recipient with a broken key would stop the mail of all the others.
  if (!encryptionKeysAt(parseCertificate(certificate), now).every(isEncryptable))
    return refused(`the certificate ${fingerprint} has a key that nothing can be encrypted to`, revoked)
  return { kind: 'usable', certificate, fingerprint: fingerprint!, expires }
}

const refused = (why: string, revoked: readonly string[] = []): Choice => ({ kind: 'refused', why, revoked })

const isRevoked = ({ refusals }: Judgement) => refusals.some(({ code }) => code === 'revoked')

const REASONS: Partial<Record<KeyReasonCode, string>> = {
  unreadable: 'cannot be read',
  'unknown-algorithm': 'is of an unknown algorithm',
  'too-short': 'is too weak',
  'no-self-signature': 'is not bound together by valid signatures of its own',
  'old-self-signature': 'is bound together only by signatures that can be forged',
  'not-yet-valid': 'is from the future',
  'no-address': 'does not carry this address',
  revoked: 'was revoked by its owner',
  expired: 'has expired',
  'encryption-key-expired': 'has no subkey to encrypt to that has not expired or been revoked',
  'old-algorithm': 'can only be encrypted to with an algorithm that is too old',
  'no-encryption-key': 'has no key to encrypt to',
}

function whyNot({ fingerprint, refusals }: Judgement): string {
  const reasons = refusals.map(({ code }) => REASONS[code] ?? `is not usable (${code})`)
  return `the certificate${fingerprint === null ? '' : ` ${fingerprint}`} ${reasons.join(' and ')}`
}

/** Each certificate by itself; none when the octets are something else. */
export function certificatesIn(octets: Bytes): readonly Bytes[] {
  try {
    const blocks = isArmored(octets) ? dearmorAll(octets).map((one) => one.octets) : [octets]
    return blocks.flatMap(splitKeyring)
  } catch (error) {
    if (error instanceof MalformedOpenPgp) return []
    throw error
  }
}

function splitKeyring(octets: Bytes): readonly Bytes[] {
  const found: Bytes[][] = []
  for (const packet of readPackets(octets)) {
    if (packet.type === PacketType.publicKey) found.push([])
    const last = found.at(-1)
    if (!last) throw new MalformedOpenPgp('not a certificate')
    last.push(packet.octets)
  }
  return found.map((packets) => Buffer.concat(packets))
}
