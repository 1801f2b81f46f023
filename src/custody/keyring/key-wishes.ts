/**
 * What can be asked of the keyring about an account's keys, and what it answers: app passwords, custody modes, rotation, keys of the
 * owner's own, revocation, escrow. Types alone; what they do stands at the methods of the keyring (keyring.ts).
 */
import type { Bytes } from '#lib/bytes.ts'
import type { Secret } from '#lib/secret.ts'
import type { EscrowOpening } from '../vault/protocol/slot-table.ts'

export type KeyAlgorithm = 'curve25519' | 'rsa3072' | 'rsa4096'

export interface AppPasswordWish {
  /** Its owner's name for it, 1 to 64 characters. */
  readonly label: string
  /** `imap`, `pop3`, `smtp`, `jmap`: one of them at least; `sign`: to sign as the account too (vault/protocol/scope.ts). */
  readonly scope: readonly string[]
  /** Milliseconds since the epoch; null for never. */
  readonly expires: number | null
}

export interface EscrowFacts {
  /** Since when the master key with this fingerprint opens the account; milliseconds since the epoch. */
  readonly slot: { readonly master: string; readonly since: number } | null
  /** A reset has parked an escrow slot: mail from before it can still be opened with the master key. */
  readonly parked: boolean
  /** Oldest first. */
  readonly openings: readonly EscrowOpening[]
}

export interface NewKeyWish {
  /** Such as `<ada@alpha.test>`; the first is the primary one. */
  readonly userIds: readonly string[]
  readonly algorithm: KeyAlgorithm
}

/** What becomes of an escrow slot: sealed again to the same master certificate, or dropped. `keep` when left out. */
export interface EscrowWish {
  readonly escrow?: 'keep' | 'drop'
}

export interface RotationWish extends NewKeyWish, EscrowWish {
  /** `end-to-end`: only the key that others write to, which becomes one of its own. `key` when left out. */
  readonly renews?: 'key' | 'end-to-end'
}

/** What a new generation costs: `ended` credentials that could not be carried over, and a recovery code that had to be replaced. */
export interface Renewal {
  readonly ended: number
  readonly recoveryCode: Secret<string> | null
}

export interface RotatedKey extends Renewal {
  readonly fingerprint: string
  readonly certificate: Bytes
  /** Fingerprints of certificates that are revoked now. */
  readonly retired: readonly string[]
}

/** `both`: mail rests under it and others write to it; `reading`: old mail is opened with it. */
export interface ImportWish {
  /** As it came, armored or not, locked or not. */
  readonly tsk: Buffer
  readonly keyPassphrase: Buffer | null
  readonly use: 'both' | 'end-to-end' | 'reading'
  /** A key that nothing can be sealed to gets a Curve25519 subkey. */
  readonly addsSubkey: boolean
  /** The account's, as `local@domain`. */
  readonly addresses: readonly string[]
  /** The managed key that it takes over from is not revoked. */
  readonly keepsOld?: boolean
}

export interface KeyReason {
  readonly code: string
  /** Whole sentences, with what to do. */
  readonly text: string
}

export interface ImportedKey {
  readonly fingerprint: string
  readonly certificate: Bytes
  readonly warnings: readonly KeyReason[]
  /** Fingerprints of certificates that are revoked now. */
  readonly retired: readonly string[]
}

export interface ManagedKey {
  readonly fingerprint: string
  /** The new key; null when the one before is used again. */
  readonly made: RotatedKey | null
}

export interface UploadedRevocation {
  readonly fingerprint: string
  /** Mail rests under it, or others write to it: it is published as revoked, and a new key should take over. */
  readonly isInUse: boolean
  readonly wasRevoked: boolean
}

export interface RevocationWish {
  readonly fingerprint: string
  /** RFC 9580 §5.2.3.31: no reason, superseded, compromised, retired. */
  readonly reason: 0 | 1 | 2 | 3
  readonly text: string
  /** Also one that is in use and has no successor. */
  readonly isForced?: boolean
}

/**
 * Who holds the key that mail is sealed to. `none`: there is no key yet; `managed`: the provider made it; `own`: its owner brought it;
 * `device`: content is sealed to a key whose secret only its owner has, and rests under the account's own key besides.
 */
export type CustodyMode = 'none' | 'managed' | 'own' | 'device'

export interface CustodyFacts {
  readonly mode: CustodyMode
  /** Fingerprint of the certificate that mail rests under; empty for none. */
  readonly current: string
  /** Of the one that others write to. */
  readonly endToEnd: string
  /** Fingerprints of keys that their owner brought. */
  readonly brought: readonly string[]
}

export interface EscrowLeft extends Renewal {
  /** The new certificate for rest; null where the owner's own key stays. */
  readonly fingerprint: string | null
  /** A key that the owner brought stays: earlier copies of the files, with the master key, still open what is sealed to it. */
  readonly hasOwnKeys: boolean
}

/**
 * `outdated`: the keyslots have changed since the request; `untimely`: the day that the opening names is not now, so its owner would not be
 * told rightly; `foreign`: of another account, or more than an opening.
 */
export type EscrowApplied = 'applied' | 'outdated' | 'untimely' | 'foreign'
