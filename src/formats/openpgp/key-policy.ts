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
  isWeak,
} from './certificate.ts'
import {
  type Component,
  type Components,
  readComponents,
  type Sections,
  splitCertificate,
  subkeyOf,
} from './certificate-components.ts'
import type { PublicKeyPacket } from './key-packet.ts'
import { bitLength } from './octet-reader.ts'
import { MalformedOpenPgp } from './openpgp.ts'

/** `current`: may be an account's certificate. `reading`: may be kept to read old mail. */
export type KeyVerdict = 'current' | 'reading' | 'refused'

export type KeyReasonCode =
  | 'unreadable'
  | 'unknown-algorithm'
  | 'too-short'
  | 'no-self-signature'
  | 'old-self-signature'
  | 'not-yet-valid'
  | 'no-address'
  | 'revoked'
  | 'expired'
  | 'encryption-key-expired'
  | 'old-algorithm'
  | 'no-encryption-key'
  | 'secret-missing'
  | 'short'
  | 'subkey-left-out'
  | 'no-signing-key'

export interface KeyReason {
  readonly code: KeyReasonCode
  /** Whole sentences, with what to do. */
  readonly text: string
}

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

const unreadable = ({ message }: MalformedOpenPgp): KeyReason => ({
  code: 'unreadable',
  text: `This is not an OpenPGP certificate of version 4 or 6 that can be read (${message}). Export one key: gpg --export FINGERPRINT`,
})

function primaryRefusal(key: PublicKeyPacket): KeyReason | null {
  if (key.material.kind === 'opaque' || key.material.kind === 'elgamal') {
    return {
      code: 'unknown-algorithm',
      text: `The primary key uses ${describe(key)}, which is not known here. Make a new key, such as Ed25519 with X25519.`,
    }
  }
  if (!isWeak(key)) return null
  return {
    code: 'too-short',
    text: `The primary key is ${describe(key)}; at least 2048 bits are needed. Make a new key, such as Ed25519 with X25519.`,
  }
}

const NAMES = { rsa: 'RSA', dsa: 'DSA', elgamal: 'ElGamal' } as const

function describe({ material, algorithm }: PublicKeyPacket): string {
  switch (material.kind) {
    case 'rsa':
      return `${NAMES.rsa} of ${bitLength(material.n)} bits`
    case 'dsa':
    case 'elgamal':
      return `${NAMES[material.kind]} of ${bitLength(material.p)} bits`
    case 'okp':
      return material.curve
    case 'ec':
      return material.curve.name
    case 'opaque':
      return `an unknown algorithm or curve (number ${algorithm})`
  }
}

function hasSelfSignature({ direct, userIds }: Components): boolean {
  return direct !== null || userIds.some((one) => !one.revoked)
}

/** RFC 9580 §9.5: MD5, SHA-1, RIPEMD-160 */
const OLD_HASHES: readonly number[] = [1, 2, 3]

const RENEW =
  'Renew its signatures with GnuPG 2.2 or newer: gpg --quick-set-expire FINGERPRINT 2y, ' +
  "then gpg --quick-set-expire FINGERPRINT 2y '*', and export it again."

/** Why nothing in the certificate holds. */
function selfSignatureRefusal({ first, others, primary }: Sections, now: number): KeyReason {
  const own = [first, ...others]
    .flatMap((one) => one.signatures)
    .filter(({ issuer }) => issuer !== null && primary.fingerprint.endsWith(issuer))
  if (own.some(({ hash }) => OLD_HASHES.includes(hash))) {
    const text = `The key's own signatures were made with SHA-1 or MD5, which can be forged. ${RENEW}`
    return { code: 'old-self-signature', text }
  }
  if (own.length > 0 && own.every(({ created }) => created === null || created > now)) {
    const text = 'The key was made in the future. Check the clock of the computer it was made on, or wait.'
    return { code: 'not-yet-valid', text }
  }
  const text = `No user id is signed by the key itself, or every such signature is damaged, expired or revoked. ${RENEW}`
  return { code: 'no-self-signature', text }
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

/** Whether mail can have been encrypted to the key, and is decrypted here. */
function canRead({ key, binding }: Component): boolean {
  const { material } = key
  if (isWeak(key) || (binding.keyFlags !== null && (binding.keyFlags & ENCRYPTS) === 0)) return false
  if (material.kind === 'okp') return material.curve === 'X25519' || material.curve === 'X448'
  if (material.kind === 'ec') return material.kdf !== null
  return material.kind === 'rsa' || material.kind === 'elgamal'
}

/** RFC 9580 §5.2.3.29 */
const ENCRYPTS = 0x0c

function addressRefusal({ userIds }: Certificate, addresses: readonly string[]): KeyReason[] {
  const wanted = addresses.flatMap((one) => parseAddress(one) ?? [])
  const found = userIds.flatMap((one) => parseAddress(addressIn(one)) ?? [])
  if (found.some((one) => wanted.some((own) => sameAddress(own, one)))) return []
  const text =
    `No user id of the key is an address of this account (${addresses.join(', ')}). ` +
    "Add one and export it again: gpg --quick-add-uid FINGERPRINT 'NAME <ADDRESS>'"
  return [{ code: 'no-address', text }]
}

/** `Ada <ada@alpha.test>` or the address alone (RFC 9580 §5.11). */
function addressIn(userId: string): string {
  const end = userId.lastIndexOf('>')
  const start = userId.lastIndexOf('<', end)
  return start >= 0 && end > start ? userId.slice(start + 1, end) : userId.trim()
}

function lifeRefusals({ revoked, expires }: Certificate, now: number): KeyReason[] {
  if (revoked) {
    return [{ code: 'revoked', text: 'The key was revoked by its owner. It can only be kept to read old mail.' }]
  }
  if (expires === null || expires > now) return []
  const text =
    `The key expired on ${day(expires)}. It can be kept to read old mail. ` +
    'To go on with it, extend it and export it again: gpg --quick-set-expire FINGERPRINT 2y'
  return [{ code: 'expired', text }]
}

const day = (time: number) => new Intl.DateTimeFormat('sv-SE', { timeZone: 'UTC' }).format(time)

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

function noEncryptionKey({ subkeys }: Components): KeyReason {
  const elgamal = subkeys.find(({ key }) => key.material.kind === 'elgamal' && !isWeak(key))
  if (elgamal) {
    const text =
      `The key can only be encrypted to with ${describe(elgamal.key)}, which is kept for reading old mail. ` +
      'Let a Curve25519 subkey be added here, or add one: gpg --quick-add-key FINGERPRINT cv25519 encr'
    return { code: 'old-algorithm', text }
  }
  const weak = subkeys.find(({ key }) => isWeak(key))
  if (weak) {
    const floor = weak.key.material.kind === 'elgamal' ? 4096 : 2048
    const text =
      `The encryption subkey is ${describe(weak.key)}; at least ${floor} bits are needed. ` +
      'Add a better one: gpg --quick-add-key FINGERPRINT cv25519 encr'
    return { code: 'too-short', text }
  }
  const revoked = subkeys.some((one) => one.revoked && canRead(one))
  if (revoked) {
    const text =
      'All encryption subkeys of the key are revoked. Add a new one: gpg --quick-add-key FINGERPRINT cv25519 encr'
    return { code: 'encryption-key-expired', text }
  }
  const text =
    'The key has no subkey to encrypt to that is known here. ' +
    'Let a Curve25519 subkey be added here, or add one: gpg --quick-add-key FINGERPRINT cv25519 encr'
  return { code: 'no-encryption-key', text }
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

function leftOutWarning(key: PublicKeyPacket, bound: readonly Component[]): KeyReason[] {
  const name = `The subkey ${key.keyId.toString('hex').toUpperCase()}`
  const isBound = bound.some((one) => one.key.fingerprint === key.fingerprint)
  const why = !isBound
    ? 'its binding signature is missing, damaged, or made with SHA-1 or MD5'
    : isWeak(key)
      ? `it is ${describe(key)}`
      : key.material.kind === 'opaque'
        ? `it uses ${describe(key)}`
        : null
  return why === null ? [] : [{ code: 'subkey-left-out', text: `${name} is left out: ${why}.` }]
}

function endOf({ expires, encryptionKeys }: Certificate): number | null {
  if (encryptionKeys.length === 0) return expires
  const ends = encryptionKeys.map((one) => one.expires)
  return ends.includes(null) ? null : Math.max(...ends.map(Number))
}
