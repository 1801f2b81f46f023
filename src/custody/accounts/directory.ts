/**
 * The directory: domains, accounts, their addresses and aliases, their public certificates. No secret is in it.
 *
 * Several processes use one directory at a time (the server, and every command that changes accounts while it runs), so what
 * is remembered here is believed only while the file says that nothing was changed.
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

/**
 * What a certificate is for: `rest` mail is sealed to it where it is kept, `end-to-end` others write to it, `both`; `reading` old mail is
 * opened with it, and nothing new is made for it.
 */
export type CertificateUse = 'both' | 'rest' | 'end-to-end' | 'reading'

export interface StoredCertificate {
  /** Upper-case hex. */
  readonly fingerprint: string
  /** Transferable public key, binary (RFC 9580 §10.1). */
  readonly certificate: Bytes
  /** Milliseconds since the epoch. */
  readonly since: number
  readonly use: CertificateUse
  /** Where its secret is: here, under the account's master key, or on a device of its owner alone. */
  readonly custody: 'held' | 'device'
  /** The newest for rest: what is stored is sealed to it. */
  readonly current: boolean
  /** The newest for end to end: the one that others are given. */
  readonly endToEnd: boolean
  /**
   * The armored revocation, once it is revoked. It stands beside the certificate because the secret key is locked together
   * with a hash of the certificate's exact octets (keyring/keyring.ts).
   */
  readonly revocation?: Bytes
}

export type NewCertificate = Omit<StoredCertificate, 'current' | 'endToEnd'>

/** What becomes of mail that should be sealed to somebody who has no certificate. See privacy/e2e/e2e.ts. */
export type WithoutKey = 'plain' | 'warn' | 'refuse' | 'pickup'

/** What was chosen and where; who is not in it chose nothing. */
export interface WithoutKeyPolicies {
  readonly accounts: ReadonlyMap<AccountId, WithoutKey>
  /** By domain, in lower case as it was added. */
  readonly domains: ReadonlyMap<string, WithoutKey>
}

/** Where mail for an address goes. */
export type Route =
  | { readonly kind: 'account'; readonly account: Account; readonly detail: string | null }
  | { readonly kind: 'alias'; readonly targets: readonly Address[] }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'foreign' }

export interface Directory extends AsyncDisposable {
  /** Another text once anything was changed, by this process or another: what was read before may be believed until then. Quick. */
  revision(): string
  /** In the order in which they were added. */
  domains(): Promise<readonly string[]>
  /** Idempotent. */
  addDomain(domain: string): Promise<void>
  /**
   * Resolves an address: exact account address, alias, then plus-address (`local+detail`, detail handed back), postmaster
   * (RFC 5321 §4.5.1: always there, case-insensitive; the first account of the domain, or of all, when nobody else has it). Local-parts
   * of our domains compare without case. Suspended accounts still answer `account`. The targets of an alias may be aliases
   * again: who follows them counts the steps.
   */
  route(address: Address): Promise<Route>
  account(id: AccountId): Promise<Account | null>
  /** By any of its addresses, for login: `local@domain` as typed. */
  accountByLogin(user: string): Promise<Account | null>
  accounts(): Promise<readonly Account[]>
  /** All addresses that the account may send from, primary first: its own, and the aliases that lead to it alone. */
  addresses(id: AccountId): Promise<readonly Address[]>
  /** Throws AddressTaken, UnknownDomain. Without a certificate nothing can be stored for it. */
  addAccount(account: Account, certificate: NewCertificate | null): Promise<void>
  /** Throws AddressTaken, UnknownDomain. */
  addAlias(alias: Address, targets: readonly Address[]): Promise<void>
  /** Nothing happens when there is no such alias. */
  removeAlias(alias: Address): Promise<void>
  aliases(): Promise<readonly { readonly alias: Address; readonly targets: readonly Address[] }[]>
  /** Throws UnknownAccount, as all that follow. */
  setState(id: AccountId, state: AccountState): Promise<void>
  setQuota(id: AccountId, limit: number | null): Promise<void>
  removeAccount(id: AccountId): Promise<void>
  /** Newest first; empty for an account that is not there. */
  certificates(id: AccountId): Promise<readonly StoredCertificate[]>
  /** Makes it the newest. Idempotent: one that is there already stays where it is. */
  addCertificate(id: AccountId, certificate: NewCertificate): Promise<void>
  /** Gives one that is there another use and makes it the newest. Nothing happens when it is not there, or has that use and is the newest already. */
  useCertificate(id: AccountId, fingerprint: string, use: CertificateUse): Promise<void>
  /** Other octets of one that is there, renewed by its owner, and where its secret is now. Nothing else of it changes. Idempotent. */
  replaceCertificate(
    id: AccountId,
    fingerprint: string,
    renewed: Pick<StoredCertificate, 'certificate' | 'custody'>,
  ): Promise<void>
  /** Keeps the revocation with the certificate, to be published with it. Idempotent. */
  revokeCertificate(id: AccountId, fingerprint: string, revocation: Bytes): Promise<void>
  /**
   * What counts for mail that the account writes: its own choice, else that of the domain of its primary address; null when neither
   * chose. A domain that lets nothing leave in clear (`refuse`, `pickup`) is not overruled by a choice that does.
   */
  policy(id: AccountId): Promise<WithoutKey | null>
  /** What a domain of ours chose; null when it chose nothing, or is not ours. */
  domainPolicy(domain: string): Promise<WithoutKey | null>
  /** null takes the choice back. */
  setAccountPolicy(id: AccountId, policy: WithoutKey | null): Promise<void>
  /** The same for all accounts of a domain of ours. Throws UnknownDomain. */
  setDomainPolicy(domain: string, policy: WithoutKey | null): Promise<void>
  policies(): Promise<WithoutKeyPolicies>
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
