/**
 * The audit log: what was done to accounts, keys and mail, by whom and when, in a file that cannot be changed unseen.
 *
 * `audit/log` holds one JSON line per entry. Each line carries `chain`, the SHA-256 of the chain of the line before and of
 * itself, and `mac`, an HMAC under `keys/audit.key`; `audit/head` says, under a MAC too, how many lines there are and how the last
 * one ends. So an altered, dropped, inserted, repeated or moved line is found and named, and so is a cut tail. Who has
 * the key can write everything anew: against them stands the head that an operator noted elsewhere (`audit verify --head`).
 *
 * An entry is on the disk before `record` resolves, and callers await it BEFORE they do what it says: what cannot be recorded
 * is not done. An entry therefore says what was about to be done; `audited` adds a second one when it failed.
 *
 * A crash leaves at worst half a line, or a whole one that the head does not count yet: the next writer cuts the first and counts
 * the second. Nothing else is ever repaired: a log that does not fit its head is refused until somebody sets it aside.
 *
 * Never in it: passwords, passphrases, codes, keys, content of mail. Several processes write; an flock(2) orders them.
 */
import type { AccountId } from '#custody/accounts/directory.ts'

export type AuditEvent =
  | 'log.started'
  | 'account.created'
  | 'account.suspended'
  | 'account.resumed'
  | 'account.removed'
  | 'account.reset'
  | 'account.relinked'
  | 'password.changed'
  | 'password.recovered'
  | 'passphrase.set'
  | 'passphrase.removed'
  | 'recovery.reissued'
  | 'app-password.added'
  | 'app-password.changed'
  | 'app-password.revoked'
  | 'passkey.added'
  | 'passkey.revoked'
  | 'key.generated'
  | 'key.imported'
  | 'key.rotated'
  | 'key.revoked'
  | 'key.revocation-uploaded'
  | 'key.exported'
  | 'custody.changed'
  | 'reseal.started'
  | 'reseal.paused'
  | 'reseal.finished'
  | 'mail.exported'
  | 'mail.imported'
  | 'policy.changed'
  | 'correspondent.accepted'
  | 'correspondent.forgotten'
  | 'consent.given'
  | 'consent.withdrawn'
  | 'escrow.enabled'
  | 'escrow.disabled'
  | 'escrow.consented'
  | 'escrow.opted-out'
  | 'escrow.requested'
  | 'escrow.opened'

export type AuditDetail = Readonly<Record<string, string | number | boolean>>

export interface AuditEntry {
  /** 1 for the first; the line's number in the file. */
  readonly seq: number
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly event: AuditEvent
  /** null for what concerns no single account. */
  readonly account: AccountId | null
  /** The account's address then, for people who read the log. */
  readonly address?: string
  /** `owner`, `operator` or `server`. */
  readonly actor: string
  /** At most 16 fields; texts are cut at 256 characters and freed from control characters. Never a secret. */
  readonly detail: AuditDetail
}

export type AuditRecord = Omit<AuditEntry, 'seq' | 'at'>

export interface EntryFilter {
  readonly account?: AccountId
  /** Milliseconds since the epoch. */
  readonly since?: number
  /** The newest so many of those that match. */
  readonly limit?: number
}

export interface AuditLog {
  /**
   * The entry is on the disk when this resolves. Throws when it is not: AuditDamaged, FileLocked, or what the disk says; the caller
   * then does not go on.
   */
  record(entry: AuditRecord): Promise<void>
  /** Oldest first. Throws AuditDamaged behind the last entry when there were lines that nobody of us wrote. */
  entries(filter?: EntryFilter): AsyncIterable<AuditEntry>
}

/** The log does not fit its head or its key: it was tampered with, or restored in parts. */
export class AuditDamaged extends Error {
  override readonly name = 'AuditDamaged'
}

/** Records, then acts; when the act fails, a second entry with `failed: true` says so, and what it threw is thrown. */
export async function audited<T>(log: AuditLog, entry: AuditRecord, act: () => Promise<T>): Promise<T> {
  await log.record(entry)
  try {
    return await act()
  } catch (error) {
    // what went wrong first is what its caller must hear of
    await log.record({ ...entry, detail: { ...entry.detail, failed: true } }).catch(() => {})
    throw error
  }
}
