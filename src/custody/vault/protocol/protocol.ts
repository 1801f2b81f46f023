/**
 * What can be asked of the vault: each operation with the shape of its request and of its answer. This folder is all that
 * the keyring may import of the vault; nothing in it touches a secret.
 *
 * Secret octets in a request: credentials and passphrases, a key that its owner brings. In an answer: session keys of single
 * messages, the index keys of an account, a fresh recovery code or app password, an exported key under its passphrase. No
 * operation gives out an AMK or a bare secret key.
 */
import { bytes, type Carried, type Codec, integer, list, oneOf, record, text, uint32, word } from './codec.ts'
import { SIGN } from './frames.ts'
import { SCRAM_SALT_OCTETS, TABLE_OCTETS_MAX } from './slot-table.ts'

/** Longer credentials are wrong before they are tried. */
export const CREDENTIAL_OCTETS_MAX = 1024
/** The messages of a SCRAM exchange, each bounded where it is read. */
export const AUTH_MESSAGE_MAX = 8192
/** NIST SP 800-63B §3.1.1.2: length counts, rules of composition do not. */
export const PASSWORD_OCTETS_MIN = 8
export const PKESKS_MAX = 512
export const PKESK_OCTETS_MAX = 4096
/** Of what is signed: the largest mail, and what is put in front of it. */
export const CONTENT_OCTETS_MAX = 64 * 1024 * 1024
/** Named in one signature; its hashed part has 65535 octets at most (RFC 9580 §5.2.3). */
export const INTENDED_MAX = 1024
/** Of one account, all generations: one for each generation, and those that its owner brought. */
export const KEYS_MAX = 128
/** All together fit into a frame beside the made ones, whatever their owner put into them. */
export const BROUGHT_KEYS_MAX = 64
export const BROUGHT_OCTETS_MAX = 4 * 1024 * 1024

/** Of a key as it is brought, with everything that others put beside it. */
export const TSK_OCTETS_MAX = 4 * 1024 * 1024
/** Of a certificate as it is kept. */
export const CERTIFICATE_OCTETS_MAX = 128 * 1024

/** How everything begins that is signed as a statement, and nothing else may. */
export const STATEMENT = Buffer.from('{"format":"letterlock ')

const account = text(64)
const table = bytes(TABLE_OCTETS_MAX)
const credential = bytes(CREDENTIAL_OCTETS_MAX)
/** The account's own password and, where it has one, its separate passphrase; empty for none. Nothing else may change an account. */
const owner = { password: credential, passphrase: credential }
const certificate = bytes(256 * 1024)
const lockedKey = { certificate, locked: bytes(CERTIFICATE_OCTETS_MAX + 64 * 1024) }
/** Each with the generation of the AMK that locks it. */
const keys = list(record({ generation: integer, ...lockedKey }), KEYS_MAX)
const algorithm = word('curve25519', 'rsa3072', 'rsa4096')
const recoveryCode = bytes(64)
/** Armored, unlocked by nothing: whoever has it can revoke the certificate. */
const revocation = bytes(64 * 1024)
const newKey = { ...lockedKey, fingerprint: text(64), revocation }
const handle = { handle: uint32 }
const yesOrNo = word('no', 'yes')
/** `wrong`: password or passphrase; `passphrase`: the password is right, and the account wants its passphrase as well. */
const denials = { wrong: {}, passphrase: {} }
const changed = { changed: { table } }

export interface Operation<Q, A> {
  readonly code: number
  readonly request: Codec<Q>
  readonly answer: Codec<A>
}

const operation = <Q, A>(code: number, request: Codec<Q>, answer: Codec<A>): Operation<Q, A> => ({
  code,
  request,
  answer,
})

export const operations = {
  /** The first request, and the only one of its kind. Argon2 memory in KiB. */
  configure: operation(
    1,
    record({ graceMs: integer, idleMs: integer, memory: uint32, passes: uint32, waiting: uint32 }),
    record({}),
  ),
  /** Without `withKey` the account has slots only: certificate, fingerprint, revocation and locked key are empty. */
  create: operation(
    2,
    record({ account, userId: text(512), algorithm, withKey: yesOrNo, created: integer, password: credential }),
    record({ table, ...newKey, recoveryCode }),
  ),
  /**
   * An empty account is one that is not there: the same work, and always wrong. `use` is what the credential is to be used for,
   * `now` decides whether it has expired; milliseconds since the epoch.
   */
  unlock: operation(
    3,
    record({
      account,
      table,
      keys,
      ...owner,
      use: word('owner', 'imap', 'pop3', 'smtp', 'jmap'),
      now: integer,
    }),
    oneOf({ ...denials, unlocked: { ...handle, slot: text(64), reads: yesOrNo, signs: yesOrNo } }),
  ),
  sessionKeys: operation(
    4,
    record({ ...handle, pkesks: list(bytes(PKESK_OCTETS_MAX), PKESKS_MAX) }),
    list(oneOf({ foreign: {}, key: { key: bytes(64) }, broken: {} }), PKESKS_MAX),
  ),
  /** Newest first. */
  indexKeys: operation(5, record(handle), list(bytes(32), KEYS_MAX)),
  /**
   * A detached signature packet over `content`, verified before it is given out: `mail` by the end-to-end key, `statement` (what
   * the owner declares to the provider) by the current one. `recipients`: fingerprints of those that it is meant for, upper-case
   * hex; none for everybody.
   */
  sign: operation(
    SIGN,
    record({
      ...handle,
      purpose: word('mail', 'statement'),
      created: integer,
      recipients: list(text(64), INTENDED_MAX),
      content: bytes(CONTENT_OCTETS_MAX),
    }),
    record({ signature: bytes(64 * 1024) }),
  ),
  close: operation(7, record(handle), record({})),
  endAll: operation(8, record({ account }), record({})),
  /** Adds a slot for the new password; the old ones stay until `settle`. The passphrase, where there is one, stays the same. */
  changePassword: operation(
    9,
    record({ account, table, created: integer, ...owner, next: credential }),
    oneOf({ ...denials, ...changed }),
  ),
  /** The same with the recovery code, for which a new one is made too; a separate passphrase ends with it. */
  recover: operation(
    10,
    record({ account, table, created: integer, code: credential, next: credential }),
    oneOf({ wrong: {}, mistyped: {}, changed: { table, recoveryCode } }),
  ),
  /** Opens the newest slots and drops those password, passphrase and recovery slots that are older than the newest of their type. */
  settle: operation(11, record({ account, table, ...owner }), oneOf({ ...denials, ...changed })),
  /** New AMK, slots and key; the slots of the old table are parked in the new one. */
  reset: operation(
    12,
    record({ account, table, userId: text(512), algorithm, withKey: yesOrNo, created: integer, password: credential }),
    record({ table, ...newKey, recoveryCode }),
  ),
  /** Puts the AMKs of parked generations that `old` opens, alone or with `oldPassphrase`, under the present one. Answers those generations. */
  relink: operation(
    13,
    record({ account, table, ...owner, old: credential, oldPassphrase: credential }),
    oneOf({ ...denials, nothing: {}, relinked: { table, generations: list(integer, KEYS_MAX) } }),
  ),
  /** Transferable secret keys under `lock`, a passphrase of the owner's choice. */
  exportKeys: operation(
    14,
    record({ account, table, keys, ...owner, lock: credential }),
    oneOf({ ...denials, exported: { armored: bytes(4 * 1024 * 1024) } }),
  ),
  status: operation(15, record({}), record({ handles: uint32, accounts: uint32, stretches: uint32 })),
  /** A slot with a new random credential: `app` (`secret` is the app password) or `recovery` (the recovery code; older ones end). */
  addCode: operation(
    16,
    record({
      account,
      table,
      ...owner,
      type: word('app', 'recovery'),
      scope: text(64),
      label: text(256),
      created: integer,
      /** 0 for never. */
      expires: integer,
      /** For an app password, what clients salt it with where the account has no salt yet; empty for a recovery code. */
      salt: bytes(SCRAM_SALT_OCTETS),
    }),
    oneOf({ ...denials, added: { table, slot: text(64), secret: bytes(64) } }),
  ),
  /** Drops app and escrow slots. */
  dropSlots: operation(
    17,
    record({ account, table, ...owner, slots: list(text(64), 256) }),
    oneOf({ ...denials, ...changed }),
  ),
  /** Sets, changes or (when `next` is empty) ends the separate passphrase. */
  setPassphrase: operation(
    18,
    record({ account, table, ...owner, next: credential, created: integer }),
    oneOf({ ...denials, ...changed }),
  ),
  /**
   * New AMK, and a new key unless `renews` is `master`: the one that mail rests under, or another one for end to end alone. The slots
   * are carried over without their credentials, `escrow` ones only if asked; `ended` counts those that could not be, and a recovery
   * code of that kind is replaced. `retired`: a fresh revocation of the certificate that the new one takes over from.
   */
  rotate: operation(
    19,
    record({
      account,
      table,
      keys,
      ...owner,
      renews: word('key', 'end-to-end', 'master'),
      userIds: list(text(512), 32),
      algorithm,
      escrow: word('keep', 'drop'),
      /** What escrow slots are sealed to, to be sealed again; empty when there are none or none is kept. */
      master: certificate,
      created: integer,
    }),
    oneOf({
      ...denials,
      rotated: {
        table,
        ...newKey,
        retired: list(record({ fingerprint: text(64), revocation }), 1),
        ended: uint32,
        /** Empty: the present one goes on. */
        recoveryCode,
      },
    }),
  ),
  /**
   * Takes a secret key of the owner's own, as it came: armored or not, locked by `keyPassphrase` or not. `refused` has the public
   * half and the fingerprints of the keys whose secret is in it, so that the reasons can be told. No revocation is made: it is not
   * the provider's to give up a key that its owner brought.
   */
  importKey: operation(
    20,
    record({
      account,
      table,
      ...owner,
      tsk: bytes(TSK_OCTETS_MAX),
      keyPassphrase: credential,
      use: word('both', 'end-to-end', 'reading'),
      addsSubkey: yesOrNo,
      addresses: list(text(512), 64),
      created: integer,
    }),
    oneOf({
      ...denials,
      unreadable: {
        why: word('not a secret key', 'locked', 'wrong passphrase', 'unknown lock', 'halves do not match', 'too large'),
      },
      refused: { certificate, held: list(text(64), 64) },
      imported: { table, ...newKey, held: list(text(64), 64) },
    }),
  ),
  /** Says which certificate others write to; `same` is the current one again. */
  setEndToEnd: operation(
    21,
    record({
      account,
      table,
      ...owner,
      endToEnd: oneOf({
        same: {},
        other: { fingerprint: text(64), custody: word('held', 'device'), certificateHash: bytes(32) },
      }),
    }),
    oneOf({ ...denials, ...changed }),
  ),
  /** A revocation by the key itself; the reason is that of RFC 9580 §5.2.3.31. */
  revokeKey: operation(
    22,
    record({
      account,
      table,
      keys,
      ...owner,
      fingerprint: text(64),
      reason: uint32,
      text: text(512),
      created: integer,
    }),
    /** `unknown`: not one of these keys, or without the secret of its primary key. */
    oneOf({ ...denials, unknown: {}, revoked: { revocation } }),
  ),
  /** Seals the AMK to the master certificate; takes the place of an escrow slot that is there. */
  addEscrow: operation(
    23,
    record({ account, table, ...owner, master: certificate, created: integer }),
    oneOf({ ...denials, ...changed }),
  ),
  /** Away from the server: opens the escrow slot with the master secret key and makes one recovery slot for the account. */
  openEscrow: operation(
    24,
    record({
      account,
      table,
      master: bytes(TSK_OCTETS_MAX),
      masterPassphrase: credential,
      ticket: text(2000),
      created: integer,
    }),
    oneOf({
      /** The table has no escrow slot for this master key. */
      none: {},
      /** The master key does not open with this passphrase, or not the slot. */
      wrong: {},
      opened: { table, recoveryCode },
    }),
  ),
  /** Away from the server: a new master key, its secret locked by `lock` and armored. */
  makeMaster: operation(
    25,
    record({ userId: text(512), algorithm, created: integer, lock: credential }),
    record({ certificate, fingerprint: text(64), secret: bytes(TSK_OCTETS_MAX) }),
  ),
  /** Away from the server: whether a master key opens, and could take the AMK out of a slot. */
  checkMaster: operation(
    26,
    record({ master: bytes(TSK_OCTETS_MAX), masterPassphrase: credential, now: integer }),
    oneOf({ wrong: {}, opens: { fingerprint: text(64) } }),
  ),
  /**
   * As `unlock`, by the proof of a SCRAM-SHA-256 exchange (RFC 5802 §3) that an app password is known. `signature` is for the client.
   * Without an account: the same work, and always wrong.
   */
  unlockByProof: operation(
    27,
    record({
      account,
      table,
      keys,
      authMessage: bytes(AUTH_MESSAGE_MAX),
      proof: bytes(32),
      use: word('imap', 'pop3', 'smtp', 'jmap'),
      now: integer,
    }),
    oneOf({ wrong: {}, unlocked: { ...handle, slot: text(64), reads: yesOrNo, signs: yesOrNo, signature: bytes(32) } }),
  ),
}

export type Operations = typeof operations
export type OperationName = keyof Operations
export type RequestOf<N extends OperationName> = Carried<Operations[N]['request']>
export type AnswerOf<N extends OperationName> = Carried<Operations[N]['answer']>

/** Why an operation was refused. Words only: a text could carry something out. */
export const refusal = record({
  why: word('busy', 'tampered', 'mismatch', 'closed', 'forbidden', 'weak', 'full', 'malformed', 'failed'),
})
export type RefusalReason = Carried<typeof refusal>['why']
