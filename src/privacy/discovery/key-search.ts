/**
 * Certificates that an address has or had, by one of their keys: for signatures, which are judged as of the time when they were made.
 * So neither its end nor its revocation keeps one out. Only the keyserver that the domain names in signed DNS is asked: it has what has
 * a successor by now, which no other source has.
 */
import { type Address, sameAddress } from '#formats/message/address.ts'
import { keysIn } from '#formats/openpgp/certificate.ts'
import { readComponents, splitCertificate } from '#formats/openpgp/certificate-components.ts'
import { cleanCertificate } from '#formats/openpgp/clean.ts'
import { addressInUserId } from '#formats/openpgp/user-id.ts'
import type { Bytes } from '#lib/bytes.ts'
import { keyIdOf, unlessMalformed } from '../keyserver/publication.ts'
import type { Finding, Search, SearchTools } from './finding.ts'
import { type Failed, fetchFrom, findKeyservers } from './keyserver.ts'
import type { Target } from './srv-targets.ts'
import { certificatesIn, MOST_CERTIFICATES } from './usable-certificate.ts'

/** A fingerprint or a 64-bit key id. */
export const isKeyName = (text: string): boolean => /^(?:[0-9A-F]{16}|[0-9A-F]{40}|[0-9A-F]{64})$/.test(text)

/** `key`: a fingerprint or key id. */
export const hasKey = (certificate: Bytes, key: string): boolean =>
  keysIn(certificate).some(({ fingerprint }) => fingerprint === key || keyIdOf(fingerprint) === key)

export async function searchForKey(wanted: Search, key: string, tools: SearchTools): Promise<Finding> {
  if (wanted.domain.startsWith('[')) return { kind: 'none' }
  const named = await findKeyservers(wanted, tools)
  if (named.kind === 'finding') return named.finding
  if (named.kind === 'nothing') return { kind: 'none' }
  let why = ''
  for (const target of named.targets) {
    const asked = await askOne(target, key, wanted, tools)
    if (asked.kind !== 'failed') return asked
    wanted.note('keyserver', asked.isRefused ? 'refused' : 'failed', asked.why)
    why = asked.why
  }
  return { kind: 'temporary', why }
}

async function askOne(target: Target, key: string, wanted: Search, tools: SearchTools): Promise<Finding | Failed> {
  const { host } = target
  for (const path of pathsOf(key)) {
    const fetched = await fetchFrom(target, path, wanted, tools)
    if (fetched.kind === 'failed') return fetched
    const found = fetched.kind === 'body' ? pastCertificate(fetched.body, wanted.address, key, tools.clock.now()) : null
    if (!found || fetched.kind !== 'body') continue
    const { fingerprint } = splitCertificate(found).primary
    wanted.note('keyserver', 'found', `${host} has the certificate ${fingerprint} for the key ${key}`)
    const life = { keep: null, renew: fetched.renew, expires: null }
    return { kind: 'found', certificate: found, fingerprint, evidence: 'secure-srv', ...life }
  }
  wanted.note('keyserver', 'absent', `${host} has no certificate of the address with the key ${key}`)
  return { kind: 'none' }
}

/** draft-ietf-openpgp-hkp: version 1 first, which everybody speaks; certificates of version 6 are only in version 2. */
function pathsOf(key: string): readonly string[] {
  const version1 = `/pks/lookup?op=get&options=mr&exact=on&search=0x${key}`
  if (key.length === 64) return [`/pks/v2/certs/by-vfingerprint/06/${key}`]
  return [version1, key.length === 40 ? `/pks/v2/certs/by-vfingerprint/04/${key}` : `/pks/v2/certs/by-keyid/${key}`]
}

/**
 * The one that has the key, bound by signatures of its own, and a user id that names the address, given up or not. Binary, cleaned. null:
 * none does.
 */
export function pastCertificate(octets: Bytes, address: Address, key: string, now: number): Buffer | null {
  for (const one of certificatesIn(octets).slice(0, MOST_CERTIFICATES)) {
    const clean = unlessMalformed(() => cleanCertificate(one, now))
    if (clean && hasKey(clean, key) && names(clean, address)) return clean
  }
  return null
}

function names(certificate: Bytes, address: Address): boolean {
  const { userIds } = readComponents(splitCertificate(certificate), null)
  return userIds.some(({ userId }) => {
    const named = addressInUserId(userId)
    return named !== null && sameAddress(named, address)
  })
}
