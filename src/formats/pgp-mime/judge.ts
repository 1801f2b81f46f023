/**
 * Judges the signatures of a message for its reader (RFC 9787 §3: one status): a signature counts when a certificate of the one author
 * made it, over what the reader is shown, for this reader.
 */
import { type Address, parseAddress, sameAddress } from '#formats/message/address.ts'
import { formatResultValue } from '#formats/message/authentication-results.ts'
import { hashName } from '#formats/openpgp/openpgp.ts'
import type { Signature } from '#formats/openpgp/signature.ts'
import { addressInUserId } from '#formats/openpgp/user-id.ts'
import { checkSignature, readSignature, type SignatureCheck, userIdsAt } from '#formats/openpgp/verify.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Protection, SignatureVerdict, SignerEvidence } from './protection.ts'

/** More signatures than this are nobody's habit; each is a pass over the whole content. */
const MOST_JUDGED = 8
/** Clocks of senders go wrong by this much. */
const CLOCK_SKEW = 5 * 60_000

export interface SignerCertificate {
  /** Binary. */
  readonly certificate: Bytes
  readonly evidence: SignerEvidence
  readonly isCurrent: boolean
}

export interface Surroundings {
  /** The address of the one author; null when there is not exactly one. */
  readonly author: string | null
  /** Certificates that may have made the signatures; `trouble`: why these may not be all. */
  readonly signers: { readonly certificates: readonly SignerCertificate[]; readonly trouble: string | null }
  /** Upper-case hex, fingerprints of the reader's certificates. */
  readonly own: readonly string[]
  readonly encrypted: boolean
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Who made the signatures, as they say themselves: fingerprints or key ids, upper-case hex. */
export function issuersOf(signatures: readonly Bytes[]): readonly string[] {
  const issuers = signatures.slice(0, MOST_JUDGED).flatMap((body) => readSignature(body)?.issuer ?? [])
  return [...new Set(issuers)]
}

/** The best that is to be said of any of the signatures. */
export function judgeSignatures(
  { signed, signatures }: { readonly signed: Bytes; readonly signatures: readonly Bytes[] },
  around: Surroundings,
): SignatureVerdict {
  if (signatures.length === 0) return { kind: 'none' }
  const author = around.author === null ? null : parseAddress(around.author)
  if (!author) return { kind: 'unknown', why: 'the message does not have exactly one author' }
  const verdicts = signatures.slice(0, MOST_JUDGED).map((body) => judgeOne(body, signed, author, around))
  return verdicts.reduce((best, one) => (RANKS.indexOf(one.kind) < RANKS.indexOf(best.kind) ? one : best))
}

const RANKS: readonly SignatureVerdict['kind'][] = ['good', 'unchecked', 'unknown', 'bad', 'none']

const bad = (why: string): SignatureVerdict => ({ kind: 'bad', why })

function judgeOne(body: Bytes, signed: Bytes, author: Address, around: Surroundings): SignatureVerdict {
  const { signers, now } = around
  const signature = readSignature(body)
  if (!signature) return bad('the signature cannot be read')
  const late = untimely(signature, now)
  if (late) return bad(late)
  if (hashName(signature.hash) === null) return bad('it was made with an old hash that can be forged, such as SHA-1')
  const checks = signers.certificates
    .map((signer) => ({ signer, check: checkSignature(signature, signed, signer.certificate, now) }))
    .filter(({ check }) => check.kind !== 'not-issuer')
  if (checks.length === 0) return withoutCertificate(signers.trouble)
  const held = checks.flatMap(({ signer, check }) => (check.kind === 'holds' ? [{ signer, check }] : []))
  const own = held.find(
    ({ signer, check }) => isOf(check.userIds, author) || isOf(userIdsAt(signer.certificate, now), author),
  )
  // one source may know what another does not know yet of the same certificate
  const revoked = checks.find(
    ({ check }) => check.kind === 'revoked' && (!own || check.certificate === own.check.verification.certificate),
  )
  if (revoked || held.length === 0) return bad(WHY[(revoked ?? checks[0]!).check.kind as keyof typeof WHY])
  if (!own) return bad('it was made with a certificate of somebody else than the author')
  if (around.encrypted && !isFor(own.check.recipients, around.own)) return bad('it was made for somebody else')
  const { certificate: fingerprint, created } = own.check.verification
  const { evidence, isCurrent } = own.signer
  return { kind: 'good', fingerprint, evidence, isCurrent, signed: created }
}

const WHY: Readonly<Record<Exclude<SignatureCheck['kind'], 'holds' | 'not-issuer'>, string>> = {
  revoked: 'the certificate that made it was revoked',
  expired: 'the key that made it had expired',
  'not-bound': 'the key that made it may not sign',
  altered: 'it does not hold: the message is not what was signed',
}

function untimely({ created, expiresAfter }: Signature, now: number): string | null {
  if (created! > now + CLOCK_SKEW) return 'it is from the future'
  return expiresAfter !== null && created! + expiresAfter <= now ? 'it has expired' : null
}

function withoutCertificate(trouble: string | null): SignatureVerdict {
  if (trouble !== null) return { kind: 'unchecked', why: trouble }
  return { kind: 'unknown', why: 'no certificate of the author is known that made it' }
}

function isOf(userIds: readonly string[], author: Address): boolean {
  return userIds.some((userId) => {
    const address = addressInUserId(userId)
    return address !== null && sameAddress(address, author)
  })
}

/** RFC 9580 §5.2.3.36: a signature that was taken out of one encrypted message does not count in another. */
function isFor(recipients: readonly string[], own: readonly string[]): boolean {
  return recipients.length === 0 || recipients.some((one) => own.includes(one))
}

/** RFC 8601 §2.7 gives the words their meaning. */
const RESULTS: Readonly<Record<SignatureVerdict['kind'], string>> = {
  none: 'none',
  good: 'pass',
  bad: 'fail',
  unknown: 'neutral',
  unchecked: 'temperror',
}

const LINE_LENGTH = 76
const LONGEST_REASON = 200

/**
 * The whole Authentication-Results field (RFC 8601 §2.2) that tells mail programs of a message's protection, with its CRLF. `shown`:
 * the address in the From field that is shown, when that is not the author that the message claims inside (RFC 9788 §4.4).
 */
export function resultsField(authservId: string, protection: Protection, shown = protection.author): string {
  const { signature, author, encryption } = protection
  const words = [`openpgp=${RESULTS[signature.kind]}`, `(${layersOf(protection)})`]
  if ('why' in signature) words.push(...reasonWords(signature.why))
  if (shown !== null) words.push(`header.from=${formatFrom(shown)}`)
  if (author !== null && author !== shown) words.push(`policy.openpgp-inner-from=${formatFrom(author)}`)
  if (signature.kind === 'good') {
    words.push(`policy.openpgp-fingerprint=${signature.fingerprint}`, `policy.openpgp-evidence=${signature.evidence}`)
    if (!signature.isCurrent) words.push('policy.openpgp-current=no')
  }
  words.push(`policy.openpgp-encrypted=${encryption === 'none' ? 'no' : 'yes'}`)
  return `Authentication-Results: ${formatResultValue(authservId)};\r\n\t${folded(words)}\r\n`
}

function layersOf({ signature, encryption }: Protection): string {
  const layers = [...(signature.kind === 'none' ? [] : ['signed']), ...(encryption === 'none' ? [] : ['encrypted'])]
  return layers.length === 0 ? 'neither signed nor encrypted' : layers.join(' and ')
}

/** Cut at blanks, where a quoted string may be folded (RFC 5322 §3.2.4). */
function reasonWords(why: string): readonly string[] {
  const text = why
    .slice(0, LONGEST_REASON)
    .replace(/[^ -~]+/g, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
  return `reason="${text.replace(/["\\]/g, '\\$&')}"`.split(' ')
}

/** RFC 8601 §2.2 `pvalue`: an address as it is where it is one to its grammar, else in quotation marks. */
function formatFrom(author: string): string {
  return /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]+@[A-Za-z0-9.-]+$/.test(author) ? author : formatResultValue(author)
}

function folded(words: readonly string[]): string {
  const lines: string[] = []
  let line = ''
  for (const word of words) {
    if (line !== '' && line.length + 1 + word.length > LINE_LENGTH) {
      lines.push(line)
      line = ''
    }
    line += line === '' ? word : ` ${word}`
  }
  return [...lines, line].join('\r\n ')
}
