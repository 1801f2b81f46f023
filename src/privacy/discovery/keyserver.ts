/** The keyserver that a domain names in signed SRV records, asked over HTTPS. */
import { type Address, formatAddress } from '#formats/message/address.ts'
import { securityOf } from '#policy/dns/resolver.ts'
import type { Finding, Search, SearchTools } from './finding.ts'
import { orderTargets, type Target } from './srv-targets.ts'
import { type Choice, chooseCertificate } from './usable-certificate.ts'

/** `hkps` is what providers publish for HTTPS, `hkp` what this scheme began with; both are asked by TLS alone. */
const SERVICES = ['_hkps._tcp', '_hkp._tcp'] as const

export type AskedKeyservers =
  | { readonly kind: 'finding'; readonly finding: Finding }
  | {
      readonly kind: 'nothing'
      /** The domain's own keyserver said that it has none. */
      readonly hasAnswered: boolean
      /** DNSSEC proves what DNS says about the domain. */
      readonly isSigned: boolean
      /** What is there and cannot be used, because nothing proves it. */
      readonly insecure: string | null
    }

export async function askKeyservers(wanted: Search, tools: SearchTools): Promise<AskedKeyservers> {
  const named = await findKeyservers(wanted, tools)
  if (named.kind !== 'targets') return named
  let why = ''
  let isUnusable = true
  for (const target of named.targets) {
    const asked = await askOne(target, wanted, tools)
    if (asked.kind === 'finding') return asked
    if (asked.kind === 'absent') return { kind: 'nothing', hasAnswered: true, isSigned: true, insecure: null }
    why = asked.why
    isUnusable &&= asked.isRefused
  }
  const finding: Finding = isUnusable ? { kind: 'unusable', why, revoked: [] } : { kind: 'temporary', why }
  return { kind: 'finding', finding }
}

type Found = { readonly kind: 'targets'; readonly targets: readonly Target[] } | AskedKeyservers

export async function findKeyservers({ domain, note }: Search, { resolver, random }: SearchTools): Promise<Found> {
  const names = SERVICES.map((service) => `${service}.${domain}`)
  const answers = await Promise.all(names.map((name) => resolver.srv(name)))
  let insecure: string | null = null
  let isSigned = false
  for (const [at, answer] of answers.entries()) {
    const name = names[at]!
    if (answer.kind === 'bogus' || answer.kind === 'temporary') {
      const why = answer.kind === 'bogus' ? `${name}: the SRV record is bogus` : answer.why
      note('srv', 'failed', why)
      return { kind: 'finding', finding: { kind: 'temporary', why } }
    }
    isSigned ||= answer.secure
    if (answer.kind === 'nxdomain' || answer.records.length === 0) {
      note('srv', 'absent', `${name}: no SRV record (${securityOf(answer)})`)
      continue
    }
    if (!answer.secure) {
      const why = `${name}: there is an SRV record, but it is not secured by DNSSEC`
      insecure ??= why
      note('srv', 'refused', why)
      continue
    }
    const targets = orderTargets(answer.records, random)
    if (targets.length > 0) {
      const hosts = targets.map(({ host, port }) => `${host}:${port}`).join(', ')
      note('srv', 'found', `${name}: ${hosts}, secured by DNSSEC`)
      return { kind: 'targets', targets }
    }
    note('srv', 'absent', `${name}: the domain says that it has no such keyserver`)
  }
  return { kind: 'nothing', hasAnswered: false, isSigned, insecure }
}

type Asked = { readonly kind: 'finding'; readonly finding: Finding } | { readonly kind: 'absent' } | Failed

async function askOne(target: Target, wanted: Search, tools: SearchTools): Promise<Asked> {
  const { host } = target
  const statuses: number[] = []
  for (const path of pathsOf(wanted.address)) {
    const asked = await get(target, path, wanted, tools)
    if (asked.kind === 'failed') return failed(asked, wanted)
    if (asked.kind === 'absent') statuses.push(asked.status)
    else if (asked.choice.kind !== 'nothing') return decided(asked, target, wanted)
    // Some web page: of a server that has said already that it has nothing, it is no answer.
    else if (!statuses.includes(404)) return garbage(target, wanted)
  }
  if (!statuses.some((one) => one === 404 || one === 410)) {
    return failed({ kind: 'failed', isRefused: false, why: `${host} answers ${statuses.join(' and ')}` }, wanted)
  }
  wanted.note('keyserver', 'absent', `${host} has no certificate for the address`)
  return await lookForRevocation(target, wanted, tools)
}

/** draft-ietf-openpgp-hkp: version 1 first, which everybody speaks; certificates of version 6 are only in version 2. */
function pathsOf(address: Address): readonly string[] {
  const text = encodeURIComponent(formatAddress(address))
  return [`/pks/lookup?op=get&options=mr&exact=on&search=${text}`, `/pks/v2/certs/by-identity/${text}`]
}

/** `isRefused`: trying again would not help. */
export type Failed = { readonly kind: 'failed'; readonly isRefused: boolean; readonly why: string }

function failed(asked: Failed, { note }: Search): Failed {
  note('keyserver', asked.isRefused ? 'refused' : 'failed', asked.why)
  return asked
}

type Got =
  | { readonly kind: 'certificates'; readonly choice: Choice; readonly renew: number | null }
  | { readonly kind: 'absent'; readonly status: number }
  | Failed

/** What a server answers that does not know the address, or this form of the question. */
const ABSENT: readonly number[] = [400, 404, 405, 410, 501]

async function get(target: Target, path: string, wanted: Search, tools: SearchTools): Promise<Got> {
  const fetched = await fetchFrom(target, path, wanted, tools)
  if (fetched.kind !== 'body') return fetched
  const { body, renew } = fetched
  return { kind: 'certificates', choice: chooseCertificate([body], wanted.address, tools.clock.now()), renew }
}

export type Fetched =
  | {
      readonly kind: 'body'
      readonly body: Buffer
      /** Milliseconds after which to ask again, as the keyserver says; null when it does not. */
      readonly renew: number | null
    }
  | { readonly kind: 'absent'; readonly status: number }
  | Failed

/** One question to one keyserver that `domain` names. */
export async function fetchFrom(
  { host, port }: Target,
  path: string,
  { domain }: Pick<Search, 'domain'>,
  { web }: SearchTools,
): Promise<Fetched> {
  const answer = await web.get({ host, port, path, alias: domain })
  switch (answer.kind) {
    case 'failed':
      return { kind: 'failed', isRefused: false, why: answer.why }
    case 'nowhere':
      return { kind: 'failed', isRefused: answer.isPrivate, why: answer.why }
    case 'too-large':
      return { kind: 'failed', isRefused: true, why: `${host} answers with more than 64 kB` }
    case 'answer': {
      if (ABSENT.includes(answer.status)) return { kind: 'absent', status: answer.status }
      // Redirects are among what is not taken: where they lead, nobody vouches for.
      if (answer.status !== 200) return { kind: 'failed', isRefused: false, why: `${host} answers ${answer.status}` }
      return { kind: 'body', body: answer.body, renew: answer.maxAge === null ? null : answer.maxAge * 1000 }
    }
  }
}

function garbage({ host }: Target, { note }: Search): Asked {
  const why = `${host} answers with something that is no certificate`
  note('keyserver', 'refused', why)
  return { kind: 'finding', finding: { kind: 'unusable', why, revoked: [] } }
}

function decided({ choice, renew }: Got & { kind: 'certificates' }, { host }: Target, { note }: Search): Asked {
  if (choice.kind === 'usable') {
    note('keyserver', 'found', `${host} has the certificate ${choice.fingerprint}`)
    return { kind: 'finding', finding: { ...choice, kind: 'found', evidence: 'secure-srv', keep: null, renew } }
  }
  const { why, revoked } = choice.kind === 'refused' ? choice : { why: '', revoked: [] }
  note('keyserver', 'refused', why)
  return { kind: 'finding', finding: { kind: 'unusable', why, revoked } }
}

/** By fingerprint keyservers also have what is revoked and what has a successor. */
async function lookForRevocation(target: Target, wanted: Search, tools: SearchTools): Promise<Asked> {
  const { known } = wanted
  if (known === null) return { kind: 'absent' }
  const isNew = known.length === 64
  const path = isNew
    ? `/pks/v2/certs/by-vfingerprint/06/${known}`
    : `/pks/lookup?op=get&options=mr&exact=on&search=0x${known}`
  const asked = await get(target, path, wanted, tools)
  if (asked.kind !== 'certificates' || asked.choice.kind !== 'refused') return { kind: 'absent' }
  return asked.choice.revoked.includes(known) ? decided(asked, target, wanted) : { kind: 'absent' }
}
