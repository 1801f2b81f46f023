/** The Discoverer: searches, remembers what was found, and lets nothing weaker or broken replace it. */
import type { Directory } from '#custody/accounts/directory.ts'
import { type Address, domainOf, formatAddress } from '#formats/message/address.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import { WorkGate } from '#lib/work-gate.ts'
import type { RecordResolver } from '#policy/dns/resolver.ts'
import { type CertificateCache, type Kept, openCertificateCache } from './certificate-cache.ts'
import { type Discoverer, type Discovery, EVIDENCE, type Sighting, type Step } from './discovery.ts'
import type { Finding, Search, SearchTools } from './finding.ts'
import { lookInDirectory } from './own-addresses.ts'
import { search } from './search.ts'
import { ShortMemory } from './short-memory.ts'
import { createWebClient } from './web-client.ts'

export interface DiscovererOptions {
  /** Of our own domains; null to look at them as a stranger does. */
  readonly directory: Directory | null
  readonly resolver: RecordResolver
  /** Where what was found is kept, sealed under a key of 32 octets; null to keep nothing of it. */
  readonly cache: { readonly path: string; readonly key: Buffer } | null
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

type Failure = Exclude<Discovery, { kind: 'found' }>

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

  async discover(address: Address, { fresh = false }: { readonly fresh?: boolean } = {}): Promise<Discovery> {
    const own = await this.#lookAtHome(address)
    if (own) return own
    const name = nameOf(address)
    if (fresh) return await this.#once(name, address)
    const kept = await this.#cache?.get(name)
    const recent = this.#recent.get(name)
    if (!kept) return recent ?? (await this.#once(name, address))
    // In the background: who writes need not wait for what is good for days.
    if (kept.renew <= this.#now() && !recent) this.#renew(name, address)
    return remembered(kept)
  }

  async forget(address: Address): Promise<void> {
    const name = nameOf(address)
    this.#recent.delete(name)
    await this.#cache?.remove(name)
  }

  async sightings(address: Address): Promise<readonly Sighting[]> {
    return (await this.#cache?.sightings(nameOf(address))) ?? []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled(this.#underWay.values())
    await this.#cache?.[Symbol.asyncDispose]()
  }

  /** What the directory says is never remembered: it is at hand, and always right. */
  async #lookAtHome(address: Address): Promise<Discovery | null> {
    const { directory, clock } = this.#options
    if (directory === null) return null
    const { wanted, steps } = newSearch(address, null)
    const finding = await lookInDirectory(directory, wanted, clock.now())
    if (finding === null) return null
    return finding.kind === 'found' ? shown(keptOf(finding, steps, clock.now())) : { ...finding, steps }
  }

  #once(name: string, address: Address): Promise<Discovery> {
    const running = this.#underWay.get(name)
    if (running) return running
    const begun = this.#turnstile.run(() => this.#look(name, address)).finally(() => void this.#underWay.delete(name))
    this.#underWay.set(name, begun)
    return begun
  }

  #renew(name: string, address: Address): void {
    this.#once(name, address).catch((error: Error) => {
      this.#options.logger.error({ error, recipient: address }, 'a certificate could not be looked up again')
    })
  }

  async #look(name: string, address: Address): Promise<Discovery> {
    if (this.#closing.signal.aborted) return { kind: 'temporary', why: 'this program is stopping', steps: [] }
    const known = (await this.#cache?.get(name)) ?? null
    const { wanted, steps } = newSearch(address, known?.fingerprint ?? null)
    const finding = await search(wanted, this.#tools)
    if (finding.kind === 'found') return await this.#found(name, address, keptOf(finding, steps, this.#now()), known)
    const failure: Failure =
      finding.kind === 'none' ? { kind: 'none', steps } : { kind: finding.kind, why: finding.why, steps }
    this.#recent.put(name, failure, finding.kind === 'temporary' ? TEMPORARY : NEGATIVE)
    if (!known) return failure
    if (finding.kind === 'unusable' && finding.revoked.includes(known.fingerprint)) {
      await this.#cache?.remove(name)
      this.#options.logger.warn({ recipient: address }, 'the certificate of a correspondent was revoked')
      return failure
    }
    return remembered(known, steps)
  }

  async #found(name: string, address: Address, kept: Kept, known: Kept | null): Promise<Discovery> {
    if (known && rank(known) < rank(kept)) {
      this.#recent.put(name, shown(kept), NEGATIVE)
      return remembered(known, kept.steps)
    }
    this.#recent.delete(name)
    try {
      const isChanged = await this.#cache?.put(name, kept)
      const { evidence } = kept
      if (isChanged)
        this.#options.logger.info({ recipient: address, evidence }, 'a correspondent has another certificate')
    } catch (error) {
      // What cannot be remembered was found all the same.
      this.#options.logger.warn({ error: error as Error }, 'a certificate that was found could not be kept')
    }
    return shown(kept)
  }

  #now(): number {
    return this.#options.clock.now()
  }
}

/** The local-part exactly: only its own provider knows whether case counts (RFC 5321 §2.4). */
const nameOf = ({ local, domain }: Address) =>
  formatAddress({ local: local.normalize('NFC'), domain: domainOf({ local, domain }) })

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

function shown({ certificate, fingerprint, evidence, steps, at, until }: Kept): Discovery {
  return { kind: 'found', certificate, fingerprint, evidence, steps, at, until }
}

/** `since`: what was seen when it was asked for again, and changes nothing. */
function remembered(kept: Kept, since: readonly Step[] = []): Discovery {
  const text = `kept since it was found on ${new Date(kept.at).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  return shown({ ...kept, steps: [...kept.steps, ...since, { source: 'cache', outcome: 'found', text }] })
}
