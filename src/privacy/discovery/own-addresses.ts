/** Addresses of our own domains: the directory knows which certificate others are given. */

import type { Account, Directory } from '#custody/accounts/directory.ts'
import type { Address } from '#formats/message/address.ts'
import { keyIdOf, publishedByKey } from '../keyserver/publication.ts'
import type { Finding, Search } from './finding.ts'
import { hasKey } from './key-search.ts'
import { chooseCertificate } from './usable-certificate.ts'

/** An alias of an alias of an alias. */
const MOST_ALIASES = 8

/** null: the domain is not ours. */
export async function lookInDirectory(directory: Directory, wanted: Search, now: number): Promise<Finding | null> {
  const account = await accountWith(directory, wanted.address)
  if (account === 'foreign') return null
  if (account) return await certificateOf(directory, account, wanted, now)
  wanted.note('directory', 'absent', 'the address is of a domain of ours, and no account of its own has it')
  return { kind: 'none' }
}

/** The account that alone has the address; null: none has. */
async function accountWith(directory: Directory, wanted: Address): Promise<Account | 'foreign' | null> {
  let address = wanted
  for (let step = 0; step < MOST_ALIASES; step++) {
    const route = await directory.route(address)
    if (route.kind === 'account') return route.account
    // Mail for others that an alias sends on leaves us again: it is theirs to look for.
    if (route.kind === 'foreign' && step === 0) return 'foreign'
    const [target, another] = route.kind === 'alias' ? route.targets : []
    if (!target || another) return null
    address = target
  }
  return null
}

const addressesOf = async (directory: Directory, account: Account): Promise<readonly Address[]> => [
  account.address,
  ...(await directory.addresses(account.id)),
]

/** As our keyserver gives it to others: by the key, whatever became of its certificate. null: the domain is not ours. */
export async function findKeyInDirectory(
  directory: Directory,
  { address, note }: Search,
  key: string,
  now: number,
): Promise<Finding | null> {
  const account = await accountWith(directory, address)
  if (account === 'foreign') return null
  const stored = account ? await directory.certificates(account.id) : []
  const addresses = account ? await addressesOf(directory, account) : []
  for (const one of stored) {
    const published = one.use === 'reading' ? null : publishedByKey(one, { keyId: keyIdOf(key), addresses, now })
    if (!published || !hasKey(published.octets, key)) continue
    note('directory', 'found', `an account of this provider has or had the certificate ${one.fingerprint}`)
    const { fingerprint } = one
    return { kind: 'found', certificate: published.octets, fingerprint, evidence: 'local', ...NOT_KEPT }
  }
  note('directory', 'absent', `no account with this address has or had the key ${key}`)
  return { kind: 'none' }
}

/** It is at hand, and always right. */
const NOT_KEPT = { keep: 0, renew: 0, expires: null } as const

async function certificateOf(directory: Directory, account: Account, { note }: Search, now: number): Promise<Finding> {
  if (account.state !== 'active') {
    note('directory', 'absent', 'the account is suspended')
    return { kind: 'none' }
  }
  const stored = (await directory.certificates(account.id)).find((one) => one.endToEnd)
  if (!stored) {
    note('directory', 'absent', 'the account has no certificate yet')
    return { kind: 'none' }
  }
  // Of an alias or of local+detail the certificate need not have a user id: one of the account's addresses is enough.
  const addresses = await addressesOf(directory, account)
  const choices = addresses.map((one) => chooseCertificate([stored.certificate], one, now))
  const usable = stored.revocation ? undefined : choices.find((one) => one.kind === 'usable')
  if (usable) {
    note('directory', 'found', `an account of this provider has the certificate ${usable.fingerprint}`)
    return { ...usable, kind: 'found', evidence: 'local', keep: 0, renew: 0 }
  }
  const [first] = choices
  const reason = first?.kind === 'refused' ? first.why : `the certificate ${stored.fingerprint} cannot be read`
  const why = stored.revocation ? `the certificate ${stored.fingerprint} was revoked by its owner` : reason
  note('directory', 'refused', why)
  return { kind: 'unusable', why, revoked: [] }
}
