/** The Discoverer: searches, remembers what was found, and lets nothing weaker or broken replace it. */
import type { Directory } from '#custody/accounts/directory.ts'
import { type Address, domainOf } from '#formats/message/address.ts'
import { keysIn } from '#formats/openpgp/certificate.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import { WorkGate } from '#lib/work-gate.ts'
import type { RecordResolver } from '#policy/dns/resolver.ts'
import { keyIdOf } from '../keyserver/publication.ts'
import { withAccepted } from './accepted.ts'
import { addressName } from './address-name.ts'
import { type CertificateCache, type Kept, openCertificateCache } from './certificate-cache.ts'
import {
  type AcceptedCertificates,
  type Discoverer,
  type DiscoverOptions,
  type Discovery,
  EVIDENCE,
  type Sighting,
  type Step,
} from './discovery.ts'
import type { Finding, Search, SearchTools } from './finding.ts'
import { hasKey, isKeyName, searchForKey } from './key-search.ts'
import { findKeyInDirectory, lookInDirectory } from './own-addresses.ts'
import { search } from './search.ts'
import { ShortMemory } from './short-memory.ts'
import { createWebClient } from './web-client.ts'

export interface DiscovererOptions {
  /** Of our own domains; null to look at them as a stranger does. */
  readonly directory: Directory | null
  readonly resolver: RecordResolver
  /** Where what was found is kept, sealed under a key of 32 octets; null to keep nothing of it. */
  readonly cache: { readonly path: string; readonly key: Buffer } | null
  /** What accounts accepted; closed by whoever opened it. */
  readonly accepted?: AcceptedCertificates
  readonly clock: Clock
  readonly logger: Logger
  /** Certificates in PEM that keyservers may have theirs from, besides those of the runtime. */
  readonly ca?: readonly string[]
  /** Also ask hosts on loopback and private addresses: for tests and several providers on one machine. */
  readonly allowPrivate?: boolean
  /** Of Web Key Directories. */
  readonly httpsPort?: number
  /** From 0 to 1; for tests. */
  readonly random?: () => number
}

const MINUTE = 60_000
const DAY = 1440 * MINUTE
/** Seed of all: a key that was fetched is deleted after a week. */
const KEEP = 7 * DAY
/** How long it is until we ask again; what the source says only shortens it. */
const RENEW = DAY
/** But no source makes us ask more often. */
const RENEW_LEAST = 5 * MINUTE
const NEGATIVE = 10 * MINUTE
const TEMPORARY = MINUTE
const MOST_REMEMBERED = 4096
const MOST_SEARCHES = 16
const MOST_KEY_SEARCHES = 8

type Failure = Exclude<Discovery, { kind: 'found' }>
type LookAtHome = (directory: Directory, wanted: Search, now: number) => Promise<Finding | null>

const STOPPING: Failure = { kind: 'temporary', why: 'this program is stopping', steps: [] }

export async function createDiscoverer(options: DiscovererOptions): Promise<Discoverer> {
  const { cache, clock } = options
  return new RememberingDiscoverer(options, cache && (await openCertificateCache({ ...cache, clock })))
}

class RememberingDiscoverer implements Discoverer {
  readonly #options: DiscovererOptions
  readonly #cache: CertificateCache | null
  readonly #tools: SearchTools
  readonly #closing = new AbortController()
  readonly #turnstile = new WorkGate(MOST_SEARCHES, Number.POSITIVE_INFINITY)
  /** Signatures on what strangers sent must not keep anybody from writing. */
  readonly #keyTurnstile = new WorkGate(MOST_KEY_SEARCHES, Number.POSITIVE_INFINITY)
  /** What came of the last search where nothing was kept of it: failures, and what is weaker than what is kept. */
  readonly #recent: ShortMemory<Discovery>
  readonly #underWay = new Map<string, Promise<Discovery>>()

  constructor(options: DiscovererOptions, cache: CertificateCache | null) {
    const { resolver, clock, ca = [], allowPrivate = false, httpsPort = 443, random = Math.random } = options
    this.#options = options
    this.#cache = cache
    this.#recent = new ShortMemory(clock, MOST_REMEMBERED)
    const web = createWebClient({ resolver, clock, ca, allowPrivate, closing: this.#closing.signal })
    this.#tools = { resolver, web, clock, random, httpsPort }
  }

  async discover(address: Address, options: DiscoverOptions = {}): Promise<Discovery> {
    const own = await this.#atHome(address, lookInDirectory)
    if (own) return own
    const published = await this.#published(address, options)
    const { account } = options
    const { accepted, clock } = this.#options
    if (!accepted || account === undefined) return published
    return await withAccepted(published, () => accepted.accepted(account, address), address, clock.now())
  }

  async #published(address: Address, { fresh = false, quiet = false }: DiscoverOptions): Promise<Discovery> {
    const name = addressName(address)
    const look = () => this.#look(name, address)
    if (fresh) return await this.#once(name, look)
    const kept = await this.#cache?.get(name)
    const recent = this.#recent.get(name) ?? (quiet ? this.#knownNothing(name) : null)
    if (!kept) return recent ?? (await this.#once(name, look))
    // In the background: who writes need not wait for what is good for days.
    if (kept.renew <= this.#now() && !recent && !quiet) this.#renew(name, address)
    return remembered(kept)
  }

  /** Trouble is asked about again. */
  #knownNothing(name: string): Discovery | null {
    const last = this.#recent.last(name, DAY)
    return last?.kind === 'temporary' ? null : last
  }

  async certificate(address: Address, key: string): Promise<Discovery> {
    if (!isKeyName(key)) return { kind: 'none', steps: [] }
    const own = await this.#atHome(address, (directory, wanted, now) => findKeyInDirectory(directory, wanted, key, now))
    if (own) return own
    const name = keyName(addressName(address), key)
    const kept = (await this.#cache?.get(name)) ?? null
    const known = kept && hasKey(kept.certificate, key) ? kept : null
    if (known && known.renew > this.#now()) return remembered(known)
    const subject = `${name} ${key}`
    const look = () => this.#lookForKey(address, key, name)
    const answer = this.#recent.get(subject) ?? (await this.#once(subject, look, this.#keyTurnstile))
    return answer.kind !== 'found' && known ? remembered(known, answer.steps) : answer
  }

  async forget(address: Address): Promise<void> {
    const name = addressName(address)
    this.#recent.delete(name)
    await this.#cache?.remove(name)
  }

  async sightings(address: Address): Promise<readonly Sighting[]> {
    return (await this.#cache?.sightings(addressName(address))) ?? []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled(this.#underWay.values())
    await this.#cache?.[Symbol.asyncDispose]()
  }

  /** What the directory says is never remembered: it is at hand, and always right. */
  async #atHome(address: Address, look: LookAtHome): Promise<Discovery | null> {
    const { directory, clock } = this.#options
    if (directory === null) return null
    const { wanted, steps } = newSearch(address, null)
    const finding = await look(directory, wanted, clock.now())
    return finding && concluded(finding, steps, clock.now())
  }

  #once(subject: string, look: () => Promise<Discovery>, turnstile = this.#turnstile): Promise<Discovery> {
    const running = this.#underWay.get(subject)
    if (running) return running
    const begun = turnstile
      .run(async () => (this.#closing.signal.aborted ? STOPPING : await look()))
      .finally(() => void this.#underWay.delete(subject))
    this.#underWay.set(subject, begun)
    return begun
  }

  #renew(name: string, address: Address): void {
    this.#once(name, () => this.#look(name, address)).catch((error: Error) => {
      this.#options.logger.error({ error, recipient: address }, 'a certificate could not be looked up again')
    })
  }

  async #look(name: string, address: Address): Promise<Discovery> {
    const known = (await this.#cache?.get(name)) ?? null
    const { wanted, steps } = newSearch(address, known?.fingerprint ?? null)
    const finding = await search(wanted, this.#tools)
    if (finding.kind === 'found') return await this.#found(name, address, keptOf(finding, steps, this.#now()), known)
    const failure = failureOf(finding, steps)
    this.#recent.put(name, failure, lifeOf(failure))
    if (!known) return failure
    if (finding.kind === 'unusable' && finding.revoked.includes(known.fingerprint)) {
      await this.#cache?.remove(name)
      this.#options.logger.warn({ recipient: address }, 'the certificate of a correspondent was revoked')
      return failure
    }
    return this.#isGood(known) ? remembered(known, steps) : failure
  }

  /** A search may outlive what was kept when it began. */
  #isGood({ until }: Kept): boolean {
    return until > this.#now()
  }

  async #found(name: string, address: Address, kept: Kept, known: Kept | null): Promise<Discovery> {
    if (known && this.#isGood(known) && rank(known) < rank(kept)) {
      this.#recent.put(name, shown(kept), NEGATIVE)
      return remembered(known, kept.steps)
    }
    this.#recent.delete(name)
    await this.#keep(async (cache) => {
      const isChanged = await cache.put(name, kept)
      const { evidence } = kept
      if (isChanged)
        this.#options.logger.info({ recipient: address, evidence }, 'a correspondent has another certificate')
      // Only a keyserver can be asked for it again, and what it signed may come only now.
      if (known && known.fingerprint !== kept.fingerprint)
        await cache.keep(keyNames(name, known), { ...known, renew: 0 })
    })
    return shown(kept)
  }

  async #lookForKey(address: Address, key: string, name: string): Promise<Discovery> {
    const { wanted, steps } = newSearch(address, null)
    const finding = await searchForKey(wanted, key, this.#tools)
    if (finding.kind !== 'found') {
      const failure = failureOf(finding, steps)
      this.#recent.put(`${name} ${key}`, failure, failure.kind === 'temporary' ? TEMPORARY : DAY)
      return failure
    }
    const kept = keptOf(finding, steps, this.#now())
    await this.#keep((cache) => cache.keep([name], kept))
    return shown(kept)
  }

  /** What cannot be remembered was found all the same. */
  async #keep(write: (cache: CertificateCache) => Promise<void>): Promise<void> {
    try {
      if (this.#cache) await write(this.#cache)
    } catch (error) {
      this.#options.logger.warn({ error: error as Error }, 'a certificate that was found could not be kept')
    }
  }

  #now(): number {
    return this.#options.clock.now()
  }
}

/** Key ids are enough to find it again; whether it is the right one is looked at then. */
const keyName = (name: string, key: string) => `${name} key ${keyIdOf(key)}`

const keyNames = (name: string, { certificate }: Kept) =>
  keysIn(certificate).map(({ fingerprint }) => keyName(name, fingerprint))

const rank = ({ evidence }: Kept) => EVIDENCE.indexOf(evidence)

function newSearch(address: Address, known: string | null): { readonly wanted: Search; readonly steps: Step[] } {
  const steps: Step[] = []
  const note: Search['note'] = (source, outcome, text) => steps.push({ source, outcome, text })
  return { wanted: { address, domain: domainOf(address), known, note }, steps }
}

function keptOf(finding: Extract<Finding, { kind: 'found' }>, steps: readonly Step[], now: number): Kept {
  const { certificate, fingerprint, evidence, keep, renew, expires } = finding
  const until = Math.min(now + Math.min(KEEP, keep ?? KEEP), expires ?? Number.POSITIVE_INFINITY)
  const again = Math.max(RENEW_LEAST, Math.min(RENEW, renew ?? RENEW))
  return { certificate, fingerprint, evidence, steps, at: now, renew: now + again, until }
}

function failureOf(finding: Exclude<Finding, { kind: 'found' }>, steps: readonly Step[]): Failure {
  if (finding.kind === 'none') return { kind: 'none', steps }
  const { kind, why } = finding
  return finding.isUnproven ? { kind, why, steps, isUnproven: true } : { kind, why, steps }
}

const lifeOf = ({ kind }: Failure) => (kind === 'temporary' ? TEMPORARY : NEGATIVE)

const concluded = (finding: Finding, steps: readonly Step[], now: number): Discovery =>
  finding.kind === 'found' ? shown(keptOf(finding, steps, now)) : failureOf(finding, steps)

function shown({ certificate, fingerprint, evidence, steps, at, until }: Kept): Discovery {
  return { kind: 'found', certificate, fingerprint, evidence, steps, at, until }
}

/** `since`: what was seen when it was asked for again, and changes nothing. */
function remembered(kept: Kept, since: readonly Step[] = []): Discovery {
  const text = `kept since it was found on ${new Date(kept.at).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  return shown({ ...kept, steps: [...kept.steps, ...since, { source: 'cache', outcome: 'found', text }] })
}
