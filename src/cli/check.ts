/** `letterlock check`: what becomes of mail to somebody, and what is known of their certificate that makes it so. */
import { type Address, formatAddress } from '#formats/message/address.ts'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import type { Discoverer, Discovery, Evidence, Sighting, Step } from '#privacy/discovery/discovery.ts'
import type { Fate, WithoutKey } from '#privacy/e2e/e2e.ts'
import { createPlanner } from '#privacy/e2e/plan.ts'
import { openDiscoverer, openResolver } from './discovery.ts'
import { answer, notice, type OutputOptions } from './output.ts'
import { addressOf, type PlaceOptions, Premises } from './premises.ts'

export interface CheckOptions extends PlaceOptions, OutputOptions {
  readonly fresh?: boolean
  /** An account. */
  readonly from?: string
}

export async function check(texts: readonly string[], options: CheckOptions): Promise<void> {
  const addresses = texts.map(addressOf)
  await using premises = new Premises(options)
  if (!premises.config.dns.validating) notice(UNPROVEN)
  const author = options.from === undefined ? null : await premises.account(options.from)
  using resolver = openResolver(premises.config)
  await using discoverer = await openDiscoverer(premises, resolver, false)
  const whose = author === null ? {} : { account: author.id }
  const directory = await premises.directory()
  const known = await Promise.all(
    addresses.map(async (address) => ({
      address: formatAddress(address),
      found: await discoverer.discover(address, { fresh: options.fresh === true, ...whose }),
      sightings: await discoverer.sightings(address),
      isNobody: (await directory.route(address)).kind === 'unknown',
    })),
  )
  const { fates, policy } = await foreseen(premises, { discoverer, proves: resolver.proves }, addresses, author?.id)
  const checked = known.map((one, index): Checked => ({ ...one, fate: fates[index]!, policy }))
  answer(options, checked.map(documentOf), checked.map(textOf).join('\n\n'))
}

/** What the server would do: it looks at what was found a moment ago. */
async function foreseen(
  premises: Premises,
  { discoverer, proves }: { readonly discoverer: Discoverer; readonly proves: boolean },
  addresses: readonly Address[],
  author: string | null = null,
) {
  const { seal: seals, withoutKey } = premises.config.e2e
  const planner = createPlanner({
    directory: await premises.directory(),
    source: { discoverer: async () => discoverer },
    accepted: premises.accepted,
    withoutKey,
    seals,
    proves,
    clock: systemClock,
    logger: silentLogger,
  })
  return { fates: await planner.foresee(addresses, author), policy: await planner.policy(author) }
}

const UNPROVEN =
  'letterlock: no resolver is configured that validates DNSSEC (dns.validating), so nothing in DNS counts as proven. ' +
  'Run Unbound on this machine, or name a resolver over TLS.'

interface Checked {
  readonly address: string
  readonly found: Discovery
  readonly sightings: readonly Sighting[]
  /** The domain is ours, and the address is not there: the server refuses it before there is a message. */
  readonly isNobody: boolean
  readonly fate: Fate
  /** What becomes of mail without a key. */
  readonly policy: WithoutKey
}

function documentOf(checked: Checked): object {
  const { address, found, sightings, fate, policy, isNobody } = checked
  const common = { fate: isNobody ? 'unknown' : fate.kind, meaning: meaningOf(checked), policy, sightings }
  if (found.kind !== 'found') return { address, ...found, ...common }
  const { certificate, ...facts } = found
  return { address, ...facts, certificate: Buffer.from(certificate).toString('base64'), ...common }
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

function textOf(checked: Checked): string {
  const { address, found, sightings } = checked
  const steps = found.steps.map(({ outcome, text }) => `  ${MARKS[outcome]} ${text}`)
  return [
    address,
    ...headOf(found).map(indented),
    ...steps,
    ...historyOf(found, sightings),
    indented(meaningOf(checked)),
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
      return [`What there is cannot be used: ${found.why}.`]
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

/** What becomes of an ordinary message now. */
function meaningOf({ fate, isNobody }: Pick<Checked, 'fate' | 'isNobody'>): string {
  if (isNobody) return 'The domain is of this provider, and nobody has the address: mail to it is refused.'
  switch (fate.kind) {
    case 'sealed':
      return `Mail to this address is sealed to ${fate.fingerprint}, found by ${EVIDENCE[fate.evidence]}.`
    case 'kept':
      return 'The address is of this provider: mail to it stays here, where it is stored sealed.'
    case 'already':
      return 'Mail to this address goes as its author encrypted it.'
    case 'plain':
      return `Mail to this address leaves in clear, over TLS where the other side offers that, because ${fate.why}.${fate.warns ? ' Its author is told so.' : ''}`
    case 'refused':
      return `Mail to this address is refused, because it must be sealed and ${fate.why}.`
    case 'pickup':
      return `Mail to this address is kept here, sealed, to be picked up, because ${fate.why}.`
    case 'waits':
      return `Mail to this address waits, sealed, and is tried again, because ${fate.why}.`
  }
}
