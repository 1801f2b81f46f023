/**
 * The directory: domains, accounts, their addresses and aliases, their public certificates. No secret is in it.
 */
import type { Address } from '#formats/message/address.ts'
import type { Bytes } from '#lib/bytes.ts'

/** A random name, also the account's folder under the data directory. Never reused. */
export type AccountId = string

export type AccountState = 'active' | 'suspended'

export interface Account {
  readonly id: AccountId
  /** The primary address. */
  readonly address: Address
  readonly state: AccountState
  /** Milliseconds since the epoch. */
  readonly created: number
  /** Octets, null for no limit. */
  readonly quota: number | null
}

export interface StoredCertificate {
  /** Upper-case hex. */
  readonly fingerprint: string
  /** Transferable public key, binary (RFC 9580 §10.1). */
  readonly certificate: Bytes
  /** Milliseconds since the epoch. */
  readonly since: number
  /** The newest is current: mail is sealed to it. */
  readonly current: boolean
}

/** Where mail for an address goes. */
export type Route =
  | { readonly kind: 'account'; readonly account: Account; readonly detail: string | null }
  | { readonly kind: 'alias'; readonly targets: readonly Address[] }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'foreign' }

export interface Directory extends AsyncDisposable {
  domains(): Promise<readonly string[]>
  addDomain(domain: string): Promise<void>
  /**
   * Resolves an address: exact account address, alias, then plus-address (`local+detail`, detail handed back), postmaster
   * (RFC 5321 §4.5.1: always there, case-insensitive). Local-parts of our domains compare without case. Suspended accounts
   * still answer `account`.
   */
  route(address: Address): Promise<Route>
  account(id: AccountId): Promise<Account | null>
  /** By any of its addresses, for login: `local@domain` as typed. */
  accountByLogin(user: string): Promise<Account | null>
  accounts(): Promise<readonly Account[]>
  /** All addresses that the account may send from, primary first. */
  addresses(id: AccountId): Promise<readonly Address[]>
  /** Throws AddressTaken, UnknownDomain. */
  addAccount(account: Account, certificate: StoredCertificate): Promise<void>
  addAlias(alias: Address, targets: readonly Address[]): Promise<void>
  removeAlias(alias: Address): Promise<void>
  aliases(): Promise<readonly { readonly alias: Address; readonly targets: readonly Address[] }[]>
  setState(id: AccountId, state: AccountState): Promise<void>
  setQuota(id: AccountId, limit: number | null): Promise<void>
  removeAccount(id: AccountId): Promise<void>
  /** Newest first. */
  certificates(id: AccountId): Promise<readonly StoredCertificate[]>
  addCertificate(id: AccountId, certificate: StoredCertificate): Promise<void>
}

export class AddressTaken extends Error {
  override readonly name = 'AddressTaken'
}
export class UnknownDomain extends Error {
  override readonly name = 'UnknownDomain'
}
export class UnknownAccount extends Error {
  override readonly name = 'UnknownAccount'
}
