/**
 * Web Key Directories (draft-koch-openpgp-webkey-service): HTTPS alone speaks for them, and nothing says beforehand whether a domain
 * has one. So where nobody shows a certificate for the name or the answer is some web page, there is none; only where the host
 * of the directory is really there does its trouble mean to try again.
 */
import { wkdHash } from '#formats/hkp/names.ts'
import { formatAddress } from '#formats/message/address.ts'
import type { Finding, Search, SearchTools } from './finding.ts'
import { chooseCertificate } from './usable-certificate.ts'
import type { WebAnswer } from './web-client.ts'

/** null: the domain has none for the address. */
export async function askWebKeyDirectory(wanted: Search, tools: SearchTools): Promise<Finding | null> {
  const { address, domain, note } = wanted
  const { resolver, web, httpsPort: port } = tools
  const advanced = `openpgpkey.${domain}`
  const host = await resolver.addresses(advanced)
  if (host.kind === 'bogus' || host.kind === 'temporary') {
    const why = host.kind === 'bogus' ? `the addresses of ${advanced} are bogus` : host.why
    note('wkd', 'failed', why)
    return { kind: 'temporary', why, isUnproven: true }
  }
  const file = `${wkdHash(address.local)}?l=${encodeURIComponent(address.local)}`
  // §3.1: the direct form only where the host of the advanced one does not exist.
  if (host.kind === 'answer' && host.records.length > 0) {
    const path = `/.well-known/openpgpkey/${domain}/hu/${file}`
    return judged(advanced, await web.get({ host: advanced, port, path }), wanted, tools)
  }
  const answer = await web.get({ host: domain, port, path: `/.well-known/openpgpkey/hu/${file}` })
  const finding = judged(domain, answer, wanted, tools)
  return finding?.kind === 'temporary' ? null : finding
}

function judged(host: string, answer: WebAnswer, { address, note }: Search, { clock }: SearchTools): Finding | null {
  if (answer.kind === 'nowhere' || (answer.kind === 'failed' && !answer.isSecured)) {
    note('wkd', 'absent', `no Web Key Directory can be reached (${answer.why})`)
    return null
  }
  if (answer.kind === 'failed' || (answer.kind === 'answer' && (answer.status >= 500 || answer.status === 429))) {
    const why = answer.kind === 'failed' ? answer.why : `${host} answers ${answer.status}`
    note('wkd', 'failed', why)
    return { kind: 'temporary', why, isUnproven: true }
  }
  if (answer.kind === 'too-large' || answer.status !== 200) {
    const said = answer.kind === 'too-large' ? 'with more than 64 kB' : String(answer.status)
    note('wkd', 'absent', `${host} has no certificate for ${formatAddress(address)} (it answers ${said})`)
    return null
  }
  const choice = chooseCertificate([answer.body], address, clock.now())
  if (choice.kind === 'nothing') {
    note('wkd', 'absent', `${host} has no certificate for ${formatAddress(address)} (it answers with something else)`)
    return null
  }
  if (choice.kind === 'refused') {
    note('wkd', 'refused', choice.why)
    return { kind: 'unusable', why: choice.why, revoked: choice.revoked }
  }
  note('wkd', 'found', `${host} has the certificate ${choice.fingerprint}`)
  const renew = answer.maxAge === null ? null : answer.maxAge * 1000
  return { ...choice, kind: 'found', evidence: 'wkd', keep: null, renew }
}
