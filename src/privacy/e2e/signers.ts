/**
 * Whose signatures count as an author's: the certificate that discovery finds for the address now, and where another key signed, what
 * the author's own provider says of that key. Nothing is asked for what is remembered: a lookup at the time of reading tells the
 * author's provider that somebody reads.
 */
import type { AccountId } from '#custody/accounts/directory.ts'
import type { Signers } from '#custody/store/unsealing-aid.ts'
import { type Address, parseAddress } from '#formats/message/address.ts'
import type { Clock } from '#lib/clock.ts'
import { Busy, WorkGate } from '#lib/work-gate.ts'
import type { Discoverer, DiscovererSource, Discovery } from '../discovery/discovery.ts'
import { hasKey } from '../discovery/key-search.ts'

/** `author`: an address; `issuers`: fingerprints or key ids of keys that signed; `account`: of the reader, whose accepted certificates count. */
export type FindSigners = (author: string, issuers: readonly string[], account: AccountId) => Promise<Signers>

export interface SignersOptions {
  readonly discovery: DiscovererSource
  readonly clock: Clock
}

/** A message with more signatures than this is judged by the first of them. */
const MOST_ISSUERS = 4
const AT_ONCE = 8
const WAITING_MAX = 512
/** Less than the patience of the store, which asks nothing for a while after an answer that did not come. */
const TIMEOUT = 10_000

const NONE: Signers = { certificates: [], trouble: null }
const trouble = (why: string): Signers => ({ certificates: [], trouble: why })

export function createSigners({ discovery, clock }: SignersOptions): FindSigners {
  const gate = new WorkGate(AT_ONCE, WAITING_MAX)
  return async (text, issuers, account) => {
    const author = parseAddress(text)
    if (!author) return NONE
    const keys = [...new Set(issuers)].slice(0, MOST_ISSUERS)
    const ask = async () => find(await discovery.discoverer(), { author, keys, account })
    try {
      return await within(
        clock,
        gate.run(() => within(clock, ask())),
      )
    } catch (error) {
      return trouble(error instanceof Busy ? 'too many signatures are being checked' : (error as Error).message)
    }
  }
}

interface Question {
  readonly author: Address
  readonly keys: readonly string[]
  readonly account: AccountId
}

async function find(discoverer: Discoverer, { author, keys, account }: Question): Promise<Signers> {
  const current = await discoverer.discover(author, { account, quiet: true })
  const certificates: Signers['certificates'][number][] = []
  const found = (one: Discovery & { kind: 'found' }, isCurrent: boolean) => {
    const { certificate, evidence } = one
    certificates.push({ certificate, evidence, isCurrent })
  }
  const others = current.kind === 'found' ? keys.filter((key) => !hasKey(current.certificate, key)) : keys
  // A signature need not say which key made it.
  if (current.kind === 'found' && (keys.length === 0 || others.length < keys.length)) found(current, true)
  const answers = await Promise.all(others.map((key) => discoverer.certificate(author, key)))
  for (const one of answers) {
    if (one.kind !== 'found') continue
    found(one, current.kind === 'found' && current.fingerprint === one.fingerprint)
  }
  const failed = [current, ...answers].find((one) => one.kind === 'temporary')
  return { certificates, trouble: failed?.kind === 'temporary' ? failed.why : null }
}

/** What comes later is remembered by discovery, for the next time. */
function within(clock: Clock, work: Promise<Signers>): Promise<Signers> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(TIMEOUT, () => resolve(trouble('the provider of the author did not answer in time')))
    work.then(resolve, reject).finally(() => timer[Symbol.dispose]())
  })
}
