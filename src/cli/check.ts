/** `letterlock check`: what is known of a recipient's certificate, where from, and what that means for mail to them. */
import { formatAddress } from '#formats/message/address.ts'
import type { Discovery, Evidence, Sighting, Step } from '#privacy/discovery/discovery.ts'
import { openDiscoverer, openResolver } from './discovery.ts'
import { answer, notice, type OutputOptions } from './output.ts'
import { addressOf, type PlaceOptions, Premises } from './premises.ts'

export interface CheckOptions extends PlaceOptions, OutputOptions {
  readonly fresh?: boolean
  /** An account. */
  readonly for?: string
}

export async function check(texts: readonly string[], options: CheckOptions): Promise<void> {
  const addresses = texts.map(addressOf)
  await using premises = new Premises(options)
  if (!premises.config.dns.validating) notice(UNPROVEN)
  const author = options.for === undefined ? {} : { account: (await premises.account(options.for)).id }
  using resolver = openResolver(premises.config)
  await using discoverer = await openDiscoverer(premises, resolver, false)
  const checked = await Promise.all(
    addresses.map(async (address): Promise<Checked> => {
      const found = await discoverer.discover(address, { fresh: options.fresh === true, ...author })
      return { address: formatAddress(address), found, sightings: await discoverer.sightings(address) }
    }),
  )
  answer(options, checked.map(documentOf), checked.map(textOf).join('\n\n'))
}

const UNPROVEN =
  'letterlock: no resolver is configured that validates DNSSEC (dns.validating), so nothing in DNS counts as proven. ' +
  'Run Unbound on this machine, or name a resolver over TLS.'

interface Checked {
  readonly address: string
  readonly found: Discovery
  readonly sightings: readonly Sighting[]
}

function documentOf({ address, found, sightings }: Checked): object {
  const meaning = meaningOf(found)
  if (found.kind !== 'found') return { address, ...found, meaning, sightings }
  const { certificate, ...facts } = found
  return { address, ...facts, certificate: Buffer.from(certificate).toString('base64'), meaning, sightings }
}

const EVIDENCE: Readonly<Record<Evidence, string>> = {
  local: 'an account of this provider',
  'secure-srv': "the domain's own keyserver, which it names in DNS secured by DNSSEC",
  openpgpkey: 'DNS itself (OPENPGPKEY), secured by DNSSEC',
  wkd: "the domain's Web Key Directory; HTTPS alone vouches for it",
  accepted: 'what the account itself accepted; nobody publishes one that can be believed',
}

const MARKS: Readonly<Record<Step['outcome'], string>> = { found: '+', absent: '-', refused: '!', failed: '?' }

const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`

function textOf({ address, found, sightings }: Checked): string {
  const steps = found.steps.map(({ outcome, text }) => `  ${MARKS[outcome]} ${text}`)
  return [
    address,
    ...headOf(found).map(indented),
    ...steps,
    ...historyOf(found, sightings),
    indented(meaningOf(found)),
  ].join('\n')
}

const indented = (line: string) => `  ${line}`

function headOf(found: Discovery): string[] {
  switch (found.kind) {
    case 'found': {
      const lines = [`Certificate ${found.fingerprint}`, `from ${EVIDENCE[found.evidence]}`]
      if (found.evidence === 'accepted') lines.push(`accepted ${time(found.at)}`)
      else if (found.evidence !== 'local')
        lines.push(`looked up ${time(found.at)}, deleted ${time(found.until)} at the latest`)
      return lines
    }
    case 'none':
      return ['No certificate is published for this address.']
    case 'unusable':
      return [`What is published cannot be used: ${found.why}.`]
    case 'temporary':
      return [`It cannot be known now: ${found.why}.`]
  }
}

function historyOf(found: Discovery, sightings: readonly Sighting[]): string[] {
  const now = found.kind === 'found' ? found.fingerprint : null
  return sightings
    .filter(({ fingerprint }) => fingerprint !== now)
    .map(({ fingerprint, first, last }) => `  before: ${fingerprint}, seen from ${time(first)} to ${time(last)}`)
}

const TODAY =
  'This version does not seal outgoing mail yet: it leaves as it was written, over TLS where the other side offers that.'

/** What it means today, and what will be made of it: no more is promised than is done. */
function meaningOf({ kind, steps }: Discovery): string {
  if (steps[0]?.source === 'directory') return OURS
  switch (kind) {
    case 'found':
      return `${TODAY} This certificate is the one that mail will be sealed to.`
    case 'none':
    case 'unusable':
      return `${TODAY} For this address there would be nothing to seal it to.`
    case 'temporary':
      return `${TODAY} Once it does, mail that must be sealed will wait and be tried again, and not leave in clear because of this.`
  }
}

const OURS = 'The address is of this provider: mail to its accounts stays on this server, where it is stored sealed.'
