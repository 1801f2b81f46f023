/**
 * The last steps of every change of keys: the directory is told what the table says. They are the same whether the change has just
 * been made or was interrupted, so an interrupted one is finished by the next unlocking, or by the change that comes after it.
 */
import type { CertificateUse, StoredCertificate } from '../accounts/directory.ts'
import { type AccountReading, endToEndOf, isTold, readAccount } from './account-reading.ts'
import type { ChangeDesk } from './change-desk.ts'
import type { Intent } from './intent.ts'
import { AccountKeysDamaged } from './keyring.ts'

/** Reads the account once nothing is left over from an interrupted change. Hold the lock. */
export async function beginChange(desk: ChangeDesk): Promise<AccountReading> {
  const { account, files, directory } = desk
  const reading = await readAccount(account, files, directory)
  if (reading.unfinished) await finishChange(desk, reading)
  await files.dropIntent()
  return reading.unfinished ? readAccount(account, files, directory) : reading
}

export async function finishInterrupted(desk: ChangeDesk): Promise<void> {
  await desk.files.exclusively(() => beginChange(desk))
}

/** Writes the table that makes the change, and tells the directory. What the table names must be on the disk. Hold the lock. */
export async function makeChange(desk: ChangeDesk, intent: Intent, table: Uint8Array): Promise<void> {
  const { account, files, directory } = desk
  await files.writeIntent(intent)
  await files.writeTable(table)
  await finishChange(desk, await readAccount(account, files, directory))
}

/** Idempotent. Hold the lock. */
export async function finishChange(desk: ChangeDesk, reading: AccountReading): Promise<void> {
  const { account, files, directory, revocations } = desk
  const { table, unfinished } = reading
  for (const fingerprint of unfinished?.renewed ?? []) await files.adoptRenewedKey(fingerprint)
  // the current one first: what arrives meanwhile has something to be sealed to at every moment
  if (reading.certificates.find((one) => one.current)?.fingerprint !== table.current) {
    await name(desk, reading, table.current, table.endToEnd ? 'rest' : 'both')
  }
  if (!isTold(table, await directory.certificates(account))) {
    await name(desk, reading, endToEndOf(table), table.endToEnd ? 'end-to-end' : 'both')
  }
  for (const fingerprint of unfinished?.unrevoked ?? []) {
    const sealed = await files.revocation(fingerprint)
    if (!sealed) continue
    const revocation = await revocations.open({ account, fingerprint }, sealed)
    await directory.revokeCertificate(account, fingerprint, revocation)
  }
  await files.dropIntent()
}

/** Makes it the newest of this use in the directory, with the octets and the custody that the account's files say. */
async function name(
  desk: ChangeDesk,
  reading: AccountReading,
  fingerprint: string,
  use: CertificateUse,
): Promise<void> {
  if (fingerprint === '') return
  const { account, directory, clock } = desk
  const told = await toldOf(desk, reading, fingerprint)
  const known = reading.certificates.find((one) => one.fingerprint === fingerprint)
  if (!known) return directory.addCertificate(account, { fingerprint, since: clock.now(), use, ...told })
  if (known.custody !== told.custody || Buffer.compare(known.certificate, told.certificate) !== 0) {
    await directory.replaceCertificate(account, fingerprint, told)
  }
  await directory.useCertificate(account, fingerprint, use)
}

async function toldOf(
  { account, files }: ChangeDesk,
  { keys, table: { endToEnd } }: AccountReading,
  fingerprint: string,
): Promise<Pick<StoredCertificate, 'certificate' | 'custody'>> {
  const isDevice = endToEnd?.custody === 'device' && endToEnd.fingerprint === fingerprint
  const certificate = isDevice
    ? await files.deviceCertificate(endToEnd.certificateHash)
    : keys.find((one) => one.fingerprint === fingerprint)?.certificate
  if (certificate) return { certificate, custody: isDevice ? 'device' : 'held' }
  throw new AccountKeysDamaged(
    `the certificate ${fingerprint} of account ${account} is missing from its keys folder. Restore it from a backup.`,
  )
}
