import type { Account, Directory } from '#custody/accounts/directory.ts'
import { type Address, domainOf } from '#formats/message/address.ts'

/** Where one recipient's mail ends up, aliases followed. */
export interface Expansion {
  readonly accounts: readonly AccountTarget[]
  /** Targets of aliases at other providers. */
  readonly elsewhere: readonly Address[]
  /** The address itself is an alias. */
  readonly alias: boolean
}

export interface AccountTarget {
  readonly address: Address
  readonly account: Account
  /** What follows the plus sign. */
  readonly detail: string | null
}

/** Aliases in aliases are followed to this depth, and to this many addresses in all. */
const DEPTH = 10
const ADDRESSES = 1000

/** `foreign`: not one of our domains. `nowhere`: its aliases lead round in a circle, or to addresses that do not exist. */
export async function expand(
  directory: Directory,
  recipient: Address,
): Promise<Expansion | 'unknown' | 'foreign' | 'nowhere'> {
  const first = await directory.route(recipient)
  if (first.kind === 'unknown' || first.kind === 'foreign') return first.kind
  if (first.kind === 'account') {
    return {
      accounts: [{ address: recipient, account: first.account, detail: first.detail }],
      elsewhere: [],
      alias: false,
    }
  }
  const accounts: AccountTarget[] = []
  const elsewhere: Address[] = []
  const seen = new Set([keyOf(recipient)])
  let level = first.targets
  for (let depth = 0; depth < DEPTH && level.length > 0; depth++) {
    const deeper: Address[] = []
    for (const address of level) {
      if (seen.has(keyOf(address)) || seen.size > ADDRESSES) continue
      seen.add(keyOf(address))
      const route = await directory.route(address)
      if (route.kind === 'account') accounts.push({ address, account: route.account, detail: route.detail })
      else if (route.kind === 'foreign') elsewhere.push(address)
      else if (route.kind === 'alias') deeper.push(...route.targets)
    }
    level = deeper
  }
  return accounts.length + elsewhere.length > 0 ? { accounts, elsewhere, alias: true } : 'nowhere'
}

const keyOf = (address: Address) => `${address.local.normalize('NFC').toLowerCase()}@${domainOf(address)}`
