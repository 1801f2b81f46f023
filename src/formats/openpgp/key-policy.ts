/**
 * Which keys people may bring, and for what: the floors (RSA and DSA of 2048 bits, ElGamal of 4096), what RFC 9580 §12 says about
 * old algorithms, and what an account needs: one of its addresses, a key to seal to, and the secret of it. Every refusal has a
 * code for programs and a text for people that says what to do.
 */
import { parseAddress, sameAddress } from '#formats/message/address.ts'
import type { Bytes } from '#lib/bytes.ts'
import {
  assembleCertificate,
  binaryCertificate,
  type Certificate,
  type EncryptionKey,
  encryptionKeysAt,
} from './certificate.ts'
import {
  type Component,
  type Components,
  readComponents,
  type Sections,
  splitCertificate,
  subkeyOf,
} from './certificate-components.ts'
import {
  canRead,
  day,
  describe,
  type KeyReason,
  type KeyReasonCode,
  leftOutWarning,
  lengthRefusals,
  lifeRefusals,
  noEncryptionKey,
  OLD_HASHES,
  primaryRefusal,
  RENEW,
  selfSignatureRefusal,
  unreadable,
} from './key-reasons.ts'
import { bitLength } from './octet-reader.ts'
import { MalformedOpenPgp } from './openpgp.ts'
import { addressInUserId } from './user-id.ts'

/** `current`: may be an account's certificate. `reading`: may be kept to read old mail. */
export type KeyVerdict = 'current' | 'reading' | 'refused'

export interface Judgement {
  readonly verdict: KeyVerdict
  /** Upper-case hex; null when the octets are no certificate. */
  readonly fingerprint: string | null
  /** Why it may not be current; empty when it may. */
  readonly refusals: readonly KeyReason[]
  readonly warnings: readonly KeyReason[]
  /** It has a key to seal to now, whose secret is held. */
  readonly canSeal: boolean
  readonly canSign: boolean
  /** When nothing can be sealed to it any more, in milliseconds since the epoch; null for never. */
  readonly expires: number | null
}

export interface JudgeOptions {
  /** The account's, as `local@domain`; one of them must be among the user ids. */
  readonly addresses: readonly string[]
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Fingerprints of the keys whose secrets are there; null when only the certificate is ours to have. */
  readonly held: readonly string[] | null
}

/** Judges a certificate, binary or armored. Whatever the octets are, the answer is a judgement. */
export function judgeKey(octets: Bytes, options: JudgeOptions): Judgement {
  let fingerprint: string | null = null
  try {
    const binary = binaryCertificate(octets)
    const sections = splitCertificate(binary)
    fingerprint = sections.primary.fingerprint
    const primary = primaryRefusal(sections.primary)
    if (primary) return refused(fingerprint, primary)
    const components = readComponents(sections, options.now)
    if (!hasSelfSignature(components)) return refused(fingerprint, selfSignatureRefusal(sections, options.now))
    return judge(sections, components, assembleCertificate(binary, components), options)
  } catch (error) {
    if (error instanceof MalformedOpenPgp) return refused(fingerprint, unreadable(error))
    throw error
  }
}

function refused(fingerprint: string | null, refusal: KeyReason): Judgement {
  const nothing = { canSeal: false, canSign: false, expires: null }
  return { verdict: 'refused', fingerprint, refusals: [refusal], warnings: [], ...nothing }
}

function hasSelfSignature({ direct, userIds }: Components): boolean {
  return direct !== null || userIds.some((one) => !one.revoked)
}

function judge(sections: Sections, components: Components, certificate: Certificate, options: JudgeOptions): Judgement {
  const { now, held } = options
  const isHeld = ({ fingerprint }: { readonly fingerprint: string }) => held === null || held.includes(fingerprint)
  const live = certificate.revoked ? [] : encryptionKeysAt(certificate, now)
  const canSeal = live.some(isHeld)
  const signing = certificate.signingKeys.filter(({ expires }) => expires === null || expires > now)
  const canSign = signing.some(({ key }) => isHeld(key))
  const readable = allKeys(components).some((one) => canRead(one) && isHeld(one.key))
  const refusals = [
    ...lengthRefusals(allKeys(components).map(({ key }) => key)),
    ...addressRefusal(certificate, options.addresses),
    ...lifeRefusals(certificate, now),
    ...sealRefusals(components, certificate, live, isHeld),
  ]
  const isReading = readable && refusals.every(({ code }) => READING.includes(code))
  return {
    verdict: refusals.length === 0 ? 'current' : isReading ? 'reading' : 'refused',
    fingerprint: certificate.fingerprint,
    refusals,
    warnings: warningsOf(sections, components, live, canSign),
    canSeal,
    canSign,
    expires: endOf(certificate),
  }
}

/** What does not keep a key from reading what was sent to it before. */
const READING: readonly KeyReasonCode[] = [
  'revoked',
  'expired',
  'encryption-key-expired',
  'old-algorithm',
  'secret-missing',
]

function allKeys({ primary, direct, userIds, subkeys }: Components): readonly Component[] {
  const binding = direct ?? userIds[0]?.binding
  return [...(binding ? [{ key: primary, binding, revoked: false }] : []), ...subkeys]
}

function addressRefusal({ userIds }: Certificate, addresses: readonly string[]): KeyReason[] {
  const wanted = addresses.flatMap((one) => parseAddress(one) ?? [])
  const found = userIds.flatMap((one) => addressInUserId(one) ?? [])
  if (found.some((one) => wanted.some((own) => sameAddress(own, one)))) return []
  const text =
    `No user id of the key is an address of this account (${addresses.join(', ')}). ` +
    "Add one and export it again: gpg --quick-add-uid FINGERPRINT 'NAME <ADDRESS>'"
  return [{ code: 'no-address', text }]
}

function sealRefusals(
  components: Components,
  certificate: Certificate,
  live: readonly EncryptionKey[],
  isHeld: (key: EncryptionKey) => boolean,
): KeyReason[] {
  if (certificate.revoked) return []
  const [newest] = certificate.encryptionKeys
  if (!newest) return [noEncryptionKey(components)]
  const isExpired = certificate.expires !== null && live.length === 0 && newest.expires === certificate.expires
  const refusals: KeyReason[] = []
  if (live.length === 0 && !isExpired) {
    const text =
      `The key's encryption subkey expired on ${day(newest.expires!)}. ` +
      "Extend it and export the key again: gpg --quick-set-expire FINGERPRINT 2y '*'"
    refusals.push({ code: 'encryption-key-expired', text })
  }
  // others take the newest one that is alive, and so does the store, alive or not
  const used = [newest, ...live.slice(0, 1)]
  if (!used.every(isHeld)) {
    const text =
      'The secret of the key that mail is encrypted to is not in the file. ' +
      'Export it with all secrets: gpg --export-secret-keys FINGERPRINT'
    refusals.push({ code: 'secret-missing', text })
  }
  return refusals
}

/** A certificate with more broken subkeys than this is not described further. */
const MOST_WARNINGS = 8

function warningsOf(
  { others }: Sections,
  components: Components,
  live: readonly EncryptionKey[],
  canSign: boolean,
): readonly KeyReason[] {
  const { primary, subkeys } = components
  const warnings: KeyReason[] = []
  const used = subkeys.filter(({ key }) => live.some((one) => one.fingerprint === key.fingerprint))
  const short = [primary, ...used.map((one) => one.key)].find(
    ({ material }) => material.kind === 'rsa' && bitLength(material.n) < 3072,
  )
  if (short) {
    const text = `${describe(short)} is accepted, but 3072 bits or Curve25519 are what is recommended now. Plan a new key.`
    warnings.push({ code: 'short', text })
  }
  if (primary.material.kind === 'dsa') {
    const text = `The primary key is ${describe(primary)}: nothing is signed with it but its own subkeys. Plan a new key.`
    warnings.push({ code: 'old-algorithm', text })
  }
  const bindings = [
    components.direct,
    ...components.userIds.map((one) => one.binding),
    ...used.map((one) => one.binding),
  ]
  if (bindings.some((one) => one !== null && OLD_HASHES.includes(one.hash))) {
    const text = `Signatures of the key over itself are old ones made with SHA-1, which other programs may not accept. ${RENEW}`
    warnings.push({ code: 'old-self-signature', text })
  }
  if (!canSign) {
    const text =
      'Nothing can be signed with what is here: no signing key, or its secret is missing. ' +
      'Mail can be read but not signed. Add a signing subkey: gpg --quick-add-key FINGERPRINT ed25519 sign'
    warnings.push({ code: 'no-signing-key', text })
  }
  const leftOut = others.flatMap((one) => subkeyOf(one, primary) ?? []).flatMap((key) => leftOutWarning(key, subkeys))
  return [...warnings, ...leftOut.slice(0, MOST_WARNINGS)]
}

function endOf({ expires, encryptionKeys }: Certificate): number | null {
  if (encryptionKeys.length === 0) return expires
  const ends = encryptionKeys.map((one) => one.expires)
  return ends.includes(null) ? null : Math.max(...ends.map(Number))
}
