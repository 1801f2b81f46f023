/**
 * The keyring: the side of the vault that the rest of the program sees. It keeps the keyslot tables and locked keys as files
 * in the account's folder, and asks the vault process (custody/vault) for everything that needs a secret. What it gives out
 * are handles; no key and no AMK ever crosses the socket.
 *
 * Files below the data directory, all for their owner alone, each replaced whole (write, fsync, rename, fsync of the folder):
 *
 *   keys/service.key                            seals the generic revocations; made at the first need
 *   keys/scram                                  is there since an app password can be used by SCRAM (scram-mark.ts)
 *   accounts/ID/keyslots.a, keyslots.b          two copies of the keyslot table (vault/protocol/slot-table.ts), written one
 *                                               after the other; the newer whole one counts and repairs the other
 *   accounts/ID/keyslots.lock                   held while a process changes the account's keys
 *   accounts/ID/escrow/FINGERPRINT              the master certificate that the account agreed to
 *   accounts/ID/keys/FINGERPRINT.locked         a secret key under the AMK, with its certificate (locked-key-file.ts)
 *   accounts/ID/revocations/FINGERPRINT         the generic revocation of the certificate, sealed
 *   accounts/ID/keys/FINGERPRINT.renewed        the same key with a certificate that its owner renewed, until the directory has it
 *   accounts/ID/keys/SHA256.certificate         a certificate whose secret is on a device of its owner
 *   accounts/ID/revocations/FINGERPRINT.fresh   one that was made when the certificate was retired, sealed
 *   accounts/ID/intent                          what a change of keys is about to make of the account (intent.ts)
 *   accounts/ID/consents/NNNN.json              what its owner agreed to (consents.ts)
 *   accounts/ID/blocked                         app passwords that the operator has blocked, one slot a line
 *   accounts/ID/last-use.json                   when each app password was last used (last-uses.ts)
 *
 * A change of password adds the new slot, syncs, reads it back and opens it, and only then drops the old slot: interrupted
 * anywhere, the old or the new password opens. So do passphrase and recovery code. A change of
 * keys (reset, rotation, import) writes the new key first, then the table that names it, then the directory; the next unlocking
 * finishes one that was interrupted.
 *
 * Passwords are octets and stay as the client sends them; nothing is normalised (no OpaqueString, RFC 8265 §4): a client that
 * changes its mind about composition would have to be told, and a password prompt cannot. New ones have 8 to 1024 octets.
 */
import type { Address } from '#formats/message/address.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Secret } from '#lib/secret.ts'
import type { AccountId, NewCertificate } from '../accounts/directory.ts'
import type { EscrowOpening, ScramTerms, SlotType } from '../vault/protocol/slot-table.ts'
import type {
  AppPasswordWish,
  CustodyFacts,
  EscrowApplied,
  EscrowFacts,
  EscrowLeft,
  ImportedKey,
  ImportWish,
  KeyAlgorithm,
  KeyReason,
  ManagedKey,
  NewKeyWish,
  RevocationWish,
  RotatedKey,
  RotationWish,
  UploadedRevocation,
} from './key-wishes.ts'

/** What a credential is shown for: `owner` is everything, changes of the account included; the others are protocols. */
export type CredentialUse = 'owner' | ProtocolUse
export type ProtocolUse = 'imap' | 'pop3' | 'smtp' | 'jmap'

/** What a client says at the end of a SCRAM-SHA-256 exchange (RFC 5802 §3). */
export interface ScramProof {
  /** At most 8192 octets. */
  readonly authMessage: Bytes
  /** 32 octets, or it is wrong; it opens as much as a password to who has the keyslot table. Wiped by the keyring. */
  readonly proof: Buffer
}

/** `mail`: by the end-to-end key; `statement`: what the owner declares to the provider, by the current one. */
export type SignPurpose = 'mail' | 'statement'

export interface SignWish {
  /** `mail` when left out. */
  readonly purpose?: SignPurpose
  /** Certificates that the content will be encrypted to, as fingerprints in upper-case hex, at most 1024 (RFC 9580 §5.2.3.36). */
  readonly recipients?: readonly string[]
}

/** An unlocked account. Dispose it when its session ends; the keys are wiped when the last handle goes and the grace period is over. */
export interface UnlockedKeys extends AsyncDisposable {
  readonly account: AccountId
  /** false: the credential that it came in by opens no mail (an app password for sending). */
  readonly reads: boolean
  readonly signs: boolean
  /** The keyslot that it came in by. */
  readonly slot: string
  /** Every use of an escrow slot, for its owner to be told. */
  readonly openings: readonly EscrowOpening[]
  /**
   * Takes one PKESK packet body each; the session key as algorithm octet followed by the key, null when not for these keys.
   * Throws SessionKeysBroken when one is for us and broken, NotWithThisCredential, SessionEnded, VaultGone.
   */
  sessionKeys(pkesks: readonly Bytes[]): Promise<readonly (Bytes | null)[]>
  /** 32 octets, the same as long as the account's AMK lives. Throws NotWithThisCredential, SessionEnded, VaultGone. */
  indexKey(): Promise<Bytes>
  /** Those of the AMKs before, newest first. */
  olderIndexKeys(): Promise<readonly Bytes[]>
  /**
   * A detached signature packet (RFC 9580 §5.2) over up to 64 MiB, as of `created`, milliseconds since the epoch. Throws
   * NotWithThisCredential, TooLargeToSign, SessionEnded, VaultGone, and VaultBusy when too many large messages wait.
   */
  sign(content: Bytes, created: number, wish?: SignWish): Promise<Bytes>
  /** Aborts when the handle ends from the other side: password changed, account suspended or removed, vault gone. */
  readonly ended: AbortSignal
}

export interface NewKeys {
  readonly certificate: NewCertificate
  /** Printed once, never stored. */
  readonly recoveryCode: Secret<string>
}

/** What shows that it is the owner: the account's own password and, where it has one, its separate passphrase. Wiped by the keyring. */
export interface OwnerSecrets {
  readonly password: Buffer
  readonly passphrase?: Buffer
}

/** A keyslot as everybody may know it. */
export interface KeyslotFacts {
  readonly id: string
  readonly type: SlotType
  readonly label: string
  /** Empty for everything. */
  readonly scope: readonly string[]
  /** Milliseconds since the epoch. */
  readonly created: number
  readonly expires: number | null
  /** By the operator; the owner's next change of credentials removes it. */
  readonly isBlocked: boolean
  /** Programs may log in with it by SCRAM-SHA-256, without showing it. */
  readonly scram: boolean
  /** Of an app password, to the hour; null for never, and for what is not one. */
  readonly lastUse: number | null
}

/**
 * Passwords and codes are Buffers that the keyring wipes once they are used. Everything throws VaultGone while the vault cannot
 * run, VaultBusy when too many logins wait, and AccountKeysDamaged for an account whose files do not fit together; what takes
 * a new password throws PasswordRefused; what takes the owner's password throws PassphraseNeeded when it is right and the account
 * wants its passphrase as well. Every change is in the audit log before it is made.
 */
export interface Keyring extends AsyncDisposable {
  /**
   * Makes AMK, slots, key pair and generic revocation; everything is on the disk when it resolves. The caller enters the account
   * in the directory.
   */
  create(account: AccountId, address: Address, password: Buffer, algorithm: KeyAlgorithm): Promise<NewKeys>
  /** The same for somebody who has not agreed to a key yet: nothing can be stored until there is one. */
  createWithoutKey(account: AccountId, password: Buffer): Promise<Pick<NewKeys, 'recoveryCode'>>
  /** null: wrong credential or no such account (`account` null), after the same work in both cases. */
  unlock(
    account: AccountId | null,
    credential: Buffer,
    how?: { readonly use?: CredentialUse; readonly passphrase?: Buffer },
  ): Promise<UnlockedKeys | null>
  /** Whether an app password was ever made here that can be used by SCRAM. */
  readonly scramIsUsed: boolean
  /**
   * What a client needs to know before it can prove that it has an app password (RFC 5802 §5.1), for any name that is typed; stable, and
   * in nothing different where there is no such account (null).
   */
  scramTerms(account: AccountId | null, name: string): Promise<ScramTerms>
  /**
   * As `unlock`, by the proof that an app password is known; `signature` shows the client that we know of it too. null: wrong proof, or
   * no such account. Own passwords and recovery codes cannot be used so: the vault needs to see them.
   */
  unlockByProof(
    account: AccountId | null,
    shown: ScramProof,
    use: ProtocolUse,
  ): Promise<{ readonly keys: UnlockedKeys; readonly signature: Bytes } | null>
  /** false: the old password is wrong. Ends other sessions. Never touches a key. */
  changePassword(account: AccountId, old: Buffer, next: Buffer, passphrase?: Buffer): Promise<boolean>
  /** Same with the recovery code, which is used up: the new one is handed back. null: wrong code. Throws RecoveryCodeMistyped. */
  recover(account: AccountId, code: Buffer, next: Buffer): Promise<{ readonly recoveryCode: Secret<string> } | null>
  /**
   * Without any credential: new AMK and key pair, old slots parked, old certificate revoked. Old mail stays sealed until
   * relinked. The directory has the new certificate when it resolves.
   */
  reset(account: AccountId, address: Address, next: Buffer, algorithm: KeyAlgorithm): Promise<NewKeys>
  /** The same for an account that has no key yet: it has none afterwards. */
  resetWithoutKey(account: AccountId, next: Buffer): Promise<Pick<NewKeys, 'recoveryCode'>>
  /**
   * Opens parked slots with an old password (and the separate passphrase of that time, if there was one) or recovery code, so that
   * old mail is readable again. null: nothing opened. Ends other sessions.
   */
  relink(
    account: AccountId,
    owner: OwnerSecrets,
    old: Buffer,
    oldPassphrase?: Buffer,
  ): Promise<{ readonly relinked: number } | null>
  /** Transferable secret key(s), armored, current first, locked with `lock` by S2K (RFC 9580 §10.2). null: wrong password. */
  exportSecretKey(account: AccountId, owner: OwnerSecrets, lock: Buffer): Promise<string | null>
  /** A password for one device, shown once. null: wrong password. Throws AppPasswordRefused, KeyslotsFull. */
  addAppPassword(
    account: AccountId,
    owner: OwnerSecrets,
    wish: AppPasswordWish,
  ): Promise<{ readonly id: string; readonly password: Secret<string> } | null>
  /** Removes these app passwords, and those that are blocked, and ends their sessions. false: wrong password. Throws AppPasswordRefused. */
  revokeAppPasswords(account: AccountId, owner: OwnerSecrets, ids: readonly string[]): Promise<boolean>
  /** The operator's way without the owner: from now on these app passwords are wrong; their sessions end. Throws AppPasswordRefused. */
  blockSlots(account: AccountId, ids: readonly string[]): Promise<void>
  /** A new recovery code, shown once; the one before ends. null: wrong password. */
  reissueRecoveryCode(account: AccountId, owner: OwnerSecrets): Promise<Secret<string> | null>
  /**
   * Sets or changes the separate passphrase, or ends it when `next` is null. Ends sessions. From then on the password alone logs in
   * nowhere: mail programs, which cannot ask for both, need app passwords. false: wrong password or passphrase.
   */
  setPassphrase(account: AccountId, owner: OwnerSecrets, next: Buffer | null): Promise<boolean>
  /** Puts a lock for the master key around the account's AMK; one that is there goes. false: wrong password. */
  agreeToEscrow(account: AccountId, owner: OwnerSecrets, master: Bytes): Promise<boolean>
  /**
   * Takes that lock away, with a new AMK and new keys in the place of those that the provider made (`wish`). All other credentials
   * stay. Ends sessions. null: wrong password.
   */
  leaveEscrow(account: AccountId, owner: OwnerSecrets, wish: NewKeyWish): Promise<EscrowLeft | null>
  /** Without secrets. */
  escrow(account: AccountId): Promise<EscrowFacts>
  /** The keyslot table for whoever has the master key. */
  requestEscrow(account: AccountId, ticket: string): Promise<Buffer>
  /** Takes the table that was made with the master key, if nothing has changed since. Sessions stay. */
  applyEscrow(account: AccountId, grant: { readonly ticket: string; readonly octets: Bytes }): Promise<EscrowApplied>
  /**
   * A new generation with a new key, current at once; the certificate before is revoked and kept to read old mail, unless its owner
   * brought it: then it is only kept. All credentials stay. Ends sessions. null: wrong password. Throws KeyRefused.
   */
  rotateKey(account: AccountId, owner: OwnerSecrets, wish: RotationWish): Promise<RotatedKey | null>
  /** The first key of an account that was made without one. null: wrong password. Throws KeyRefused when it has one. */
  generateKey(account: AccountId, owner: OwnerSecrets, wish: NewKeyWish): Promise<RotatedKey | null>
  /**
   * Takes a key of the owner's own, or one that is here already with a renewed certificate. With `both` it is current from now on and the
   * managed key before it is revoked; no message is lost, whatever was used before stays for reading. Ends sessions. null: wrong
   * password. Throws KeyRefused with every reason.
   */
  importKey(account: AccountId, owner: OwnerSecrets, wish: ImportWish): Promise<ImportedKey | null>
  /**
   * From now on the content of mail is sealed to this certificate, whose secret the server never had, before it rests under the
   * account's own key. Ends sessions. null: wrong password. Throws KeyRefused.
   */
  useDeviceCertificate(
    account: AccountId,
    owner: OwnerSecrets,
    certificate: Bytes,
    addresses: readonly string[],
  ): Promise<Omit<ImportedKey, 'retired'> | null>
  /** Back to one key that the provider made, a new one where there is none that counts. Ends sessions. null: wrong password. Throws KeyRefused. */
  useManaged(account: AccountId, owner: OwnerSecrets, wish: NewKeyWish): Promise<ManagedKey | null>
  /** By the key itself. null: wrong password. Throws KeyRefused, also for one that is in use, unless forced. */
  revokeKey(
    account: AccountId,
    owner: OwnerSecrets,
    wish: RevocationWish,
  ): Promise<{ readonly wasInUse: boolean } | null>
  /** A revocation in any form that OpenPGP programs write, of any of the account's certificates. null: it is of none of them. */
  uploadRevocation(account: AccountId, octets: Bytes): Promise<UploadedRevocation | null>
  /** Without secrets. */
  custody(account: AccountId): Promise<CustodyFacts>
  /** Without secrets. */
  keyslots(account: AccountId): Promise<readonly KeyslotFacts[]>
  /** Ends all handles of the account in this process, or those that came in by one of these slots. */
  endSessions(account: AccountId, slots?: readonly string[]): Promise<void>
}

class KeyringError extends Error {}
/** Too many logins wait for their turn; try again. */
export class VaultBusy extends KeyringError {
  override readonly name = 'VaultBusy'
}
/** The vault process does not run, or ended before it answered. The next call starts it again. */
export class VaultGone extends KeyringError {
  override readonly name = 'VaultGone'
}
/** The handle has ended; see `ended`. */
export class SessionEnded extends KeyringError {
  override readonly name = 'SessionEnded'
}
/** The message says what a new password must be. */
export class PasswordRefused extends KeyringError {
  override readonly name = 'PasswordRefused'
}
/** No such app password can be made or revoked; the message says why. */
export class AppPasswordRefused extends KeyringError {
  override readonly name = 'AppPasswordRefused'
}
/** A typing error: the code's checksum is wrong. Nothing was tried with it. */
export class RecoveryCodeMistyped extends KeyringError {
  override readonly name = 'RecoveryCodeMistyped'
}
/** The password is right, and the account wants its separate passphrase as well. */
export class PassphraseNeeded extends KeyringError {
  override readonly name = 'PassphraseNeeded'
  constructor() {
    super('this account wants its separate passphrase as well as the password')
  }
}
/** The app password that the session came in by does not go so far, or the key is not on this server. */
export class NotWithThisCredential extends KeyringError {
  override readonly name = 'NotWithThisCredential'
  constructor() {
    super("this session may not read or sign with the account's keys")
  }
}
/** More octets than one signature is made over. */
export class TooLargeToSign extends KeyringError {
  override readonly name = 'TooLargeToSign'
  constructor() {
    super('the message is too large to be signed')
  }
}
/** This account's files are damaged, or were changed by somebody; others are not concerned. The message names them and the remedy. */
export class AccountKeysDamaged extends KeyringError {
  override readonly name = 'AccountKeysDamaged'
}
/** The key cannot be what it should become, or not be done with what was asked. Nothing was changed. */
export class KeyRefused extends KeyringError {
  override readonly name = 'KeyRefused'
  readonly reasons: readonly KeyReason[]
  constructor(reasons: readonly KeyReason[]) {
    super(reasons.map(({ text }) => text).join(' '))
    this.reasons = reasons
  }
}
/** The account has as many credentials, parked ones included, as a table holds. */
export class KeyslotsFull extends KeyringError {
  override readonly name = 'KeyslotsFull'
}
/** PKESKs that are for these keys and do not open. `taken` has the keys of the others. */
export class SessionKeysBroken extends KeyringError {
  override readonly name = 'SessionKeysBroken'
  /** Indexes of the broken ones. */
  readonly broken: readonly number[]
  readonly taken: readonly (Bytes | null)[]
  constructor(broken: readonly number[], taken: readonly (Bytes | null)[]) {
    super(`${broken.length} of ${taken.length} encrypted session keys are broken`)
    this.broken = broken
    this.taken = taken
  }
}
