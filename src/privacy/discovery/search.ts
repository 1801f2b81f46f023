/** One search through the sources, in their order. Nothing is remembered here. */
import { openPgpKeyName } from '#formats/hkp/names.ts'
import { securityOf } from '#policy/dns/resolver.ts'
import type { Finding, Search, SearchTools } from './finding.ts'
import { askKeyservers } from './keyserver.ts'
import { chooseCertificate } from './usable-certificate.ts'
import { askWebKeyDirectory } from './web-key-directory.ts'

export async function search(wanted: Search, tools: SearchTools): Promise<Finding> {
  if (wanted.domain.startsWith('[')) {
    wanted.note('srv', 'absent', 'an IP address in place of a domain has nothing in DNS')
    return { kind: 'none' }
  }
  const named = await askKeyservers(wanted, tools)
  if (named.kind === 'finding') return named.finding
  const inDns = await askDns(wanted, tools, named.isSigned)
  if (inDns.kind === 'finding') return inDns.finding
  const insecure = named.insecure ?? inDns.insecure
  if (!named.hasAnswered) {
    const finding = await askWebKeyDirectory(wanted, tools)
    if (finding) return finding
  }
  return insecure === null ? { kind: 'none' } : { kind: 'unusable', why: insecure, revoked: [], isUnproven: true }
}

/** `insecure`: what is there and cannot be used, because nothing proves it. */
type AskedDns =
  | { readonly kind: 'finding'; readonly finding: Finding }
  | { readonly kind: 'absent'; readonly insecure: string | null }

/** RFC 7929. `isSigned`: the domain is known to be signed. Of one that is not, no OPENPGPKEY can be used, so that its trouble is none. */
async function askDns(
  { address, domain, note }: Search,
  { resolver, clock }: SearchTools,
  isSigned: boolean,
): Promise<AskedDns> {
  const answer = await resolver.openpgpkey(openPgpKeyName(address))
  const security = securityOf(answer)
  if (answer.kind === 'bogus' || answer.kind === 'temporary') {
    const why = answer.kind === 'bogus' ? `the OPENPGPKEY record of ${domain} is bogus` : answer.why
    note('openpgpkey', 'failed', why)
    // RFC 7929 §5.1, §7.1
    if (answer.kind === 'bogus' || isSigned) return { kind: 'finding', finding: { kind: 'temporary', why } }
    return { kind: 'absent', insecure: null }
  }
  if (answer.kind === 'nxdomain' || answer.records.length === 0) {
    note('openpgpkey', 'absent', `there is no OPENPGPKEY record (${security})`)
    return { kind: 'absent', insecure: null }
  }
  if (!answer.secure) {
    const why = 'there is an OPENPGPKEY record, but it is not secured by DNSSEC'
    note('openpgpkey', 'refused', why)
    return { kind: 'absent', insecure: why }
  }
  const choice = chooseCertificate(answer.records, address, clock.now())
  if (choice.kind === 'usable') {
    note('openpgpkey', 'found', `certificate ${choice.fingerprint} in DNS, secured by DNSSEC`)
    const life = answer.ttl * 1000
    return {
      kind: 'finding',
      // RFC 7929 §7.1: not longer than its TTL.
      finding: { ...choice, kind: 'found', evidence: 'openpgpkey', keep: life, renew: life },
    }
  }
  const why = choice.kind === 'refused' ? choice.why : 'the OPENPGPKEY record is no certificate'
  note('openpgpkey', 'refused', why)
  const revoked = choice.kind === 'refused' ? choice.revoked : []
  return { kind: 'finding', finding: { kind: 'unusable', why, revoked } }
}
