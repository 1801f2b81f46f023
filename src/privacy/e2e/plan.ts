/**
 * The plan of a message: what becomes of it for each of its recipients, and in which copies, before anything is sent.
 *
 * Everybody is looked up at once; what is not known after the planner's patience counts as not known now, and goes on being looked up
 * for the next try. Without a resolver that proves anything no answer could start sealing by itself: then nobody is asked for mail that
 * may leave in clear, and nothing waits for an answer that cannot come.
 */
import type { AccountId, Directory } from '#custody/accounts/directory.ts'
import { type Address, domainOf } from '#formats/message/address.ts'
import { certainAddresses } from '#formats/message/certain-addresses.ts'
import { fieldValues, type Header } from '#formats/message/header.ts'
import { answeredIds } from '#formats/message/message-ids.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'
import { WorkGate } from '#lib/work-gate.ts'
import type { AcceptedCertificates, DiscovererSource } from '#privacy/discovery/discovery.ts'
import { type Copies, copiesOf, recipientName } from './copies.ts'
import { demandOf } from './demand.ts'
import { DEMAND_FIELD, DEMANDS, type Fate, type WithoutKey } from './e2e.ts'
import { fateOf, isStrict, type Known, needsDiscovery, ruleOf, type Wish } from './fate.ts'
import { protectedAlready } from './protected-already.ts'

/** A message as its author gave it. */
export interface Letter {
  readonly content: Bytes
  readonly header: Header
  readonly recipients: readonly Address[]
  readonly author: AccountId
  readonly isReplyToSealed?: IsReplyToSealed
}

/**
 * Whether one of these Message-IDs is of mail that came to the author encrypted. null: nobody who could say is asked, and the policy
 * alone decides. Whatever it throws, nothing is planned.
 */
export type IsReplyToSealed = ((messageIds: readonly string[]) => Promise<boolean>) | null

export interface Plan {
  readonly kind: 'plan'
  /** One for each recipient, in order. */
  readonly fates: readonly Fate[]
  readonly copies: Copies
  /** Without: what is sealed is signed by its author already. */
  readonly signs: boolean
  /** What becomes of mail that waits when there is no key after all. */
  readonly rule: WithoutKey
  /** The message itself asks to be sealed. */
  readonly isDemanded: boolean
  /**
   * What leaves in clear is worth telling: this provider seals mail. False where nothing could be, for want of a resolver that proves
   * anything, and nobody asked for it.
   */
  readonly seals: boolean
  /** The message answers one that came encrypted, and for that alone does not leave in clear. */
  readonly isSealedAnswer: boolean
}

/** The message asks for what is not to be had. */
export interface Contradiction {
  readonly kind: 'contradiction'
  readonly why: string
}

export interface Planner {
  plan(letter: Letter): Promise<Plan | Contradiction>
  /** For an ordinary message that asks for nothing. `author` null: of an account that chose nothing. */
  foresee(recipients: readonly Address[], author: AccountId | null): Promise<readonly Fate[]>
  /** What counts for mail of the account to those without key; null as above. */
  policy(author: AccountId | null): Promise<WithoutKey>
}

export interface PlannerOptions {
  readonly directory: Pick<Directory, 'route' | 'policy' | 'domainPolicy'>
  readonly source: DiscovererSource
  /** What accounts accepted themselves; null where nobody can have accepted anything. */
  readonly accepted: AcceptedCertificates | null
  /** Of accounts and domains that chose nothing. */
  readonly withoutKey: WithoutKey
  /** Whether this provider seals outgoing mail. */
  readonly seals: boolean
  /** Whether there is a resolver whose word on DNSSEC is believed. */
  readonly proves: boolean
  readonly clock: Clock
  readonly logger: Logger
  /** Milliseconds for all recipients of one message together. */
  readonly patience?: number
}

const PATIENCE = 10_000
/** Of one message. */
const MOST_AT_ONCE = 32
/** Messages that one answers. */
const MOST_ANSWERED = 50
/** Aliases in aliases, as far as delivery follows them. */
const MOST_DEPTH = 10
const MOST_TARGETS = 1000

const CHOICES = `it is one of ${DEMANDS.join(', ')}, once`
const NOT_KNOWN = `${DEMAND_FIELD} says what is not known: ${CHOICES}`
const NOT_ALLOWED = `${DEMAND_FIELD}: no is not allowed here: mail of this account does not leave in clear`

const LEADS_OUT: Known = { kind: 'keyless', why: 'it is an address of this provider that leads to others elsewhere' }
const UNPROVABLE: Known = { kind: 'keyless', why: 'this provider has no resolver that validates DNSSEC' }
const LATE: Known = {
  kind: 'temporary',
  why: 'looking up the certificate takes longer than can be waited for',
  steps: [],
}
const TROUBLE: Known = { kind: 'temporary', why: 'local trouble while the certificate was looked up', steps: [] }

/** Where nothing can be proven. */
const UNUSUAL: ReadonlySet<Fate['kind']> = new Set(['sealed', 'waits', 'pickup'])

export function createPlanner(options: PlannerOptions): Planner {
  return new MessagePlanner(options)
}

interface Asking {
  readonly author: AccountId | null
  readonly wish: Wish
}

class MessagePlanner implements Planner {
  readonly #options: PlannerOptions

  constructor(options: PlannerOptions) {
    this.#options = options
  }

  async policy(author: AccountId | null): Promise<WithoutKey> {
    const { directory, withoutKey } = this.#options
    return (author === null ? null : await directory.policy(author)) ?? withoutKey
  }

  async plan(letter: Letter): Promise<Plan | Contradiction> {
    const { content, header, recipients, author } = letter
    const { seals, proves } = this.#options
    const demand = demandOf(content, header)
    if (demand === null) return { kind: 'contradiction', why: NOT_KNOWN }
    const policy = ruleOf(await this.#policyOf(letter), demand)
    if (policy === null) return { kind: 'contradiction', why: NOT_ALLOWED }
    const wish: Wish = { rule: policy, demand, already: protectedAlready(content, header), seals }
    const before = await this.#fates(recipients, { author, wish })
    const isSealedAnswer = demand === 'automatic' && mayBeRead(before, policy) && (await answersSealed(letter))
    // As if the message itself had asked for it.
    const rule = isSealedAnswer ? 'refuse' : policy
    const fates = isSealedAnswer ? await this.#fates(recipients, { author, wish: { ...wish, rule } }) : before
    return {
      kind: 'plan',
      fates,
      copies: copiesOf(recipients, fates, letter),
      signs: wish.already === null,
      rule,
      isDemanded: demand === 'required' || demand === 'pickup',
      seals: seals && (proves || rule !== 'plain' || fates.some(({ kind }) => UNUSUAL.has(kind))),
      isSealedAnswer,
    }
  }

  async #fates(recipients: readonly Address[], asking: Asking): Promise<readonly Fate[]> {
    return (await this.#look(recipients, asking)).map((known) => fateOf(known, asking.wish))
  }

  /** Nobody writes in the name of a strict domain less strictly, from wherever their account is. */
  async #policyOf({ content, header, author }: Letter): Promise<WithoutKey> {
    const policy = await this.policy(author)
    if (isStrict(policy)) return policy
    const from = fieldValues(content, header, 'from').flatMap((value) => certainAddresses(value) ?? [])
    for (const domain of new Set(from.map(domainOf))) {
      const shared = await this.#options.directory.domainPolicy(domain)
      if (shared && isStrict(shared)) return shared
    }
    return policy
  }

  async foresee(recipients: readonly Address[], author: AccountId | null): Promise<readonly Fate[]> {
    const { seals } = this.#options
    const wish: Wish = { rule: await this.policy(author), demand: 'automatic', already: null, seals }
    return this.#fates(recipients, { author, wish })
  }

  /** What is known of each recipient when everybody answered, or patience ends. */
  async #look(recipients: readonly Address[], asking: Asking): Promise<readonly Known[]> {
    const { clock, directory, patience = PATIENCE } = this.#options
    const known = new Map<string, Known>()
    const elsewhere = new Map<string, Address>()
    for (const address of recipients) {
      const place = await placeOf(directory, address)
      if (place === 'elsewhere') elsewhere.set(recipientName(address), address)
      else known.set(recipientName(address), place === 'here' ? { kind: 'here' } : LEADS_OUT)
    }
    const gate = new WorkGate(MOST_AT_ONCE, Number.POSITIVE_INFINITY)
    let isLate = false
    const everybody = [...elsewhere].map(([name, address]) =>
      gate.run(async () => {
        if (isLate) return
        const found = await this.#lookUp(address, asking, (meanwhile) => known.set(name, meanwhile))
        if (!isLate) known.set(name, found)
      }),
    )
    const late = Promise.withResolvers<void>()
    using _timer = clock.after(patience, () => {
      isLate = true
      late.resolve()
    })
    await Promise.race([Promise.all(everybody), late.promise])
    return recipients.map((address) => known.get(recipientName(address)) ?? LATE)
  }

  /** Never rejects: what cannot be looked up is not known now. `meanwhile` hears what counts until there is an answer. */
  async #lookUp(address: Address, { author, wish }: Asking, meanwhile: (known: Known) => void): Promise<Known> {
    try {
      if (!needsDiscovery(wish)) return UNPROVABLE
      // What the author accepted needs no proof by DNS.
      const canCount = this.#options.proves || (await this.#hasAccepted(address, author))
      if (!canCount && !isStrict(wish.rule)) return UNPROVABLE
      const timely = (known: Known): Known =>
        known.kind === 'temporary' && !canCount ? { kind: 'keyless', why: known.why } : known
      meanwhile(timely(LATE))
      const discoverer = await this.#options.source.discoverer()
      const found = await discoverer.discover(address, author === null ? {} : { account: author })
      return timely(found)
    } catch (error) {
      this.#options.logger.error({ error: error as Error, recipient: address }, 'a certificate could not be looked up')
      return TROUBLE
    }
  }

  async #hasAccepted(address: Address, author: AccountId | null): Promise<boolean> {
    const { accepted } = this.#options
    return accepted !== null && author !== null && (await accepted.accepted(author, address)) !== null
  }
}

/** Somebody gets it in clear, now or when it has waited. */
function mayBeRead(fates: readonly Fate[], rule: WithoutKey): boolean {
  return fates.some(({ kind }) => kind === 'plain' || (kind === 'waits' && !isStrict(rule)))
}

/** It may quote what came encrypted: an answer, or something forwarded. */
async function answersSealed({ content, header, isReplyToSealed = null }: Letter): Promise<boolean> {
  if (!isReplyToSealed) return false
  const answered = answeredIds(content, header, MOST_ANSWERED)
  return answered.length > 0 && (await isReplyToSealed(answered))
}

/** `outward`: ours, and an alias that leads to somebody who is not, or nobody knows where. */
async function placeOf(
  directory: Pick<Directory, 'route'>,
  recipient: Address,
): Promise<'here' | 'outward' | 'elsewhere'> {
  // RFC 5321 §4.1.1.3: the bare postmaster.
  if (recipient.domain === '') return 'here'
  const first = await directory.route(recipient)
  if (first.kind === 'foreign') return 'elsewhere'
  const seen = new Set([keyOfOurs(recipient)])
  let level = first.kind === 'alias' ? first.targets : []
  for (let depth = 0; level.length > 0; depth++) {
    if (depth === MOST_DEPTH || seen.size > MOST_TARGETS) return 'outward'
    const deeper: Address[] = []
    for (const address of level) {
      if (seen.has(keyOfOurs(address))) continue
      seen.add(keyOfOurs(address))
      const route = await directory.route(address)
      if (route.kind === 'foreign') return 'outward'
      if (route.kind === 'alias') deeper.push(...route.targets)
    }
    level = deeper
  }
  return 'here'
}

const keyOfOurs = (address: Address) => `${address.local.normalize('NFC').toLowerCase()}@${domainOf(address)}`
