/**
 * Certificates from outside that are asked about for one message after the other, each at its own time. What one says changes only
 * where one of its signatures begins or ends, so it is verified once for the time between two such moments.
 */
import { createHash } from 'node:crypto'
import type { Bytes } from '#lib/bytes.ts'
import { RecentlyUsed } from '#lib/recently-used.ts'
import { binaryCertificate, type Certificate, keysIn, verifyCertificate } from './certificate.ts'
import { type Section, splitCertificate } from './certificate-components.ts'
import type { PublicKeyPacket } from './key-packet.ts'
import { MalformedOpenPgp } from './openpgp.ts'
import { parseSignature } from './signature.ts'

interface Read {
  /** A copy: what came may be wiped, or part of something large. */
  readonly octets: Bytes
  readonly keys: readonly PublicKeyPacket[]
  /** When one of its signatures begins or ends, ascending. */
  readonly moments: readonly number[]
  /** By the first moment after. The least recently made first. */
  readonly spans: Map<number, Certificate | null>
}

const MOST = 128
/** Octets of certificates. What is made of them takes some times as much. */
const HEAVIEST = 1 << 20
/** Of one certificate: its owner renews it now and then. */
const MOST_SPANS = 4

const kept = new RecentlyUsed<Read>(MOST, HEAVIEST)

/** What `keysIn` gives; none for what is no certificate. */
export function keysOf(octets: Bytes): readonly PublicKeyPacket[] {
  return read(octets).keys
}

/** What `verifyCertificate` gives at `now`, or null for what is no certificate then. */
export function certificateAt(octets: Bytes, now: number): Certificate | null {
  const { octets: copy, moments, spans } = read(octets)
  const next = moments.find((moment) => moment > now) ?? Number.POSITIVE_INFINITY
  const known = spans.get(next)
  if (known !== undefined) return known
  const certificate = unlessMalformed(() => verifyCertificate(copy, now))
  spans.set(next, certificate)
  if (spans.size > MOST_SPANS) spans.delete(spans.keys().next().value!)
  return certificate
}

function read(octets: Bytes): Read {
  const name = createHash('sha256').update(octets).digest('base64')
  let found = kept.get(name)
  if (!found) {
    const copy = Buffer.from(octets)
    const keys = unlessMalformed(() => keysIn(copy)) ?? []
    const moments = unlessMalformed(() => momentsOf(copy)) ?? []
    found = { octets: copy, keys, moments, spans: new Map() }
    kept.set(name, found, copy.length)
  }
  return found
}

function momentsOf(octets: Bytes): readonly number[] {
  const { first, others } = splitCertificate(binaryCertificate(octets))
  const moments = new Set([first, ...others].flatMap(momentsIn))
  return [...moments].sort((a, b) => a - b)
}

function momentsIn({ signatures }: Section): readonly number[] {
  const embedded = signatures.flatMap(
    ({ embedded: body }) => (body && unlessMalformed(() => parseSignature(body))) ?? [],
  )
  return [...signatures, ...embedded].flatMap(({ created, expiresAfter }) => {
    if (created === null) return []
    return expiresAfter === null ? [created] : [created, created + expiresAfter]
  })
}

function unlessMalformed<T>(make: () => T): T | null {
  try {
    return make()
  } catch (error) {
    if (error instanceof MalformedOpenPgp) return null
    throw error
  }
}
