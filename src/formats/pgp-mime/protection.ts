/**
 * What protected a message on its way, as it is kept beside the message and shown to its reader (RFC 9787 §3: one status for a
 * message, from its outermost cryptographic layers alone).
 */

import { asBuffer, type Bytes } from '#lib/bytes.ts'

/** How the certificate that a signature was checked with was found, the strongest first. See privacy/discovery. */
export type SignerEvidence = 'local' | 'secure-srv' | 'openpgpkey' | 'wkd' | 'accepted'

export type SignatureVerdict =
  /** There is none. */
  | { readonly kind: 'none' }
  /** By a certificate that the author's address has, or had when it was made. */
  | {
      readonly kind: 'good'
      /** Upper-case hex, of the certificate. */
      readonly fingerprint: string
      readonly evidence: SignerEvidence
      /** false: the author has another one by now. */
      readonly isCurrent: boolean
      /** When it was made, in milliseconds since the epoch. */
      readonly signed: number
    }
  /** It does not hold, or was not made for this reader, or the author's certificate was revoked or expired then. */
  | { readonly kind: 'bad'; readonly why: string }
  /** Nobody publishes a certificate of the author that made it. */
  | { readonly kind: 'unknown'; readonly why: string }
  /** It could not be checked now. */
  | { readonly kind: 'unchecked'; readonly why: string }

export type Encryption =
  /** It came as it was written. */
  | 'none'
  /** It came encrypted and was opened. */
  | 'opened'
  /** It came encrypted to keys that are not here. */
  | 'closed'
  /** It came encrypted to a key of ours and cannot be opened: changed, or without integrity protection. */
  | 'damaged'

export interface Protection {
  readonly encryption: Encryption
  readonly signature: SignatureVerdict
  /** The address that the signature speaks for: the one author. null when the message has not exactly one. */
  readonly author: string | null
  /** When this was found out, in milliseconds since the epoch. */
  readonly at: number
}

const VERSION = 1
const LARGEST = 4096

type Packed = readonly [version: number, encryption: string, author: string | null, at: number, ...signature: unknown[]]

/** JSON: an array without names. */
export function encodeProtection({ encryption, signature, author, at }: Protection): Buffer {
  const packed: Packed = [VERSION, encryption, author, at, ...packVerdict(signature)]
  return Buffer.from(JSON.stringify(packed))
}

function packVerdict(verdict: SignatureVerdict): readonly unknown[] {
  if (verdict.kind === 'none') return [verdict.kind]
  if (verdict.kind !== 'good') return [verdict.kind, verdict.why]
  const { kind, fingerprint, evidence, isCurrent, signed } = verdict
  return [kind, fingerprint, evidence, isCurrent, signed]
}

/** null for whatever `encodeProtection` does not write. */
export function decodeProtection(octets: Bytes): Protection | null {
  const packed = octets.length > LARGEST ? null : parseArray(octets)
  if (!packed || packed[0] !== VERSION) return null
  const [, encryption, author, at, ...rest] = packed
  const signature = unpackVerdict(rest)
  if (!isOneOf(encryption, ENCRYPTIONS) || !isTime(at) || !signature) return null
  return author === null || typeof author === 'string' ? { encryption, signature, author, at } : null
}

function parseArray(octets: Bytes): readonly unknown[] | null {
  try {
    const parsed: unknown = JSON.parse(asBuffer(octets).toString())
    return Array.isArray(parsed) ? parsed : null
  } catch {
    return null
  }
}

function unpackVerdict([kind, ...rest]: readonly unknown[]): SignatureVerdict | null {
  if (kind === 'none') return rest.length === 0 ? { kind } : null
  if (kind === 'bad' || kind === 'unknown' || kind === 'unchecked') {
    const [why] = rest
    return rest.length === 1 && typeof why === 'string' ? { kind, why } : null
  }
  const [fingerprint, evidence, isCurrent, signed] = rest
  if (kind !== 'good' || rest.length !== 4 || typeof fingerprint !== 'string' || !/^[0-9A-F]{40,64}$/.test(fingerprint))
    return null
  if (!isOneOf(evidence, EVIDENCES) || typeof isCurrent !== 'boolean' || !isTime(signed)) return null
  return { kind, fingerprint, evidence, isCurrent, signed }
}

const ENCRYPTIONS: readonly Encryption[] = ['none', 'opened', 'closed', 'damaged']
const EVIDENCES: readonly SignerEvidence[] = ['local', 'secure-srv', 'openpgpkey', 'wkd', 'accepted']

const isOneOf = <T>(value: unknown, all: readonly T[]): value is T => all.includes(value as T)
const isTime = (value: unknown): value is number => Number.isSafeInteger(value)
