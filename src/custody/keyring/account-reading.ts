/** What the files and the directory say of an account's keys, put together and checked against each other. */
import { hash } from 'node:crypto'
import type { AccountId, Directory, StoredCertificate } from '../accounts/directory.ts'
import type { SlotTable } from '../vault/protocol/slot-table.ts'
import type { AccountFiles, StoredTable } from './account-files.ts'
import type { Intent } from './intent.ts'
import { AccountKeysDamaged } from './keyring.ts'
import { isUnder, type LockedKeyFile } from './locked-key-file.ts'

export interface AccountReading extends StoredTable {
  /** Those that the present AMK opens, alone or by those before it, each with the certificate that it is locked with; the current one first. */
  readonly keys: readonly LockedKeyFile[]
  /** Those of parked generations. */
  readonly parked: readonly LockedKeyFile[]
  /** What the directory lists. */
  readonly certificates: readonly StoredCertificate[]
  /** What an interrupted change has left to do. */
  readonly unfinished: Unfinished | null
}

export interface Unfinished {
  /** Published, and to be revoked. */
  readonly unrevoked: readonly string[]
  /** Renewed keys whose certificates the directory has. */
  readonly renewed: readonly string[]
}

/** Times that a disagreement is looked at before it is believed: a change of another process may be under way. */
const LOOKS = 3

/**
 * Reads the directory first, then the table, then the keys: the order of a change turned round, so that one that happens
 * meanwhile looks like one that was interrupted, and not like a forgery. Throws AccountKeysDamaged when the directory names a
 * certificate that is not the account's, or another one as its current or end-to-end one than the table does.
 */
export async function readAccount(
  account: AccountId,
  files: AccountFiles,
  directory: Directory,
): Promise<AccountReading> {
  for (let look = 1; ; look++) {
    const certificates = await directory.certificates(account)
    const stored = await files.table()
    const intent = await files.intent()
    const [all, renewed] = [await files.lockedKeys(), await files.renewedKeys()]
    const wrong = disagreement(stored.table, certificates, { intent, all })
    if (wrong && look === LOOKS) throw mismatch(account, wrong)
    if (wrong || (look < LOOKS && !fit([...all, ...renewed], certificates))) continue
    return assembled(account, stored, { certificates, intent, all, renewed })
  }
}

/** Whether there is a key for each published certificate just as it is; the vault has the last word. */
const fit = (keys: readonly LockedKeyFile[], certificates: readonly StoredCertificate[]): boolean =>
  certificates.every(
    (one) =>
      one.custody === 'device' ||
      keys.some((key) => key.fingerprint === one.fingerprint && Buffer.compare(key.certificate, one.certificate) === 0),
  )

/** The certificate that others write to. */
export const endToEndOf = ({ current, endToEnd }: SlotTable): string => endToEnd?.fingerprint ?? current

/** Whether the directory says what the table says. */
export function isTold({ current, endToEnd }: SlotTable, certificates: readonly StoredCertificate[]): boolean {
  const rest = certificates.find((one) => one.current)
  const other = certificates.find((one) => one.endToEnd)
  if ((rest?.fingerprint ?? '') !== current) return false
  if (!endToEnd) return (other?.fingerprint ?? '') === current
  if (other?.fingerprint !== endToEnd.fingerprint || other.custody !== endToEnd.custody) return false
  return endToEnd.custody === 'held' || hash('sha256', other.certificate, 'buffer').equals(endToEnd.certificateHash)
}

const isOf = (intent: Intent, table: SlotTable): boolean =>
  intent.current === table.current && intent.endToEnd === endToEndOf(table)

interface Found {
  readonly intent: Intent | null
  readonly all: readonly LockedKeyFile[]
}

/** What the directory says and must not, null when all is well or what is missing is known. */
function disagreement(
  table: SlotTable,
  certificates: readonly StoredCertificate[],
  { intent, all }: Found,
): string | null {
  const own = new Set(all.map((key) => key.fingerprint))
  const foreign = certificates.find((one) => one.custody === 'held' && !own.has(one.fingerprint))
  if (foreign) return `lists ${foreign.fingerprint}, for which the account has no key`
  if (isTold(table, certificates) || (intent && isOf(intent, table))) return null
  // an account that is being made, or a reset that was interrupted
  if (table.current !== '' && !certificates.some(({ fingerprint }) => fingerprint === table.current)) return null
  const rest = certificates.find((one) => one.current)?.fingerprint
  if (rest !== table.current) return `lists ${rest} as current instead of ${table.current || 'none'}`
  const other = certificates.find((one) => one.endToEnd)?.fingerprint
  return `gives out ${other} for others to write to, and not ${endToEndOf(table)} as its owner chose it`
}

function mismatch(account: AccountId, what: string): AccountKeysDamaged {
  return new AccountKeysDamaged(
    `the directory ${what} (account ${account}). It was changed by somebody else: restore it from a backup, and find out who.`,
  )
}

interface Parts extends Found {
  readonly certificates: readonly StoredCertificate[]
  readonly renewed: readonly LockedKeyFile[]
}

function assembled(account: AccountId, stored: StoredTable, parts: Parts): AccountReading {
  const { certificates, intent, renewed } = parts
  const { table } = stored
  const opened = [table, ...table.earlier]
  const closed = table.parked.flatMap((group) => [group, ...group.earlier])
  const published = new Map(certificates.map((one) => [one.fingerprint, one]))
  const adopted = renewed.filter((key) => isPublished(key, published))
  const all = parts.all.map((key) => adopted.find((one) => one.fingerprint === key.fingerprint) ?? key)
  const keys = all
    .filter((key) => opened.some((one) => isUnder(key, one)))
    .map((key) => withPublished(key, published))
    .sort((a, b) => Number(b.fingerprint === table.current) - Number(a.fingerprint === table.current))
  if (table.current !== '' && keys[0]?.fingerprint !== table.current) {
    throw new AccountKeysDamaged(
      `the locked key ${table.current} of account ${account} is missing. Restore it from a backup.`,
    )
  }
  const parked = all.filter((key) => closed.some((one) => isUnder(key, one)))
  const retired = intent && isOf(intent, table) ? intent.retired : []
  const given = [...retired, ...parked.filter(({ origin }) => origin === 'made').map(({ fingerprint }) => fingerprint)]
  const unrevoked = [...new Set(given)].filter((one) => published.has(one) && !published.get(one)!.revocation)
  const isFinished = isTold(table, certificates) && unrevoked.length === 0 && adopted.length === 0
  const unfinished = isFinished ? null : { unrevoked, renewed: adopted.map(({ fingerprint }) => fingerprint) }
  return { ...stored, keys, parked, certificates, unfinished }
}

type Published = ReadonlyMap<string, StoredCertificate>

function isPublished({ fingerprint, certificate }: LockedKeyFile, published: Published): boolean {
  const one = published.get(fingerprint)
  return one?.custody === 'held' && Buffer.compare(one.certificate, certificate) === 0
}

/** The published certificate, not the one of the file: the vault refuses a key whose certificate was exchanged. */
function withPublished(key: LockedKeyFile, published: Published): LockedKeyFile {
  const one = published.get(key.fingerprint)
  return one?.custody === 'held' ? { ...key, certificate: one.certificate } : key
}
