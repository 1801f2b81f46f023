/** The last source: what the owner of an account accepted, where nobody publishes anything that DNSSEC proves. A Web Key Directory keeps its word beside it. */
import { type Address, formatAddress } from '#formats/message/address.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { AcceptedCertificates, Discovery, Step } from './discovery.ts'
import { chooseCertificate } from './usable-certificate.ts'

/** Of a certificate without an end: the last moment that can be written. */
const NEVER = 8_640_000_000_000_000

type Accepted = Awaited<ReturnType<AcceptedCertificates['accepted']>>

/** `published`: what discovery came to without it. Trouble stays trouble, and what is revoked, expired or weak stays unusable. */
export async function withAccepted(
  published: Discovery,
  look: () => Promise<Accepted>,
  address: Address,
  now: number,
): Promise<Discovery> {
  const isDirectory = published.kind === 'found' && published.evidence === 'wkd'
  const isUnproven = (published.kind === 'unusable' || published.kind === 'temporary') && published.isUnproven
  if (!isDirectory && published.kind !== 'none' && !isUnproven) return published
  const step = (outcome: Step['outcome'], text: string) => [
    ...published.steps,
    { source: 'accepted', outcome, text } as const,
  ]
  let accepted: Accepted
  try {
    accepted = await look()
  } catch (error) {
    const why = `what was accepted for this address cannot be read (${(error as Error).message})`
    return { kind: 'temporary', why, steps: step('failed', why) }
  }
  if (!accepted) return published
  if (published.kind === 'temporary') return { kind: 'temporary', why: published.why, steps: published.steps }
  if (isDirectory)
    return {
      ...published,
      isAccepted: true,
      steps: step('found', besideDirectory(published.fingerprint, accepted.certificate)),
    }
  const choice = chooseCertificate([accepted.certificate], address, now)
  if (choice.kind !== 'usable') {
    const reason = choice.kind === 'refused' ? choice.why : 'it is no certificate'
    const why = `what was accepted for ${formatAddress(address)} is not usable any more: ${reason}`
    return { kind: 'unusable', why, steps: step('refused', why) }
  }
  const { certificate, fingerprint, expires } = choice
  const steps = step('found', `the owner of the account accepted the certificate ${fingerprint}`)
  return {
    kind: 'found',
    certificate,
    fingerprint,
    evidence: 'accepted',
    steps,
    at: accepted.at,
    until: expires ?? NEVER,
  }
}

function besideDirectory(fingerprint: string, accepted: Bytes): string {
  const own = parseCertificate(accepted).fingerprint
  if (own === fingerprint) return 'the owner of the account accepted it'
  return `the owner of the account accepted another one before: ${own}`
}
