/**
 * What can be asked of the vault: each operation with the shape of its request and of its answer. This folder is all that
 * the keyring may import of the vault; nothing in it touches a secret.
 *
 * Secret octets in a request: credentials and passphrases. In an answer: session keys of single messages, the index key of an
 * account, a fresh recovery code, an exported key under its passphrase. No operation gives out an AMK or a bare secret key.
 */
import { bytes, type Carried, type Codec, integer, list, oneOf, record, text, uint32, word } from './codec.ts'
import { TABLE_OCTETS_MAX } from './slot-table.ts'

/** Longer credentials are wrong before they are tried. */
export const CREDENTIAL_OCTETS_MAX = 1024
/** NIST SP 800-63B §3.1.1.2: length counts, rules of composition do not. */
export const PASSWORD_OCTETS_MIN = 8
export const PKESKS_MAX = 512
export const PKESK_OCTETS_MAX = 4096
export const CONTENT_OCTETS_MAX = 7 * 1024 * 1024
/** Of one account, all generations. */
export const KEYS_MAX = 64

const account = text(64)
const table = bytes(TABLE_OCTETS_MAX)
const credential = bytes(CREDENTIAL_OCTETS_MAX)
const lockedKey = { certificate: bytes(256 * 1024), locked: bytes(64 * 1024) }
const algorithm = word('curve25519', 'rsa3072')
const newKeys = record({
  table,
  ...lockedKey,
  fingerprint: text(64),
  /** Armored, unlocked by nothing: whoever has it can revoke the certificate. */
  revocation: bytes(64 * 1024),
  /** ASCII. */
  recoveryCode: bytes(64),
})
const handle = { handle: uint32 }

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
  configure: operation(1, record({ graceMs: integer, memory: uint32, passes: uint32, waiting: uint32 }), record({})),
  create: operation(
    2,
    record({ account, userId: text(512), algorithm, created: integer, password: credential }),
    newKeys,
  ),
  /** An empty account is one that is not there: the same work, and always wrong. */
  unlock: operation(
    3,
    record({ account, table, keys: list(record(lockedKey), KEYS_MAX), credential }),
    oneOf({ wrong: {}, unlocked: handle }),
  ),
  sessionKeys: operation(
    4,
    record({ ...handle, pkesks: list(bytes(PKESK_OCTETS_MAX), PKESKS_MAX) }),
    list(oneOf({ foreign: {}, key: { key: bytes(64) }, broken: {} }), PKESKS_MAX),
  ),
  indexKey: operation(5, record(handle), record({ key: bytes(32) })),
  /** A detached signature packet over `content` by the current key, verified before it is given out. */
  sign: operation(
    6,
    record({ ...handle, content: bytes(CONTENT_OCTETS_MAX), created: integer }),
    record({ signature: bytes(8192) }),
  ),
  close: operation(7, record(handle), record({})),
  endAll: operation(8, record({ account }), record({})),
  /** Adds a slot for the new password; the old ones stay until `settle`. */
  changePassword: operation(
    9,
    record({ account, table, created: integer, old: credential, next: credential }),
    oneOf({ wrong: {}, changed: { table } }),
  ),
  /** The same with the recovery code, for which a new one is made too. */
  recover: operation(
    10,
    record({ account, table, created: integer, code: credential, next: credential }),
    oneOf({ wrong: {}, mistyped: {}, changed: { table, recoveryCode: bytes(64) } }),
  ),
  /** Opens the newest password slot and drops the password and recovery slots that are older than the newest of their type. */
  settle: operation(11, record({ account, table, password: credential }), oneOf({ wrong: {}, changed: { table } })),
  /** New AMK, slots and key; the slots of the old table are parked in the new one. */
  reset: operation(
    12,
    record({ account, table, userId: text(512), algorithm, created: integer, password: credential }),
    newKeys,
  ),
  /** Locks the keys of parked generations that `old` opens under the current AMK. */
  relink: operation(
    13,
    record({
      account,
      table,
      keys: list(record({ generation: integer, ...lockedKey }), KEYS_MAX),
      password: credential,
      old: credential,
    }),
    oneOf({
      wrong: {},
      nothing: {},
      relinked: { table, keys: list(record({ fingerprint: text(64), ...lockedKey }), KEYS_MAX) },
    }),
  ),
  exportKeys: operation(
    14,
    record({
      account,
      table,
      keys: list(record(lockedKey), KEYS_MAX),
      password: credential,
      passphrase: credential,
    }),
    oneOf({ wrong: {}, exported: { armored: bytes(4 * 1024 * 1024) } }),
  ),
  status: operation(15, record({}), record({ handles: uint32, accounts: uint32, stretches: uint32 })),
}

export type Operations = typeof operations
export type OperationName = keyof Operations
export type RequestOf<N extends OperationName> = Carried<Operations[N]['request']>
export type AnswerOf<N extends OperationName> = Carried<Operations[N]['answer']>

/** Why an operation was refused. Words only: a text could carry something out. */
export const refusal = record({
  why: word('busy', 'tampered', 'mismatch', 'closed', 'weak', 'full', 'malformed', 'failed'),
})
export type RefusalReason = Carried<typeof refusal>['why']
