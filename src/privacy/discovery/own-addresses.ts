/** Addresses of our own domains: the directory knows which certificate others are given. */

import type { Account, Directory } from '#custody/accounts/directory.ts'
import type { Address } from '#formats/message/address.ts'
import type { Finding, Search } from './finding.ts'
import { chooseCertificate } from './usable-certificate.ts'

/** An alias of an alias of an alias. */
const MOST_ALIASES = 8

/** null: the domain is not ours. */
export async function lookInDirectory(directory: Directory, wanted: Search, now: number): Promise<Finding | null> {
  let address: Address = wanted.address
  for (let step = 0; step < MOST_ALIASES; step++) {
    const route = await directory.route(address)
    if (route.kind === 'account') return await certificateOf(directory, route.account, wanted, now)
    // Mail for others that an alias sends on leaves us again: it is theirs to look for.
    if (route.kind === 'foreign' && step === 0) return null
    const [target, another] = route.kind === 'alias' ? route.targets : []
    if (!target || another) break
    address = target
  }
  wanted.note('directory', 'absent', 'the address is of a domain of ours, and no account of its own has it')
  return { kind: 'none' }
}

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
  const choices = [account.address, ...(await directory.addresses(account.id))].map((one) =>
    chooseCertificate([stored.certificate], one, now),
  )
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
