/** `letterlock doctor`: looks at a domain of ours as a foreign provider would, and names what is wrong and how to mend it. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { LoadedConfig } from '#config/load.ts'
import { domainKey } from '#custody/accounts/address-key.ts'
import type { Account, Directory } from '#custody/accounts/directory.ts'
import { formatAddress } from '#formats/message/address.ts'
import { systemClock } from '#lib/clock.ts'
import type { DnsClient } from '#policy/dns/dns-client.ts'
import { createWebClient } from '#privacy/discovery/web-client.ts'
import { CliError } from './cli-error.ts'
import { openDiscoverer, openResolver, trustedBy } from './discovery.ts'
import { recordsOf } from './domain-records.ts'
import { keyRecords } from './key-records.ts'
import { answer, type OutputOptions } from './output.ts'
import { type PlaceOptions, Premises } from './premises.ts'
import { type Diagnosis, diagnose } from './published.ts'

/** Accounts whose certificates are looked up from outside. */
const SAMPLE = 3
/** Keys in DNS that are looked at. */
const MOST_KEYS = 50

export async function doctor(name: string, options: PlaceOptions & OutputOptions): Promise<void> {
  const domain = domainKey(name)
  await using premises = new Premises(options)
  const { config } = premises
  const directory = await premises.directory()
  if (!(await directory.domains()).some((own) => domainKey(own) === domain))
    throw new CliError(`${name} is no domain of this provider; letterlock domain list shows which are`)
  using resolver = openResolver(config)
  const records = await recordsOf(domain, config)
  const diagnoses = [
    ...proofDiagnoses(config.dns.validating),
    ...trustDiagnoses(config.tls),
    ...(await Promise.all(records.map((record) => diagnose(record, resolver)))),
    ...(await diagnoseKeys(domain, directory, resolver)),
    ...(await lookUpFromOutside(domain, premises, resolver)),
    await lookAtDirectory(domain, premises, resolver),
    DKIM,
  ]
  const wrong = diagnoses.filter(({ state }) => state === 'wrong').length
  answer(options, { domain, wrong, diagnoses }, diagnoses.map(textOf).join('\n'))
  if (wrong > 0) throw new CliError(`${wrong} of ${diagnoses.length} things about ${domain} are wrong`)
}

const DKIM: Diagnosis = {
  state: 'note',
  what: 'DKIM',
  security: null,
  found: 'this version signs no mail with DKIM, so there is nothing to publish for it',
  fix: null,
}

function proofDiagnoses(isValidating: boolean): Diagnosis[] {
  if (isValidating) return []
  const found = 'no resolver is configured that validates DNSSEC, so what follows says "insecure" of everything'
  const fix = 'run Unbound on this machine and set dns.servers = ["127.0.0.1"], dns.validating = true'
  return [{ state: 'wrong', what: 'resolver', security: null, found, fix }]
}

/** What we look with trusts CAs that strangers do not know. */
function trustDiagnoses({ certificate, trust }: LoadedConfig['tls']): Diagnosis[] {
  const own = new X509Certificate(readFileSync(certificate))
  const file = trust.find((one) => {
    const ca = new X509Certificate(readFileSync(one))
    return own.checkIssued(ca) && own.verify(ca.publicKey)
  })
  if (file === undefined) return []
  const found = `it is by the CA in ${file}, which others do not trust unless they are told to: they cannot ask the keyserver`
  return [{ state: 'note', what: 'TLS certificate', security: null, found, fix: null }]
}

const MARKS: Readonly<Record<Diagnosis['state'], string>> = { ok: 'ok   ', note: 'note ', wrong: 'WRONG' }

function textOf({ state, what, security, found, fix }: Diagnosis): string {
  const line = `${MARKS[state]} ${what}: ${found}${security === null ? '' : ` (${security})`}`
  return fix === null ? line : `${line}\n      ${fix}`
}

/** A record that was forgotten when a key changed gives everybody the wrong one. */
async function diagnoseKeys(domain: string, directory: Directory, resolver: DnsClient): Promise<Diagnosis[]> {
  const records = (await keyRecords(domain, directory, systemClock)).slice(0, MOST_KEYS)
  const found = await Promise.all(records.map((record) => diagnose(record, resolver)))
  const published = found.filter(({ state }) => state !== 'note')
  if (published.length > 0) return published
  const text = 'no keys are published in DNS, which is no harm where the keyserver is found'
  return [{ state: 'note', what: 'OPENPGPKEY', security: null, found: text, fix: null }]
}

/** Whether others find the certificates that they are to find. */
async function lookUpFromOutside(domain: string, premises: Premises, resolver: DnsClient): Promise<Diagnosis[]> {
  const directory = await premises.directory()
  const accounts = await sampleOf(domain, directory)
  await using discoverer = await openDiscoverer(premises, resolver, true)
  return await Promise.all(
    accounts.map(async ({ account, fingerprint }): Promise<Diagnosis> => {
      const what = `certificate of ${formatAddress(account.address)}`
      const found = await discoverer.discover(account.address)
      if (found.kind === 'found' && found.fingerprint === fingerprint) {
        return { state: 'ok', what, security: null, found: `others find it (${found.evidence})`, fix: null }
      }
      const steps = found.steps.map(({ text }) => text).join('; ')
      const why = found.kind === 'found' ? `others find ${found.fingerprint} instead` : 'others do not find it'
      const fix =
        'mend what is wrong above; where nothing is, see that the keyserver runs and can be reached under its name and port ' +
        'from outside, with a TLS certificate that others trust'
      return { state: 'wrong', what, security: null, found: `${why}: ${steps}`, fix }
    }),
  )
}

async function sampleOf(domain: string, directory: Directory) {
  const sample: { readonly account: Account; readonly fingerprint: string }[] = []
  for (const account of await directory.accounts()) {
    if (sample.length === SAMPLE) break
    if (account.state !== 'active' || domainKey(account.address.domain) !== domain) continue
    const current = (await directory.certificates(account.id)).find((one) => one.endToEnd && !one.revocation)
    if (current) sample.push({ account, fingerprint: current.fingerprint })
  }
  return sample
}

/** Its policy file is what every Web Key Directory has (draft-koch-openpgp-webkey-service §4.5). */
async function lookAtDirectory(domain: string, { config }: Premises, resolver: DnsClient): Promise<Diagnosis> {
  const host = `openpgpkey.${domain}`
  const web = createWebClient({
    resolver,
    clock: systemClock,
    ca: trustedBy(config),
    allowPrivate: config.relay.allowPrivate,
    closing: new AbortController().signal,
  })
  const policy = await web.get({ host, port: 443, path: `/.well-known/openpgpkey/${domain}/policy` })
  const what = 'Web Key Directory'
  if (policy.kind === 'answer' && policy.status === 200)
    return { state: 'ok', what, security: null, found: `${host} answers`, fix: null }
  if (policy.kind === 'nowhere' && !policy.isPrivate) {
    const found = `there is none (${policy.why}); GnuPG and Thunderbird users would find keys by it`
    return { state: 'note', what, security: null, found, fix: null }
  }
  const why =
    policy.kind === 'answer'
      ? `${host} answers ${policy.status}`
      : policy.kind === 'too-large'
        ? 'too large'
        : policy.why
  const fix = `let ${host} lead to this server with a TLS certificate of that name, or remove the name from DNS`
  return { state: 'wrong', what, security: null, found: why, fix }
}
