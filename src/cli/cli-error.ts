/** A refusal or failure in the words that the person at the terminal sees: one clear line, exit status 1. */
export class CliError extends Error {
  override readonly name: string = 'CliError'
  readonly status: 1 | 2 = 1
}

/** The command was not called as it is to be called: exit status 2. */
export class UsageError extends CliError {
  override readonly name = 'UsageError'
  override readonly status = 2
}

/** Refusals of the rooms whose message is written for the person at the terminal. */
const EXPECTED: ReadonlySet<string> = new Set([
  'ConfigError',
  'EscrowRefused',
  'MalformedPackage',
  'NotAMasterKey',
  'SharesRefused',
  'WrongMaster',
  'NewerSchema',
  'UnknownAccount',
  'UnknownDomain',
  'AddressTaken',
  'AccountDamaged',
  'AccountKeysDamaged',
  'AppPasswordRefused',
  'AuditDamaged',
  'FileLocked',
  'KeyRefused',
  'KeyslotsFull',
  'PassphraseNeeded',
  'PasswordRefused',
  'RecoveryCodeMistyped',
  'VaultBusy',
  'VaultGone',
  'NoCertificate',
  'NoSuchAccount',
  'PortTaken',
])

/** Otherwise it is a mistake of ours, and its stack says where. */
export function isMeantForPeople(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  // what the operating system refuses says itself what it is about: ENOTDIR, EACCES, ENOSPC and the path
  return error instanceof CliError || EXPECTED.has(error.name) || 'syscall' in error
}

export function statusOf(error: unknown): number {
  return error instanceof CliError ? error.status : 1
}
