/** A refusal or failure in the words that the person at the terminal sees: one clear line, exit status 1. */
export class CliError extends Error {
  override readonly name = 'CliError'
}

/** Refusals of the rooms whose message is written for the person at the terminal. */
const EXPECTED: ReadonlySet<string> = new Set([
  'ConfigError',
  'NewerSchema',
  'UnknownAccount',
  'UnknownDomain',
  'AddressTaken',
  'AccountDamaged',
  'AccountKeysDamaged',
  'KeyslotsFull',
  'PasswordRefused',
  'RecoveryCodeMistyped',
  'VaultBusy',
  'VaultGone',
  'NoSuchAccount',
  'PortTaken',
])

/** Otherwise it is a mistake of ours, and its stack says where. */
export function isMeantForPeople(error: unknown): boolean {
  return error instanceof CliError || (error instanceof Error && EXPECTED.has(error.name))
}
