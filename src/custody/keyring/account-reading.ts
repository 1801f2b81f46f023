/** What the files and the directory say of an account's keys, put together and checked against each other. */
import type { AccountId, Directory, StoredCertificate } from '../accounts/directory.ts'
import type { AccountFiles, StoredTable } from './account-files.ts'
import { AccountKeysDamaged } from './keyring.ts'
import type { LockedKeyFile } from './locked-key-file.ts'

export interface AccountReading extends StoredTable {
  /** Those that the present AMK opens, alone or by those before it, with the certificate that the directory publishes; the current one first. */
  readonly keys: readonly LockedKeyFile[]
  /** Those of parked generations. */
  readonly parked: readonly LockedKeyFile[]
  /** What an interrupted reset has not told the directory yet. */
  readonly unfinished: {
    readonly missing: LockedKeyFile | null
    readonly unrevoked: readonly StoredCertificate[]
  } | null
}

/**
 * Reads the directory first, then the table, then the keys: the order of a reset turned round, so that a reset that happens
 * meanwhile looks like one that was interrupted, and not like a forgery. Throws AccountKeysDamaged when the directory names a
 * certificate that is not the account's, or not its current one.
 */
export async function readAccount(
  account: AccountId,
  files: AccountFiles,
  directory: Directory,
): Promise<AccountReading> {
  const certificates = await directory.certificates(account)
  const stored = await files.table()
  const all = await files.lockedKeys()
  const { current } = stored.table
  const opened = new Set([stored.table.generation, ...stored.table.earlier.map(({ generation }) => generation)])
  const published = new Map(certificates.map((one) => [one.fingerprint, one]))
  const own = new Set(all.map((key) => key.fingerprint))
  const foreign = certificates.find((one) => one.custody === 'held' && !own.has(one.fingerprint))
  const newest = certificates.find((one) => one.current)
  if (foreign) throw mismatch(account, `lists ${foreign.fingerprint}, for which the account has no key`)
  if (published.has(current) && newest?.fingerprint !== current) {
    throw mismatch(account, `lists ${newest?.fingerprint} as current instead of ${current}`)
  }
  const keys = all
    .filter((key) => opened.has(key.generation))
    // The published certificate, not the one of the file: the vault refuses a key whose certificate was exchanged.
    .map((key) => ({ ...key, certificate: published.get(key.fingerprint)?.certificate ?? key.certificate }))
    .sort((a, b) => Number(b.fingerprint === current) - Number(a.fingerprint === current))
  if (current !== '' && keys[0]?.fingerprint !== current) {
    throw new AccountKeysDamaged(
      `the locked key ${current} of account ${account} is missing. Restore it from a backup.`,
    )
  }
  const parked = all.filter((key) => !opened.has(key.generation))
  const revocable = parked.map((key) => published.get(key.fingerprint)).filter((one) => one !== undefined)
  const unrevoked = revocable.filter((one) => one.revocation === undefined)
  const missing = published.has(current) ? null : (keys.find((key) => key.fingerprint === current) ?? null)
  const unfinished = missing || unrevoked.length > 0 ? { missing, unrevoked } : null
  return { ...stored, keys, parked, unfinished }
}

function mismatch(account: AccountId, what: string): AccountKeysDamaged {
  return new AccountKeysDamaged(
    `the directory ${what} (account ${account}). It was changed by somebody else: restore it from a backup, and find out who.`,
  )
}
