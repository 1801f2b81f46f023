/**
 * The keyring: the side of the vault that the rest of the program sees. It keeps the keyslot tables and locked keys as files
 * in the account's folder, and asks the vault process (custody/vault) for everything that needs a secret. What it gives out
 * are handles; no key and no AMK ever crosses the socket.
 */
import type { Address } from '#formats/message/address.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Secret } from '#lib/secret.ts'
import type { AccountId, StoredCertificate } from '../accounts/directory.ts'

/** An unlocked account. Dispose it when its session ends; the keys are wiped when the last handle goes and the grace period is over. */
export interface UnlockedKeys extends AsyncDisposable {
  readonly account: AccountId
  /** Takes one PKESK packet body each; the session key as algorithm octet followed by the key, null when not for these keys. Throws when for us and broken. */
  sessionKeys(pkesks: readonly Bytes[]): Promise<readonly (Bytes | null)[]>
  indexKey(): Promise<Bytes>
  /** Aborts when the handle ends from the other side: password changed, account suspended or removed, vault gone. */
  readonly ended: AbortSignal
}

export type KeyAlgorithm = 'curve25519' | 'rsa3072'

export interface NewKeys {
  readonly certificate: StoredCertificate
  /** Printed once, never stored. */
  readonly recoveryCode: Secret<string>
}

/** Passwords and codes are Buffers that the keyring wipes once they are used. */
export interface Keyring extends AsyncDisposable {
  /** Makes AMK, slots, key pair and generic revocation; everything is on the disk when it resolves. */
  create(account: AccountId, address: Address, password: Buffer, algorithm: KeyAlgorithm): Promise<NewKeys>
  /** null: wrong credential or no such account (`account` null), after the same work in both cases. */
  unlock(account: AccountId | null, credential: Buffer): Promise<UnlockedKeys | null>
  /** false: the old password is wrong. Ends other sessions. Never touches a key. */
  changePassword(account: AccountId, old: Buffer, next: Buffer): Promise<boolean>
  /** Same with the recovery code, which is used up: the new one is handed back. null: wrong code. */
  recover(account: AccountId, code: Buffer, next: Buffer): Promise<{ readonly recoveryCode: Secret<string> } | null>
  /** Without any credential: new AMK and key pair, old slots parked, old certificate revoked. Old mail stays sealed until relinked. */
  reset(account: AccountId, address: Address, next: Buffer, algorithm: KeyAlgorithm): Promise<NewKeys>
  /** Opens parked slots with an old password or recovery code, so that old mail is readable again. null: nothing opened. */
  relink(account: AccountId, password: Buffer, old: Buffer): Promise<{ readonly relinked: number } | null>
  /** Transferable secret key(s), armored, locked with `passphrase` by S2K (RFC 9580 §10.2). null: wrong password. */
  exportSecretKey(account: AccountId, password: Buffer, passphrase: Buffer): Promise<string | null>
  /** Ends all handles of the account. */
  endSessions(account: AccountId): Promise<void>
}
